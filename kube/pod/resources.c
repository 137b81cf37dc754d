#include "kube/pod/resources.h"

#include <string.h>

#include "kube/pod/resource_list.h"
#include "lib/arena.h"

static const resource_list *amounts_of(const struct kube_resource_requirements *resources, bool limits) {
        return limits ? &resources->limits : &resources->requests;
}

static struct quantity larger(struct quantity a, struct quantity b) {
        return quantity_compare(a, b) >= 0 ? a : b;
}

/* What the pod's containers need of @name at once: all containers and sidecars together, or one init container beside
 * the sidecars that were started before it. *@ret_all is false when a container that counts has no amount. */
static struct quantity total(const struct pod *pod, const char *name, bool limits, bool *ret_all) {
        struct quantity sum = { 0 }, sidecars = { 0 }, highest = { 0 };
        bool all = true;

        list_for_each (c, &pod->spec.containers) {
                const struct quantity *amount = resource_get(amounts_of(&c->resources, limits), name);

                all &= amount && quantity_sign(*amount) > 0;
                if (amount)
                        sum = quantity_add(sum, *amount);
        }
        list_for_each (c, &pod->spec.init_containers) {
                const struct quantity *amount = resource_get(amounts_of(&c->resources, limits), name);
                struct quantity own = amount ? *amount : (struct quantity){ 0 };

                all &= amount && quantity_sign(*amount) > 0;
                if (pod_container_is_sidecar(c)) {
                        sidecars = quantity_add(sidecars, own);
                        highest = larger(highest, sidecars);
                } else {
                        highest = larger(highest, quantity_add(own, sidecars));
                }
        }
        *ret_all = all;
        return larger(quantity_add(sum, sidecars), highest);
}

bool pod_level_takes(const char *name) {
        return strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0 || strncmp(name, "hugepages-", 10) == 0;
}

static const struct quantity *pod_level(const struct pod *pod, const char *name, bool limits) {
        return pod->spec.resources && pod_level_takes(name) ?
                       resource_get(amounts_of(pod->spec.resources, limits), name) :
                       NULL;
}

static struct quantity with_overhead(const struct pod *pod, const char *name, struct quantity amount) {
        const struct quantity *overhead = resource_get(&pod->spec.overhead, name);

        return overhead ? quantity_add(amount, *overhead) : amount;
}

struct quantity pod_request(const struct pod *pod, const char *name) {
        const struct quantity *own = pod_level(pod, name, false);
        bool all;

        return with_overhead(pod, name, own ? *own : total(pod, name, false, &all));
}

bool pod_limit(const struct pod *pod, const char *name, struct quantity *ret_limit) {
        const struct quantity *own = pod_level(pod, name, true);
        struct quantity limit;
        bool all = true;

        limit = own ? *own : total(pod, name, true, &all);
        if (!all || quantity_sign(limit) <= 0)
                return false;
        *ret_limit = with_overhead(pod, name, limit);
        return true;
}

static bool add_names(struct arena *arena, const struct pod *pod, const kube_container_items *containers, bool limits,
                      resource_list *list) {
        bool all;

        list_for_each (c, containers)
                list_for_each (r, amounts_of(&c->resources, limits))
                        if (!resource_get(list, r->name) &&
                            !resource_list_add(arena, list, r->name, total(pod, r->name, limits, &all)))
                                return false;
        return true;
}

bool pod_can_total(const struct kube_pod_spec *spec) {
        const kube_container_items *all[] = { &spec->containers, &spec->init_containers };
        uint32_t n = 0;

        for (int i = 0; i < 2; i++)
                list_for_each (c, all[i])
                        n += c->resources.requests.count + c->resources.limits.count;
        return n <= POD_AMOUNTS_MAX;
}

bool pod_container_requests(struct arena *arena, const struct pod *pod, resource_list *list) {
        return add_names(arena, pod, &pod->spec.containers, false, list) &&
               add_names(arena, pod, &pod->spec.init_containers, false, list);
}

