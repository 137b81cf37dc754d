/* The status of each ResourceQuota: its bounds as they are wanted, and what is used of them, counted anew when the
 * quota is made or changed, when something that it counts has gone or has come to use less, and now and then. This file
 * knows when; api/controllers/quota_count.c counts. */
#include "api/controllers/quota.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/quota/recount.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* Between two recounts: those that follow closely are further and further apart, so that much that goes is few. */
#define GAP_FIRST (WORK_SECOND / 4000)
#define GAP_MAX (WORK_SECOND / 50)

#define WORD_BITS 64

/* A quota, and the kinds that it counts: a bit each, by their number among all. */
struct tracked {
        struct table_node in_all;
        uint64_t due; /* when what goes may be counted next; ns */
        uint64_t gap; /* between that and the recount before; ns */
        uint64_t kinds[CONTROLLER_KINDS_MAX / WORD_BITS];
        char key[];
};

/* --- which quotas count what --- */

static const char *key_of(struct arena *arena, const struct client_object *quota) {
        return arena_printf(arena, "%s/%s", quota->namespace, quota->name);
}

static struct tracked *find(const struct quotas *q, const char *key) {
        return table_object(table_find(&q->tracked, key), struct tracked, in_all);
}

static bool counts(const struct tracked *tracked, unsigned kind) {
        return tracked->kinds[kind / WORD_BITS] >> kind % WORD_BITS & 1;
}

static void drop(struct quotas *q, struct tracked *tracked) {
        if (!tracked)
                return;
        table_remove(&q->tracked, &tracked->in_all);
        free(tracked);
}

static struct tracked *track(struct quotas *q, const char *key) {
        struct tracked *tracked = find(q, key);
        size_t size = strlen(key) + 1;

        if (tracked) {
                memset(tracked->kinds, 0, sizeof(tracked->kinds));
                return tracked;
        }
        tracked = calloc(1, sizeof(*tracked) + size);
        if (!tracked)
                return NULL;
        memcpy(tracked->key, key, size);
        if (table_add(&q->tracked, &tracked->in_all, tracked->key) == 0)
                return tracked;
        free(tracked);
        return NULL;
}

/* 1: it is due. */
static int take(struct quotas *q, struct arena *arena, const struct client_object *object, const char *key) {
        struct kube_resource_quota quota = { 0 };
        struct quota_recount recount;
        struct tracked *tracked;
        int r = client_object_read(arena, object, &kube_resource_quota_type, &quota);

        if (r < 0 || (r = quota_recount_begin(&recount, arena, &quota)) < 0)
                return r;
        tracked = track(q, key);
        if (!tracked)
                return -ENOMEM;
        for (unsigned i = 0; i < q->n; i++)
                if (quota_recount_takes(&recount, &q->handlers[i].item))
                        tracked->kinds[q->handlers[i].kind / WORD_BITS] |= UINT64_C(1)
                                                                           << q->handlers[i].kind % WORD_BITS;
        return quota_recount_is_due(&recount);
}

/* A charge changes the quota as well: that is no reason to count. */
static void on_quota(struct controller *controller, const struct client_object *object,
                     const struct client_object *old) {
        struct quotas *q = controller_data(controller);
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *key = arena ? key_of(arena, object) : NULL;
        int r = key ? 0 : -ENOMEM;

        if (r == 0 && !informer_find(controller_informer(controller, 0), object->namespace, object->name))
                return drop(q, find(q, key));
        r = r ?: take(q, arena, object, key);
        if (r < 0)
                log_error("resourcequota %s/%s: what it counts cannot be told: %s", object->namespace, object->name,
                          strerror(-r));
        if (r != 0 || !old)
                controller_add_object(controller, object, old);
}

/* --- what they count --- */

/* Whether the object may use less than before: told by its bytes, since most changes say nothing of it. A pod uses less
 * once it has ended, or after a change of its spec. */
static bool may_use_less(const struct quota_handler *h, const struct client_object *object) {
        if (!quota_reads(&h->item))
                return false;
        if (strcmp(h->item.resource, "pods") != 0)
                return true;
        return client_object_mentions(object, "\"phase\":\"Succeeded\"") ||
               client_object_mentions(object, "\"phase\":\"Failed\"") ||
               !client_object_mentions(object, "\"generation\":1,");
}

