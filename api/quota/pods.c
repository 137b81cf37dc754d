/* Pods: their number, what they ask for and what bounds them. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/quota/kind.h"
#include "kube/pod/pod.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/texts.h"

#define REQUESTS "requests."
#define LIMITS "limits."

static bool begins(const char *text, const char *prefix) {
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A deadline is what makes a pod one that ends. */
static bool is_terminating(const struct kube_pod *pod) {
        return pod->spec.active_deadline_seconds.set && pod->spec.active_deadline_seconds.value >= 0;
}

bool quota_pod_counts(const void *object, const char *sub, const void *old) {
        if (old && !*sub)
                return is_terminating(object) != is_terminating(old);
        return old && strcmp(sub, "resize") == 0;
}

static bool is_native(const char *name) {
        return !strchr(name, '/') || strstr(name, "kubernetes.io/");
}

/* --- what a pod uses --- */

/* What a quota calls the request, and the limit, of a container's resource; NULL: nothing. */
static const struct {
        const char *name, *request, *limit;
} usual[] = {
        { "cpu", "requests.cpu", "limits.cpu" },
        { "memory", "requests.memory", "limits.memory" },
        { "ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage" },
};

bool quota_pod_measures(const char *name) {
        for (size_t i = 0; i < ELEMENTS(usual); i++)
                if (strcmp(usual[i].name, name) == 0 || strcmp(usual[i].request, name) == 0 ||
                    strcmp(usual[i].limit, name) == 0)
                        return true;
        return begins(name, "hugepages-") || begins(name, REQUESTS "hugepages-") ||
               (begins(name, REQUESTS) &&
                (!is_native(name) || begins(name, REQUESTS "deviceclass.resource.kubernetes.io/")));
}

static int add_request(struct arena *arena, resource_list *usage, const struct resource_amount *request) {
        const char *name = request->name, *other;
        bool plain = begins(name, "hugepages-");
        int r;

        for (size_t i = 0; i < ELEMENTS(usual); i++)
                if (strcmp(usual[i].name, name) == 0)
                        return quota_add(arena, usage, name, request->amount) ?:
                                       quota_add(arena, usage, usual[i].request, request->amount);
        if (!plain && is_native(name) && !begins(name, "deviceclass.resource.kubernetes.io/"))
                return 0;
        r = plain ? quota_add(arena, usage, name, request->amount) : 0;
        other = arena_printf(arena, REQUESTS "%s", name);
        return r ?: other ? quota_add(arena, usage, other, request->amount) : -ENOMEM;
}

static int add_amounts(struct arena *arena, resource_list *usage, const resource_list *requests,
                       const resource_list *limits) {
        int r;

        list_for_each (request, requests)
                if ((r = add_request(arena, usage, request)) < 0)
                        return r;
        for (size_t i = 0; i < ELEMENTS(usual); i++) {
                const struct quantity *limit = resource_get(limits, usual[i].name);

                if (limit && (r = quota_add(arena, usage, usual[i].limit, *limit)) < 0)
                        return r;
        }
        return 0;
}

/* One that has ended uses nothing, and neither does one that should have gone by now (its node is lost). */
static bool is_live(const struct kube_pod *pod) {
        const struct kube_object_meta *meta = &pod->metadata;

        if (kube_is(pod->status.phase, "Failed") || kube_is(pod->status.phase, "Succeeded"))
                return false;
        return !meta->deletion_timestamp.set || !meta->deletion_grace_period_seconds.set ||
               time(NULL) <= meta->deletion_timestamp.seconds + meta->deletion_grace_period_seconds.value;
}

int quota_pod_usage(struct arena *arena, const void *object, resource_list *usage) {
        const struct kube_pod *pod = object;
        const struct pod whole = { .metadata = pod->metadata, .spec = pod->spec };
        resource_list requests = { 0 }, limits = { 0 };

        if (!is_live(pod))
                return 0;
        if (!pod_can_total(&pod->spec))
                return -E2BIG;
        if (!pod_requests(arena, &whole, &requests) || !pod_add_overhead(arena, &whole, false, &requests) ||
            !pod_limits(arena, &whole, &limits) || !pod_add_overhead(arena, &whole, true, &limits))
                return -ENOMEM;
        return quota_add(arena, usage, "pods", quantity_from_units(1, QUANTITY_DECIMAL)) ?:
                       add_amounts(arena, usage, &requests, &limits);
}

/* --- scopes --- */

static bool is_best_effort(const struct kube_pod *pod) {
        const struct pod whole = { .metadata = pod->metadata, .spec = pod->spec };

        return pod_qos(&whole) == QOS_BEST_EFFORT;
}

static bool crosses(const struct kube_pod_affinity_term *term) {
        return term->namespaces.count > 0 || term->namespace_selector;
}

static bool terms_cross(const kube_pod_affinity_term_items *required,
                        const kube_weighted_pod_affinity_term_items *preferred) {
        list_for_each (term, required)
                if (crosses(term))
                        return true;
        list_for_each (term, preferred)
                if (crosses(&term->pod_affinity_term))
                        return true;
        return false;
}

static bool affinity_crosses(const struct kube_affinity *affinity) {
        const struct kube_pod_affinity *with = affinity ? affinity->pod_affinity : NULL;
        const struct kube_pod_anti_affinity *without = affinity ? affinity->pod_anti_affinity : NULL;

        return (with && terms_cross(&with->required_during_scheduling_ignored_during_execution,
                                    &with->preferred_during_scheduling_ignored_during_execution)) ||
               (without && terms_cross(&without->required_during_scheduling_ignored_during_execution,
                                       &without->preferred_during_scheduling_ignored_during_execution));
}

bool quota_pod_in_scope(const void *object, const struct kube_scoped_resource_selector_requirement *scope) {
        const struct kube_pod *pod = object;
        const char *class = pod->spec.priority_class_name;

        if (kube_is(scope->scope_name, "Terminating"))
                return is_terminating(pod);
        if (kube_is(scope->scope_name, "NotTerminating"))
                return !is_terminating(pod);
        if (kube_is(scope->scope_name, "BestEffort"))
                return is_best_effort(pod);
        if (kube_is(scope->scope_name, "NotBestEffort"))
                return !is_best_effort(pod);
        if (kube_is(scope->scope_name, "PriorityClass"))
                return quota_scope_matches(scope, &class, class && *class);
        if (kube_is(scope->scope_name, "CrossNamespacePodAffinity"))
                return affinity_crosses(pod->spec.affinity);
        return false;
}