bool pod_container_limits(struct arena *arena, const struct pod *pod, resource_list *list) {
        return add_names(arena, pod, &pod->spec.containers, true, list) &&
               add_names(arena, pod, &pod->spec.init_containers, true, list);
}

static bool with_pod_level(struct arena *arena, const struct pod *pod, bool limits, resource_list *list) {
        if (!pod->spec.resources)
                return true;
        list_for_each (r, amounts_of(pod->spec.resources, limits)) {
                struct quantity *amount = (struct quantity *)resource_get(list, r->name);

                if (amount)
                        *amount = r->amount;
                else if (!resource_list_add(arena, list, r->name, r->amount))
                        return false;
        }
        return true;
}

/* Overhead is asked for beside all else, and widens the limits that there are. */
bool pod_add_overhead(struct arena *arena, const struct pod *pod, bool limits, resource_list *list) {
        list_for_each (r, &pod->spec.overhead) {
                struct quantity *amount = (struct quantity *)resource_get(list, r->name);

                if (amount && (!limits || quantity_sign(*amount) > 0))
                        *amount = quantity_add(*amount, r->amount);
                else if (!amount && !limits && !resource_list_add(arena, list, r->name, r->amount))
                        return false;
        }
        return true;
}

bool pod_requests(struct arena *arena, const struct pod *pod, resource_list *list) {
        return pod_container_requests(arena, pod, list) && with_pod_level(arena, pod, false, list);
}

bool pod_limits(struct arena *arena, const struct pod *pod, resource_list *list) {
        return pod_container_limits(arena, pod, list) && with_pod_level(arena, pod, true, list);
}

static bool own_amount(const resource_list *list, const char *name, struct quantity *ret_amount) {
        const struct quantity *amount = resource_get(list, name);

        if (amount)
                *ret_amount = *amount;
        return amount;
}

bool pod_container_request(const struct kube_container *container, const char *name, struct quantity *ret_request) {
        return own_amount(&container->resources.requests, name, ret_request);
}

bool pod_container_limit(const struct kube_container *container, const char *name, struct quantity *ret_limit) {
        return own_amount(&container->resources.limits, name, ret_limit);
}

bool pod_container_bound(const struct pod *pod, const struct kube_container *container, const char *name,
                         struct quantity *ret_limit) {
        const struct quantity *shared = pod_level(pod, name, true);

        if (pod_container_limit(container, name, ret_limit))
                return true;
        if (shared)
                *ret_limit = *shared;
        return shared;
}

static bool is_compute(const char *name) {
        return strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0;
}

/* What QoS looks at: amounts of CPU and memory above zero. */
static bool asks_for_any(const struct kube_resource_requirements *resources) {
        list_for_each (r, &resources->requests)
                if (is_compute(r->name) && quantity_sign(r->amount) > 0)
                        return true;
        list_for_each (r, &resources->limits)
                if (is_compute(r->name) && quantity_sign(r->amount) > 0)
                        return true;
        return false;
}

/* CPU and memory both limited, and asked for to the same amount (or not at all, which means the limit). */
static bool is_guaranteed(const struct kube_resource_requirements *resources) {
        static const char *const names[] = { "cpu", "memory" };

        for (size_t i = 0; i < 2; i++) {
                const struct quantity *limit = resource_get(&resources->limits, names[i]);
                const struct quantity *request = resource_get(&resources->requests, names[i]);

                if (!limit || quantity_sign(*limit) <= 0 || (request && quantity_compare(*limit, *request) != 0))
                        return false;
        }
        return true;
}

enum pod_qos pod_qos(const struct pod *pod) {
        bool any = false, guaranteed = true;

        if (pod->spec.resources && asks_for_any(pod->spec.resources))
                return is_guaranteed(pod->spec.resources) ? QOS_GUARANTEED : QOS_BURSTABLE;
        list_for_each (c, &pod->spec.containers) {
                any |= asks_for_any(&c->resources);
                guaranteed &= is_guaranteed(&c->resources);
        }
        list_for_each (c, &pod->spec.init_containers) {
                any |= asks_for_any(&c->resources);
                guaranteed &= is_guaranteed(&c->resources);
        }
        return !any ? QOS_BEST_EFFORT : guaranteed ? QOS_GUARANTEED : QOS_BURSTABLE;
}

