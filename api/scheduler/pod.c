#include "api/scheduler/pod.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/scheduler/scheduler.h"
#include "client/client.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define BOUND_ARENA 512 /* bytes of the first chunk: there are many of them */

static int read_spread(struct arena *arena, const struct kube_object_meta *meta,
                       const struct kube_topology_spread_constraint *from, struct sched_spread *to) {
        const struct sched_selector_more more[2] = { { &from->match_label_keys, &meta->labels, false } };

        *to = (struct sched_spread){ .key = from->topology_key ?: "",
                                     .max_skew = from->max_skew,
                                     .min_domains = from->min_domains.set ? from->min_domains.value : 1,
                                     .hard = kube_is(from->when_unsatisfiable, "DoNotSchedule"),
                                     .heeds_affinity = !kube_is(from->node_affinity_policy, "Ignore"),
                                     .heeds_taints = kube_is(from->node_taints_policy, "Honor") };
        return sched_selector_read(arena, from->label_selector, more, &to->pods);
}

static int read_spreads(struct sched_pod *pod, const struct kube_pod *from) {
        const kube_topology_spread_constraint_items *list = &from->spec.topology_spread_constraints;
        struct sched_spread *all = arena_alloc_array(pod->arena, (size_t)list->count + 1, sizeof(*all));
        int r = all ? 0 : -ENOMEM;

        for (uint32_t i = 0; r == 0 && i < list->count; i++)
                r = read_spread(pod->arena, &from->metadata, &list->items[i], &all[i]);
        pod->spreads = all;
        pod->n_spreads = list->count;
        return r;
}

/* Of what is bound only what other pods' placing depends on stays: in @small, but for the struct itself. */
static int reduce(struct arena *small, const struct kube_pod *whole, struct kube_pod *kept) {
        const struct kube_object_meta *meta = &whole->metadata;
        const struct kube_affinity *affinity = whole->spec.affinity;
        struct kube_affinity of_pods = { 0 };
        const struct kube_pod less = { .metadata = { .name = meta->name,
                                                     .namespace = meta->namespace,
                                                     .uid = meta->uid,
                                                     .labels = meta->labels },
                                       .spec = { .node_name = whole->spec.node_name,
                                                 .affinity = affinity ? &of_pods : NULL } };

        if (affinity)
                of_pods = (struct kube_affinity){ .pod_affinity = affinity->pod_affinity,
                                                  .pod_anti_affinity = affinity->pod_anti_affinity };
        return kube_copy(small, &kube_pod_type, &less, kept);
}

static int fill_names(struct sched_pod *pod, const struct kube_pod *kept) {
        const struct kube_object_meta *meta = &kept->metadata;

        pod->namespace = meta->namespace ?: "";
        pod->name = meta->name ?: "";
        pod->uid = meta->uid ?: "";
        pod->key = arena_printf(pod->arena, "%s/%s", pod->namespace, pod->name);
        pod->node_name = kept->spec.node_name && *kept->spec.node_name ? kept->spec.node_name : NULL;
        pod->labels = meta->labels;
        return pod->key ? 0 : -ENOMEM;
}

static size_t count_rules(const struct sched_pod *pod) {
        return (size_t)pod->affinity.n_required + pod->affinity.n_preferred + pod->aversion.n_required +
               pod->aversion.n_preferred;
}

static int fill_terms(struct sched_pod *pod, const struct kube_pod *kept) {
        static const struct kube_affinity nothing;
        static const struct kube_pod_affinity no_affinity;
        static const struct kube_pod_anti_affinity no_aversion;
        const struct kube_affinity *all = kept->spec.affinity ?: &nothing;
        const struct kube_pod_affinity *affinity = all->pod_affinity ?: &no_affinity;
        const struct kube_pod_anti_affinity *aversion = all->pod_anti_affinity ?: &no_aversion;

        return sched_terms_read(pod->arena, &kept->metadata, &affinity->required_during_scheduling_ignored_during_execution, &affinity->preferred_during_scheduling_ignored_during_execution, &pod->affinity) ?:
                       sched_terms_read(pod->arena, &kept->metadata,
                                        &aversion->required_during_scheduling_ignored_during_execution,
                                        &aversion->preferred_during_scheduling_ignored_during_execution,
                                        &pod->aversion);
}

static int fill(struct sched_pod *pod, const struct kube_pod *whole, const struct kube_pod *kept) {
        int r;

        pod->priority = whole->spec.priority.set ? (int32_t)whole->spec.priority.value : 0;
        pod->terminating = whole->metadata.deletion_timestamp.set;
        pod->started = whole->status.start_time;
        if ((r = fill_names(pod, kept)) < 0 || (r = sched_needs_read(pod->arena, whole, &pod->needs)) < 0 ||
            (r = fill_terms(pod, kept)) < 0)
                return r;
        if (count_rules(pod) + (size_t)whole->spec.topology_spread_constraints.count > SCHED_RULES_MAX)
                return -E2BIG;
        if (kept != whole)
                return 0;
        pod->whole = whole;
        return read_spreads(pod, whole);
}

/* @arena is the pod's, or, of one that is bound, goes again. */
static int read_whole(struct sched_pod *pod, const struct client_object *object, struct arena *arena) {
        struct kube_pod *whole = arena_new_of(arena, struct kube_pod), kept = { 0 };
        int r = whole ? client_object_read(arena, object, &kube_pod_type, whole) : -ENOMEM;

        pod->arena = arena;
        if (r < 0 || !whole->spec.node_name || !*whole->spec.node_name)
                return r < 0 ? r : fill(pod, whole, whole);
        pod->arena = arena_new_small(BOUND_ARENA);
        r = pod->arena ? reduce(pod->arena, whole, &kept) : -ENOMEM;
        r = r < 0 ? r : fill(pod, whole, &kept);
        arena_free(arena);
        return r;
}

int sched_pod_read(const struct client_object *object, struct sched_pod **ret_pod) {
        struct sched_pod *pod = calloc(1, sizeof(*pod));
        struct arena *arena = pod ? arena_new() : NULL;
        int r = arena ? read_whole(pod, object, arena) : -ENOMEM;

        if (r < 0)
                sched_pod_free(pod);
        else
                *ret_pod = pod;
        return r;
}

void sched_pod_free(struct sched_pod *pod) {
        if (!pod)
                return;
        arena_free(pod->arena);
        free(pod);
}

bool sched_pod_waits(const struct sched_pod *pod) {
        return !pod->node_name && pod->whole && !pod->terminating &&
               kube_is(pod->whole->spec.scheduler_name ?: SCHEDULER_NAME, SCHEDULER_NAME);
}

bool sched_pod_is_gated(const struct sched_pod *pod) {
        return pod->whole && pod->whole->spec.scheduling_gates.count > 0;
}

bool sched_pod_differs(const struct sched_pod *a, const struct sched_pod *b) {
        return sched_labels_differ(&a->labels, &b->labels) || !a->whole || !b->whole ||
               a->whole->metadata.generation != b->whole->metadata.generation;
}
