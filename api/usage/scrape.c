/* Rounds: all nodes' kubelets are asked, USAGE_SCRAPES_MAX at a time, as long as somebody wants to know. A round waits
 * for no node of the one before: who has not answered yet is left out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/cache/collection.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "api/usage/internal.h"
#include "kube/project.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/http/client.h"
#include "lib/log.h"
#include "lib/mailbox.h"
#include "lib/transport/address.h"
#include "lib/transport/tls.h"
#include "lib/value.h"

#define SECOND UINT64_C(1000000000)
#define KUBELET_PORT 10250
#define POSTS_MAX 1024
#define FACTS "status.addresses status.daemonEndpoints.kubeletEndpoint.Port"
#define TARGET "/metrics/resource"

struct usage_rounds {
        struct api_usage *usage;
        uv_loop_t *loop;
        struct tls_context *tls;
        uv_timer_t *timer, *patience;
        struct usage_queue queue;
        unsigned under_way, left; /* scrapes; nodes of this round that have not answered */
        unsigned firsts;          /* rounds that are left of the first two */
        uint64_t round;
};

static void begin_round(struct usage_rounds *rounds);
static void go_on(struct usage_rounds *rounds);

/* --- nodes --- */

static void free_node(struct usage_node *node) {
        http_client_free(node->client);
        handle_free(node->timer);
        usage_points_free(node->points);
        free(node->body);
        free(node);
}

static void drop_node(struct usage_node *node) {
        struct api_usage *usage = node->usage;

        if (usage_queue_contains(node))
                usage_queue_remove(node);
        pthread_mutex_lock(&usage->lock);
        table_remove(&usage->nodes, &node->in_all);
        pthread_mutex_unlock(&usage->lock);
        node->gone = true;
        if (node->x)
                http_reset(node->x, -ECANCELED);
        else
                free_node(node);
}

static struct usage_node *find_or_add(struct usage_rounds *rounds, const char *name) {
        struct api_usage *usage = rounds->usage;
        struct usage_node *node = table_object(table_find(&usage->nodes, name), struct usage_node, in_all);
        size_t size = strlen(name) + 1;
        int r;

        if (node)
                return node;
        node = calloc(1, sizeof(*node) + size);
        if (!node)
                return NULL;
        node->usage = usage;
        memcpy(node->name, name, size);
        node->timer = handle_timer(rounds->loop, node);
        pthread_mutex_lock(&usage->lock);
        r = node->timer ? table_add(&usage->nodes, &node->in_all, node->name) : -ENOMEM;
        pthread_mutex_unlock(&usage->lock);
        if (r == 0)
                return node;
        free_node(node);
        return NULL;
}

/* An address that needs no name server: the first inner one, else the first outer one. */
static bool find_address(const struct value *list, struct ip *ret_address) {
        static const char *const types[] = { "InternalIP", "ExternalIP" };

        for (size_t t = 0; t < ELEMENTS(types); t++)
                for (uint32_t i = 0; i < value_count(list); i++)
                        if (strcmp(value_string_or(value_get(value_at(list, i), "type"), ""), types[t]) == 0 &&
                            ip_parse(value_string_or(value_get(value_at(list, i), "address"), ""), ret_address, NULL) ==
                                    0)
                                return true;
        return false;
}

/* Queues the node, which is where @tree says. */
static void queue_node(struct usage_rounds *rounds, struct usage_node *node, const struct value *tree) {
        int64_t port = KUBELET_PORT;
        struct ip address;

        if (!value_integer(value_find(tree, "status.daemonEndpoints.kubeletEndpoint.Port"), &port) || port <= 0 ||
            port > UINT16_MAX)
                port = KUBELET_PORT;
        if (!find_address(value_find(tree, "status.addresses"), &address) || node->x)
                return;
        if (!ip_equal(&address, &node->address) || node->port != port) {
                http_client_free(node->client);
                node->client = NULL;
        }
        node->address = address;
        node->port = (unsigned)port;
        if (!usage_queue_contains(node))
                usage_queue_append(&rounds->queue, node);
        node->asked = rounds->round;
        rounds->left++;
}

static void drop_others(struct usage_rounds *rounds) {
        struct table *all = &rounds->usage->nodes;

        for (size_t i = 0; i < all->n_buckets; i++)
                for (struct table_node *n = all->buckets[i], *next; n; n = next) {
                        struct usage_node *node = table_object(n, struct usage_node, in_all);

                        next = n->next;
                        if (node->round != rounds->round)
                                drop_node(node);
                }
}

static int queue_nodes(struct usage_rounds *rounds) {
        struct api_resource *nodes = api_state_find(rounds->usage->state, "", "nodes");
        const struct collection_query everything = { 0 };
        _cleanup_arena_ struct arena *kept = arena_new(), *arena = arena_new();
        struct kube_wanted *wanted = kept ? kube_wanted_new(kept) : NULL;
        struct collection_page page = { 0 };
        int r = nodes && arena && wanted ? kube_wanted_add(kept, wanted, FACTS) : -ENOMEM;

        r = r ?: collection_list(nodes->collection, &everything, &page);
        for (size_t i = 0; r == 0 && i < page.n; i++) {
                const struct bytes *json = page.objects[i]->json;
                struct usage_node *node = find_or_add(rounds, page.objects[i]->name);
                struct value tree;

                arena_reset(arena);
                if (!node || kube_project(arena, wanted, (const char *)json->data, json->size, &tree) < 0)
                        continue;
                node->round = rounds->round;
                queue_node(rounds, node, &tree);
        }
        collection_page_clear(&page);
        drop_others(rounds);
        return r;
}