const char *pod_qos_name(enum pod_qos qos) {
        static const char *const names[] = { "BestEffort", "Burstable", "Guaranteed" };

        return names[qos];
}

uint64_t pod_cpu_shares(int64_t milli) {
        uint64_t shares;

        if (milli <= 0)
                return POD_CPU_SHARES_MIN;
        if (milli > (int64_t)POD_CPU_SHARES_MAX * 1000 / 1024)
                return POD_CPU_SHARES_MAX;
        shares = (uint64_t)milli * 1024 / 1000;
        return shares < POD_CPU_SHARES_MIN ? POD_CPU_SHARES_MIN : shares;
}

int64_t pod_cpu_quota(int64_t milli, int64_t period) {
        int64_t quota;

        if (milli <= 0)
                return 0;
        if (__builtin_mul_overflow(milli, period, &quota))
                return INT64_MAX / 1000;
        quota /= 1000;
        return quota < POD_CPU_QUOTA_MIN ? POD_CPU_QUOTA_MIN : quota;
}

/* A static pod, or one of the system's priority, that says system-node-critical. */
static bool is_node_critical(const struct pod *pod) {
        bool critical = pod->file || (pod->spec.priority.set && pod->spec.priority.value >= POD_PRIORITY_CRITICAL);

        return critical && pod->spec.priority_class_name &&
               strcmp(pod->spec.priority_class_name, "system-node-critical") == 0;
}

static int64_t memory_request(const struct kube_container *container) {
        struct quantity own = { 0 };

        pod_container_request(container, "memory", &own);
        return quantity_units(own);
}

/* Pod-level memory that no container asked for, divided among containers and sidecars. */
static int64_t spare_memory(const struct pod *pod) {
        const struct quantity *own = pod_level(pod, "memory", false);
        uint32_t n = pod->spec.containers.count;
        int64_t spare;
        bool all;

        if (!own)
                return 0;
        list_for_each (c, &pod->spec.init_containers)
                n += pod_container_is_sidecar(c);
        spare = quantity_units(*own) - quantity_units(total(pod, "memory", false, &all));
        return spare > 0 && n > 0 ? spare / n : 0;
}

static bool is_init_container(const struct pod *pod, const struct kube_container *container) {
        list_for_each (c, &pod->spec.init_containers)
                if (c == container)
                        return true;
        return false;
}

/* The least that one of the containers proper asks for. */
static int64_t least_memory(const struct pod *pod) {
        int64_t least = INT64_MAX;

        list_for_each (c, &pod->spec.containers)
                if (memory_request(c) < least)
                        least = memory_request(c);
        return pod->spec.containers.count > 0 ? least : 0;
}

int pod_oom_score_adj(const struct pod *pod, const struct kube_container *container, int64_t node_memory) {
        enum pod_qos qos = pod_qos(pod);
        int64_t memory;
        int adjust;

        if (is_node_critical(pod) || qos == QOS_GUARANTEED)
                return POD_OOM_SCORE_GUARANTEED;
        if (qos == QOS_BEST_EFFORT || node_memory <= 0)
                return POD_OOM_SCORE_BEST_EFFORT;
        memory = memory_request(container);
        if (is_init_container(pod, container) && pod_container_is_sidecar(container) && least_memory(pod) > memory)
                memory = least_memory(pod); /* a sidecar goes no earlier than those it serves */
        memory += spare_memory(pod);
        adjust = 1000 - (int)((__int128)1000 * (memory < node_memory ? memory : node_memory) / node_memory);
        if (adjust < 1000 + POD_OOM_SCORE_GUARANTEED)
                return 1000 + POD_OOM_SCORE_GUARANTEED;
        return adjust == POD_OOM_SCORE_BEST_EFFORT ? adjust - 1 : adjust;
}
