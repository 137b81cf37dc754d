/* Registers the Node, and tells its status: when it is another one, and every CLUSTER_STATUS_MS. What it is in
 * is looked at as often as the Lease is renewed: nodeStatusUpdateFrequency. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/cluster/internal.h"
#include "agent/config/options.h"
#include "agent/identity/identity.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/hash.h"
#include "lib/json_writer.h"
#include "lib/log.h"

static void turn(struct cluster *c);

static void on_timer(uv_timer_t *timer) {
        turn(timer->data);
}

static void later(struct cluster *c, unsigned ms) {
        uv_timer_start(c->node.timer, on_timer, ms, 0);
}

/* Whether it is news. That something is tried again sooner is no reason to tell it again. */
static bool is_news(struct cluster_node *node, const char *text) {
        uint64_t hash = hash_bytes(text, strlen(text));

        for (unsigned i = 0; i < node->n_said; i++)
                if (node->said[i] == hash)
                        return false;
        if (node->n_said == CLUSTER_SAID_MAX)
                return false;
        node->said[node->n_said++] = hash;
        return true;
}

static void fail(struct cluster *c, const char *what, const char *why) {
        char text[512];

        snprintf(text, sizeof(text), "cannot %s: %s", what, why);
        log_write(is_news(&c->node, text) ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, "node %s: %s", c->options->node_name,
                  text);
        later(c, cluster_back_off(&c->node.patience));
}

static void succeed(struct cluster *c) {
        c->node.patience.ms = 0;
        c->node.n_said = 0;
}

/* -- the Node ---------------------------------------------------------------------------------------------- */

static void on_labelled(void *data, const struct client_answer *answer) {
        struct cluster *c = data;

        c->node.call = NULL;
        if (!client_succeeded(answer))
                return fail(c, "set its labels", answer->message);
        log_info("node %s: it is known to the API service from before", c->options->node_name);
        c->node.state = CLUSTER_NODE_THERE;
        c->node.told = 0;
        succeed(c);
        turn(c);
}

static void ask(struct cluster *c, uint16_t verb, client_done done) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *text = NULL;
        struct kube_node_status status;
        struct client_request q = { .verb = verb,
                                    .kind = &cluster_nodes,
                                    .name = verb == KUBE_VERB_CREATE ? NULL : c->options->node_name,
                                    .patch = CLIENT_PATCH_STRATEGIC };

        if (!arena || cluster_node_status(c, arena, &status) < 0 ||
            cluster_node_write(c, verb == KUBE_VERB_CREATE ? &status : NULL, &w) < 0 ||
            json_writer_finish(&w, &text, &q.length) < 0)
                return fail(c, "register", "out of memory");
        q.body = text;
        if (client_ask(c->client, &q, done, c, &c->node.call) < 0)
                fail(c, "register", "out of memory");
}

static void on_registered(void *data, const struct client_answer *answer) {
        struct cluster *c = data;

        c->node.call = NULL;
        if (answer->code == 409)
                return ask(c, KUBE_VERB_PATCH, on_labelled);
        if (!client_succeeded(answer)) {
                cluster_look_at(c, answer);
                return fail(c, "register", answer->message);
        }
        log_info("node %s: registered", c->options->node_name);
        c->node.state = CLUSTER_NODE_THERE;
        c->node.told = 0;
        succeed(c);
        turn(c);
}

/* -- its status -------------------------------------------------------------------------------------------- */

static void on_told(void *data, const struct client_answer *answer) {
        struct cluster *c = data;

        c->node.call = NULL;
        if (answer->code == 404) { /* somebody has deleted it */
                c->node.state = CLUSTER_NODE_UNKNOWN;
                return turn(c);
        }
        if (!client_succeeded(answer)) {
                c->node.told = 0; /* the service may have either */
                cluster_look_at(c, answer);
                return fail(c, "tell its status", answer->message);
        }
        succeed(c);
        c->node.told = c->node.sent;
        cluster_conditions_told(c);
        c->own.reset |= c->node.knew_own;
        c->node.told_at = uv_now(c->loop);
        later(c, c->node.changed ? 0 : CLUSTER_LEASE_RENEW_MS);
        c->node.changed = false;
        if (c->events.told)
                c->events.told(c->events.data);
}

/* Addresses are merged by type, of which there may be two, and these are all: the others go. */
static void write_addresses(struct json_writer *w, const struct kube_node_status *status) {
        json_key(w, "addresses");
        json_begin_list(w);
        json_begin_map(w);
        json_add_string(w, "$patch", "replace");
        json_end_map(w);
        list_for_each (address, &status->addresses) {
                json_begin_map(w);
                json_add_string(w, "type", address->type);
                json_add_string(w, "address", address->address);
                json_end_map(w);
        }
        json_end_list(w);
}

