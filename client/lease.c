#include "client/lease.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "client/backend.h"
#include "kube/codec/codec.h"
#include "kube/coordination_v1.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/json_writer.h"
#include "lib/log.h"

#define NS_OF_SECOND UINT64_C(1000000000)
#define NS_OF_MS UINT64_C(1000000)
#define VERSION_MAX 32

typedef struct kube_coordination_v1_lease lease_object;

struct lease {
        struct lease_config config;
        uv_timer_t *timer;
        struct client_call *call; /* under way */
        bool leads;
        uint64_t next, renewed; /* ns: when to ask again; when it was last renewed */
        char seen[VERSION_MAX]; /* its revision when it was seen to change last, */
        uint64_t seen_at;       /* and when that was */
};

static uint64_t now_of(const struct lease *lease) {
        return lease->config.now ? lease->config.now(lease->config.clock) : uv_hrtime();
}

static struct kube_time wall_of(const struct lease *lease) {
        return (struct kube_time){ .seconds = lease->config.wall ? lease->config.wall(lease->config.clock) : time(NULL),
                                   .set = true };
}

static void on_timer(uv_timer_t *timer) {
        lease_turn(timer->data);
}

static void set_timer(struct lease *lease, uint64_t now) {
        uint64_t due = lease->next, lost = lease->renewed + LEASE_RENEW_S * NS_OF_SECOND;

        if (lease->call)
                due = UINT64_MAX;
        if (lease->leads && lost < due)
                due = lost;
        if (due == UINT64_MAX)
                uv_timer_stop(lease->timer);
        else
                uv_timer_start(lease->timer, on_timer, due <= now ? 0 : (due - now + NS_OF_MS - 1) / NS_OF_MS, 0);
}

static void set_leads(struct lease *lease, bool leads) {
        if (lease->leads == leads)
                return;
        lease->leads = leads;
        log_info("lease %s/%s: %s %s", lease->config.namespace, lease->config.name, lease->config.identity,
                 leads ? "leads" : "does not lead any more");
        lease->config.changed(lease->config.data, leads);
}

/* The round is over; the next comes later. */
static void end_round(struct lease *lease) {
        lease->call = NULL;
        lease->next = now_of(lease) + LEASE_RETRY_S * NS_OF_SECOND;
        set_timer(lease, now_of(lease));
}

static void see(struct lease *lease, const lease_object *object) {
        const char *version = object->metadata.resource_version ?: "";

        if (strncmp(lease->seen, version, sizeof(lease->seen) - 1) == 0)
                return;
        strncpy(lease->seen, version, sizeof(lease->seen) - 1);
        lease->seen_at = now_of(lease);
}

static int read_object(struct arena *arena, const struct client_answer *answer, lease_object *object) {
        return arena ? kube_json_read(arena, &kube_coordination_v1_lease_type, (const char *)answer->body->data,
                                      answer->body->size, NULL, object) :
                       -ENOMEM;
}

static void on_written(void *data, const struct client_answer *answer) {
        struct lease *lease = data;
        _cleanup_arena_ struct arena *arena = arena_new();
        lease_object object = { 0 };

        if (client_succeeded(answer)) {
                if (read_object(arena, answer, &object) == 0)
                        see(lease, &object);
                lease->renewed = now_of(lease);
                set_leads(lease, true);
        } else
                log_debug("lease %s/%s: %s", lease->config.namespace, lease->config.name, answer->message);
        end_round(lease);
}

static int write_object(struct lease *lease, lease_object *object, bool is_new, client_done done,
                        struct client_call **ret_call) {
        struct client_request q = { .verb = is_new ? KUBE_VERB_CREATE : KUBE_VERB_UPDATE,
                                    .kind = lease->config.kind,
                                    .namespace = lease->config.namespace,
                                    .name = is_new ? NULL : lease->config.name };
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;

        object->metadata.name = lease->config.name;
        object->metadata.namespace = lease->config.namespace;
        kube_json_write(&w, &kube_coordination_v1_lease_type, object);
        if (json_writer_finish(&w, &text, &q.length) < 0)
                return -ENOMEM;
        q.body = text;
        return client_ask(lease->config.client, &q, done, lease, ret_call);
}