/* --- one node's answer --- */

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
        struct timespec now;
        int r;

        clock_gettime(CLOCK_REALTIME, &now);
        r = node->body ? usage_points_read(node->body, node->length, now.tv_sec * 1000 + now.tv_nsec / 1000000, before,
                                           &points, &err) :
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
        size_t room = node->room ?: 4096;
        char *body;

        while (room < node->length + n + 1)
                room *= 2;
        if (room > USAGE_BODY_MAX)
                return http_reset(x, -EMSGSIZE);
        body = room > node->room ? realloc(node->body, room) : node->body;
        if (!body)
                return http_reset(x, -ENOMEM);
        node->body = body;
        node->room = room;
        memcpy(body + node->length, bytes, n);
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
                return free_node(node);
        uv_timer_stop(node->timer);
        leave_round(rounds, node);
        if (node->gone)
                free_node(node);
        else
                end_scrape(node, error, why);
        rounds->under_way--;
        go_on(rounds);
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

static void scrape(struct usage_rounds *rounds, struct usage_node *node) {
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

/* --- rounds --- */

static bool is_idle(struct usage_rounds *rounds) {
        struct api_usage *usage = rounds->usage;
        bool idle;

        pthread_mutex_lock(&usage->lock);
        idle = uv_hrtime() - usage->asked_ns > USAGE_IDLE_S * SECOND;
        pthread_mutex_unlock(&usage->lock);
        return idle;
}

static void on_timer(uv_timer_t *timer) {
        struct usage_rounds *rounds = timer->data;

        if (rounds->firsts > 0 || !is_idle(rounds))
                begin_round(rounds);
}

static void on_impatient(uv_timer_t *timer) {
        struct usage_rounds *rounds = timer->data;

        pthread_mutex_lock(&rounds->usage->lock);
        usage_release(rounds->usage);
        pthread_mutex_unlock(&rounds->usage->lock);
}

/* All have answered; who waits, waits for the second round. */
static void end_round(struct usage_rounds *rounds) {
        struct api_usage *usage = rounds->usage;

        if (rounds->firsts > 0)
                return;
        pthread_mutex_lock(&usage->lock);
        usage->done_ns = uv_hrtime();
        usage->first = false;
        usage_release(usage);
        pthread_mutex_unlock(&usage->lock);
}

static void go_on(struct usage_rounds *rounds) {
        struct usage_node *node;

        while (rounds->under_way < USAGE_SCRAPES_MAX && (node = usage_queue_pop(&rounds->queue)))
                scrape(rounds, node);
        if (rounds->left == 0)
                end_round(rounds);
}

static void begin_round(struct usage_rounds *rounds) {
        int r;

        rounds->round++;
        rounds->left = 0;
        if (rounds->firsts > 0)
                rounds->firsts--;
        uv_timer_start(rounds->timer, on_timer, rounds->firsts > 0 ? USAGE_FIRST_MS : USAGE_ROUND_S * 1000, 0);
        r = queue_nodes(rounds);
        if (r < 0)
                log_warning("nodes cannot be asked for what they use: %s", strerror(-r));
        go_on(rounds);
}

void usage_wake(void *data) {
        struct api_usage *usage = data;
        struct usage_rounds *rounds = usage->rounds;
        bool waits;

        if (!rounds || rounds->firsts > 0)
                return;
        pthread_mutex_lock(&usage->lock);
        waits = !usage_waits_is_empty(&usage->waits);
        usage->first = usage->first || waits;
        pthread_mutex_unlock(&usage->lock);
        if (!waits) /* a round has ended meanwhile */
                return;
        rounds->firsts = 2;
        uv_timer_start(rounds->patience, on_impatient, USAGE_PATIENCE_MS, 0);
        begin_round(rounds);
}

/* --- start and stop --- */

static void free_rounds(struct usage_rounds *rounds) {
        handle_free(rounds->timer);
        handle_free(rounds->patience);
        tls_context_unref(rounds->tls);
        free(rounds);
}

int api_usage_start(struct api_usage *usage, uv_loop_t *loop, struct tls_context *tls) {
        struct usage_rounds *rounds = calloc(1, sizeof(*rounds));
        struct mailbox *mailbox;
        int r;

        if (!rounds)
                return -ENOMEM;
        rounds->usage = usage;
        rounds->loop = loop;
        rounds->tls = tls_context_ref(tls);
        rounds->timer = handle_timer(loop, rounds);
        rounds->patience = handle_timer(loop, rounds);
        r = rounds->timer && rounds->patience ? mailbox_new(loop, POSTS_MAX, &mailbox) : -ENOMEM;
        if (r < 0) {
                free_rounds(rounds);
                return r;
        }
        usage->rounds = rounds;
        pthread_mutex_lock(&usage->lock);
        usage->mailbox = mailbox;
        pthread_mutex_unlock(&usage->lock);
        return 0;
}

void api_usage_stop(struct api_usage *usage) {
        struct usage_rounds *rounds = usage->rounds;
        struct mailbox *mailbox = usage->mailbox;

        if (!rounds)
                return;
        pthread_mutex_lock(&usage->lock);
        usage->mailbox = NULL;
        usage_release(usage);
        pthread_mutex_unlock(&usage->lock);
        usage->rounds = NULL;
        mailbox_close(mailbox);
        usage->closed = mailbox;
        rounds->round++;
        drop_others(rounds);
        free_rounds(rounds);
}