static void widen_gap(struct tracked *tracked, uint64_t now) {
        if (now > tracked->due + GAP_MAX)
                tracked->gap = GAP_FIRST;
        else
                tracked->gap = 2 * tracked->gap < GAP_MAX ? 2 * tracked->gap : GAP_MAX;
        tracked->due = now + tracked->gap;
}

/* The first is counted at once, and the second nearly so: who has deleted something may look. What waits already may be
 * due sooner; then what comes behind that has to wait anew. */
static void add_gathered(struct controller *controller, struct tracked *tracked) {
        uint64_t now = controller_now(controller);

        if (tracked->due > now)
                return controller_add_after(controller, tracked->key, tracked->due - now);
        widen_gap(tracked, now);
        controller_add(controller, tracked->key);
}

uint64_t quota_gap(const struct quotas *q, const char *key) {
        struct tracked *tracked = find(q, key);

        if (!tracked)
                return GAP_MAX;
        widen_gap(tracked, controller_now(q->controller));
        return tracked->gap;
}

/* Quotas of @namespace (NULL: all) that count the kind. */
static void add_quotas(const struct quota_handler *h, const char *namespace) {
        struct quotas *q = h->quotas;
        const struct informer *quotas = controller_informer(q->controller, 0);

        for (struct informer_walk w = informer_first(quotas, namespace); w.object; informer_next(&w)) {
                struct tracked *tracked;
                const char *key;

                arena_reset(q->scratch);
                key = key_of(q->scratch, w.object);
                tracked = key ? find(q, key) : NULL;
                if (tracked && counts(tracked, h->kind))
                        add_gathered(q->controller, tracked);
        }
}

static struct quota_handler *handler_of(struct informer_handler *base) {
        return (struct quota_handler *)((char *)base - offsetof(struct quota_handler, base));
}

static void on_changed(struct informer_handler *base, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        const struct quota_handler *h = handler_of(base);

        if (h->quotas->tracked.n == 0 || change == CLIENT_ADDED)
                return;
        if (change == CLIENT_DELETED || may_use_less(h, object))
                add_quotas(h, object->namespace);
}

/* What has gone meanwhile went unseen. */
static void on_list_end(struct informer_handler *base) {
        add_quotas(handler_of(base), NULL);
}

/* --- its life --- */

static int follow(struct quotas *q, unsigned number, const struct kube_kind *kind) {
        const struct quota_kind *rule = kind->namespaced ? quota_kind_of(kind->group, kind->resource) : NULL;
        struct quota_handler *h = &q->handlers[q->n];

        if (!rule)
                return 0;
        *h = (struct quota_handler){ .base = { .changed = on_changed, .list_ends = on_list_end },
                                     .quotas = q,
                                     .kind = number,
                                     .item = { rule, kind->group, kind->resource, NULL } };
        q->n++;
        return controller_follow(q->controller, kind, &h->base);
}

static int start(struct controller *controller) {
        struct quotas *q = calloc(1, sizeof(*q));
        const struct kube_kind *const *kinds;
        unsigned n;
        int r;

        controller_set_data(controller, q);
        if (!q)
                return -ENOMEM;
        q->controller = controller;
        q->scratch = arena_new();
        r = q->scratch ? 0 : -ENOMEM;
        kinds = controller_all_kinds(controller, &n);
        for (unsigned i = 0; r == 0 && i < n; i++)
                r = follow(q, i, kinds[i]);
        return r;
}

static void stop(struct controller *controller) {
        struct quotas *q = controller_data(controller);

        if (!q)
                return;
        for (size_t i = 0; i < q->tracked.n_buckets; i++)
                while (q->tracked.buckets[i])
                        drop(q, table_object(q->tracked.buckets[i], struct tracked, in_all));
        table_clear(&q->tracked);
        arena_free(q->scratch);
        free(q);
}

const struct controller_kind controller_quota = {
        .name = "resourcequota-controller",
        .alias = "resourcequota",
        .account = "resourcequota-controller",
        .watches = { { "", "resourcequotas", NULL, on_quota, .passes = false } },
        .reconcile = quota_count,
        .start = start,
        .stop = stop,
};