static void take(struct lease *lease, lease_object *object, bool is_new) {
        const struct kube_time wall = wall_of(lease);
        bool own = !is_new && strcmp(object->spec.holder_identity ?: "", lease->config.identity) == 0;

        if (!own) {
                object->spec.acquire_time = wall;
                object->spec.lease_transitions =
                        (struct opt_int){ is_new ? 0 : object->spec.lease_transitions.value + 1, true };
        }
        object->spec.holder_identity = lease->config.identity;
        object->spec.lease_duration_seconds = (struct opt_int){ LEASE_DURATION_S, true };
        object->spec.renew_time = wall;
        if (write_object(lease, object, is_new, on_written, &lease->call) < 0)
                end_round(lease);
}

/* Another's, who has renewed it of late: by what is seen of it, not by what it says. */
static bool is_held(struct lease *lease, const lease_object *object) {
        const char *holder = object->spec.holder_identity ?: "";
        uint64_t seconds = LEASE_DURATION_S;

        see(lease, object);
        if (object->spec.lease_duration_seconds.value > 0)
                seconds = (uint64_t)object->spec.lease_duration_seconds.value;
        return *holder && strcmp(holder, lease->config.identity) != 0 &&
               now_of(lease) < lease->seen_at + seconds * NS_OF_SECOND;
}

static void on_got(void *data, const struct client_answer *answer) {
        struct lease *lease = data;
        _cleanup_arena_ struct arena *arena = arena_new();
        lease_object object = { 0 };

        lease->call = NULL;
        if (answer->code == 404)
                return take(lease, &object, true);
        if (!client_succeeded(answer) || read_object(arena, answer, &object) < 0)
                return end_round(lease);
        if (!is_held(lease, &object))
                return take(lease, &object, false);
        set_leads(lease, false);
        end_round(lease);
}

void lease_turn(struct lease *lease) {
        const struct client_request q = { .verb = KUBE_VERB_GET,
                                          .kind = lease->config.kind,
                                          .namespace = lease->config.namespace,
                                          .name = lease->config.name };
        uint64_t now = now_of(lease);

        if (lease->leads && now >= lease->renewed + LEASE_RENEW_S * NS_OF_SECOND)
                set_leads(lease, false);
        if (!lease->call && now >= lease->next && client_ask(lease->config.client, &q, on_got, lease, &lease->call) < 0)
                end_round(lease);
        set_timer(lease, now);
}

int lease_new(const struct lease_config *config, struct lease **ret_lease) {
        struct lease *lease = calloc(1, sizeof(*lease));

        if (!lease)
                return -ENOMEM;
        lease->config = *config;
        lease->timer = handle_timer(config->client->loop, lease);
        if (!lease->timer) {
                free(lease);
                return -ENOMEM;
        }
        set_timer(lease, 0);
        *ret_lease = lease;
        return 0;
}

static void on_given_up(void *data, const struct client_answer *answer) {
}

/* Nobody's, and not for long. */
static void give_up(struct lease *lease) {
        const struct kube_time wall = wall_of(lease);
        lease_object object = { .spec = { .holder_identity = "",
                                          .lease_duration_seconds = { 1, true },
                                          .acquire_time = wall,
                                          .renew_time = wall } };

        object.metadata.resource_version = lease->seen;
        if (write_object(lease, &object, false, on_given_up, &lease->call) < 0)
                log_debug("lease %s/%s: it runs out", lease->config.namespace, lease->config.name);
}

void lease_free(struct lease *lease) {
        if (!lease)
                return;
        client_cancel(lease->call);
        if (lease->leads)
                give_up(lease);
        handle_free(lease->timer);
        free(lease);
}

bool lease_leads(const struct lease *lease) {
        return lease->leads;
}