/* {"status":…}: of the conditions those told replace what was there of their types. */
static char *status_text(const struct cluster *c, const struct kube_node_status *status, size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT, own = JSON_WRITER_INIT;
        _cleanup_free_ char *members = NULL;
        struct kube_node_status rest = *status;
        char *text = NULL;
        size_t length;

        rest.addresses.count = rest.allocatable.count = 0;
        kube_json_write(&own, &kube_node_status_type, &rest);
        if (json_writer_finish(&own, &members, &length) < 0)
                return NULL;
        json_begin_map(&w);
        json_key(&w, "status");
        json_begin_map(&w);
        if (length > 2) {
                json_raw(&w, members + 1, length - 2);
                w.comma = true;
        }
        write_addresses(&w, status);
        cluster_write_allocatable(c, status, &w);
        json_end_map(&w);
        json_end_map(&w);
        return json_writer_finish(&w, &text, ret_length) < 0 ? NULL : text;
}

static void post(struct cluster *c, struct kube_node_status *status) {
        struct client_request q = { .verb = KUBE_VERB_PATCH,
                                    .kind = &cluster_nodes,
                                    .name = c->options->node_name,
                                    .sub = "status",
                                    .patch = CLIENT_PATCH_STRATEGIC };
        _cleanup_free_ char *text = NULL;

        for (uint32_t i = 0; i < status->conditions.count; i++)
                status->conditions.items[i].last_heartbeat_time =
                        (struct kube_time){ .seconds = time(NULL), .set = true };
        if (!(text = status_text(c, status, &q.length)))
                return fail(c, "tell its status", "out of memory");
        q.body = text;
        c->node.knew_own = c->own.arena;
        c->node.overwritten = false;
        cluster_conditions_sent(c, &status->conditions);
        if (c->identity)
                identity_names_changed(c->identity);
        if (client_ask(c->client, &q, on_told, c, &c->node.call) < 0)
                fail(c, "tell its status", "out of memory");
}

static void tell(struct cluster *c) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *text = NULL;
        struct kube_node_status status;
        size_t length;

        c->node.due = false;
        if (!arena || cluster_node_status(c, arena, &status) < 0 || !(text = status_text(c, &status, &length)))
                return fail(c, "tell its status", "out of memory");
        c->node.sent = hash_bytes(text, length);
        if (c->node.sent == c->node.told && !c->node.overwritten &&
            uv_now(c->loop) - c->node.told_at < CLUSTER_STATUS_MS)
                return later(c, CLUSTER_LEASE_RENEW_MS);
        post(c, &status);
}

static void turn(struct cluster *c) {
        if (c->node.call)
                return;
        if (c->node.state == CLUSTER_NODE_UNKNOWN)
                ask(c, KUBE_VERB_CREATE, on_registered);
        else
                tell(c);
}

/* One that is under way tells what was before. */
void cluster_node_changed(struct cluster *c) {
        c->node.patience.ms = 0;
        c->node.changed = c->node.call;
        if (c->node.call || !c->node.timer)
                return;
        c->node.due = true;
        later(c, 0);
}

void cluster_node_heard(struct cluster *c, const struct kube_node_status *status) {
        if (!c->node.told)
                return;
        c->node.overwritten = cluster_conditions_differ(c, &status->conditions);
        if (c->node.overwritten && uv_now(c->loop) - c->node.told_at >= CLUSTER_LEASE_RENEW_MS)
                cluster_node_changed(c);
}

void cluster_node_shuts(struct cluster *c, bool shuts) {
        c->node.shuts = shuts;
        c->node.ready_since = time(NULL);
        cluster_node_changed(c);
}

bool cluster_node_has_told(const struct cluster *c) {
        return !c->node.call && !c->node.due && !c->node.changed && c->node.sent == c->node.told;
}

void cluster_node_replaced(struct cluster *c) {
        c->node.state = CLUSTER_NODE_UNKNOWN;
        cluster_node_changed(c);
}

int cluster_node_start(struct cluster *c) {
        if (!(c->node.timer = handle_timer(c->loop, c)))
                return -ENOMEM;
        c->node.ready_since = time(NULL);
        later(c, 0);
        return 0;
}

void cluster_node_stop(struct cluster *c) {
        client_cancel(c->node.call);
        c->node.call = NULL;
        handle_free(c->node.timer);
        c->node.timer = NULL;
}
