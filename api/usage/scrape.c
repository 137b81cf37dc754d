/* One node is asked, and answers or does not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/usage/internal.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/grow.h"
#include "lib/http/client.h"
#include "lib/log.h"
#include "lib/transport/address.h"

#define TARGET "/metrics/resource"

/* Said once, until it answers again. */
static void fail(struct usage_node *node, const char *why) {
        if (node->failed)
                log_debug("node %s: its usage is not known: %s", node->name, why);
        else
                log_warning("node %s: its usage is not known: %s", node->name, why);
        node->failed = true;
}

static void take(struct usage_node *node) {
        struct usage_points *points, *before = node->points;
        _cleanup_err_ struct err *err = NULL;
        int r;

        r = node->body ? usage_points_read(node->body, node->length, clock_ms(CLOCK_REALTIME), before, &points, &err) :
                         -ENODATA;
        if (r < 0)
                return fail(node, err ? err_text(err) : strerror(-r));
        node->failed = false;
        pthread_mutex_lock(&node->usage->lock);
        node->points = points;
        pthread_mutex_unlock(&node->usage->lock);
        usage_points_free(before);
}

static void on_head(struct http_exchange *x, const struct http_response *response) {
        struct usage_node *node = http_data(x);

        node->status = response->status;
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct usage_node *node = http_data(x);
        int r = GROW(node->body, node->room, node->length + n + 1, USAGE_BODY_MAX);

        if (r < 0)
                return http_reset(x, r == -E2BIG ? -EMSGSIZE : r);
        memcpy(node->body + node->length, bytes, n);
        node->length += n;
}

static void end_scrape(struct usage_node *node, int error, const char *why) {
        char status[64];

        if (error < 0)
                fail(node, why ?: strerror(-error));
        else if (node->status != 200) {
                snprintf(status, sizeof(status), "the kubelet answers %d to GET " TARGET, node->status);
                fail(node, status);
        } else
                take(node);
        free(node->body);
        node->body = NULL;
        node->length = node->room = 0;
}

/* Of its round it is the last, perhaps. */
static void leave_round(struct usage_rounds *rounds, const struct usage_node *node) {
        if (node->asked == rounds->round && rounds->left > 0)
                rounds->left--;
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct usage_node *node = http_data(x);
        struct usage_rounds *rounds = node->usage->rounds;

        node->x = NULL;
        if (!rounds)
                return usage_node_free(node);
        uv_timer_stop(node->timer);
        leave_round(rounds, node);
        if (node->gone)
                usage_node_free(node);
        else
                end_scrape(node, error, why);
        rounds->under_way--;
        usage_rounds_go_on(rounds);
}

static void on_late(uv_timer_t *timer) {
        struct usage_node *node = timer->data;

        http_reset(node->x, -ETIMEDOUT);
}

static int connect_to(struct usage_rounds *rounds, struct usage_node *node) {
        struct sockaddr_storage address;
        char host[IP_TEXT_MAX], authority[IP_TEXT_MAX + 16];
        struct http_client_config config = {
                .address = (const struct sockaddr *)&address, .authority = authority, .name = host, .tls = rounds->tls
        };
        int r;

        if (node->client)
                return 0;
        ip_format(&node->address, host);
        snprintf(authority, sizeof(authority), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, node->port);
        r = address_parse(authority, &address, &config.n_address, NULL);
        return r < 0 ? r : http_client_new(rounds->loop, &config, &node->client);
}

void usage_scrape(struct usage_rounds *rounds, struct usage_node *node) {
        static const struct http_events events = { .head = on_head, .data = on_data, .closed = on_closed };
        static const struct http_field fields[] = { { .name = "accept", .value = "text/plain;version=0.0.4" } };
        const struct http_client_request request = {
                .method = "GET", .target = TARGET, .fields = fields, .n_fields = ELEMENTS(fields)
        };
        int r = connect_to(rounds, node);

        node->status = 0;
        r = r ?: http_client_request(node->client, &request, &events, node, &node->x);
        if (r < 0) {
                leave_round(rounds, node);
                return fail(node, strerror(-r));
        }
        uv_timer_start(node->timer, on_late, USAGE_SCRAPE_MS, 0);
        rounds->under_way++;
}
