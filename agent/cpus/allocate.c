/* CPUs for the containers of a pod, one after the other: init containers leave theirs to those after them
 * (cpumanager/policy_static.go, Allocate()). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cpus/internal.h"
#include "agent/node/keeper.h"
#include "kube/pod/pod.h"
#include "kube/pod/resources.h"

#define SMT_ERROR "SMTAlignmentError"
#define OTHER_ERROR "UnexpectedAdmissionError"

/* How many the container gets for itself; 0: it shares. */
static int64_t wanted_by(const struct kube_container *container) {
        struct quantity amount;

        if (!pod_container_request(container, "cpu", &amount) || quantity_milli(amount) % 1000 != 0)
                return 0;
        return quantity_units(amount);
}

static int check_cores(const struct cpus *c, int64_t n, struct err **err) {
        struct cpus_set free_cores = cpus_set_without(&c->shared, &c->reserved_cores);
        int per_core = c->topology.n_cpus / c->topology.n[CPUS_CORE];
        size_t n_free = cpus_set_count(&free_cores);

        if (!c->full_cores)
                return 0;
        if (n % per_core != 0)
                return err_set(err, EBUSY, "SMT Alignment Error: requested %lld cpus not multiple cpus per core = %d",
                               (long long)n, per_core);
        if (n > (int64_t)n_free)
                return err_set(err, EBUSY,
                               "SMT Alignment Error: not enough free physical CPUs: available physical CPUs = %zu, "
                               "requested CPUs = %lld, CPUs per core = %d",
                               n_free, (long long)n, per_core);
        return 0;
}

/* 1: given; 0: it shares, or has its own already. */
static int give(struct cpus *c, const struct pod *pod, const struct kube_container *container,
                struct cpus_set *reusable, const char **ret_reason, struct err **err) {
        struct cpus_set available = cpus_set_without(&c->shared, &c->reserved), taken;
        int64_t n = wanted_by(container);
        int r;

        *ret_reason = SMT_ERROR;
        if (n == 0)
                return 0;
        if ((r = check_cores(c, n, err)) < 0)
                return r;
        *ret_reason = OTHER_ERROR;
        if (assignment_find(c, pod->metadata.uid, container->name))
                return 0;
        available = cpus_set_union(&available, reusable);
        if ((r = cpus_take(&c->topology, &c->how, &available, n > CPUS_MAX ? CPUS_MAX + 1 : (int)n, &taken, err)) < 0)
                return r;
        if (assignment_add(c, pod->metadata.uid, container->name, &taken) < 0)
                return err_set(err, ENOMEM, "out of memory");
        c->shared = cpus_set_without(&c->shared, &taken);
        return 1;
}

/* Sidecars go on beside those after them. */
static void leave(const struct cpus *c, const struct pod *pod, const struct kube_container *container, bool ends,
                  struct cpus_set *reusable) {
        const struct assignment *a = assignment_find(c, pod->metadata.uid, container->name);

        if (a)
                *reusable = ends ? cpus_set_union(reusable, &a->set) : cpus_set_without(reusable, &a->set);
}

static int give_all(struct cpus *c, const struct pod *pod, const char **ret_reason, struct err **err) {
        struct cpus_set reusable = { 0 };
        int given = 0, r;

        list_for_each (container, &pod->spec.init_containers) {
                if ((r = give(c, pod, container, &reusable, ret_reason, err)) < 0)
                        return r;
                leave(c, pod, container, !pod_container_is_sidecar(container), &reusable);
                given |= r;
        }
        list_for_each (container, &pod->spec.containers) {
                if ((r = give(c, pod, container, &reusable, ret_reason, err)) < 0)
                        return r;
                leave(c, pod, container, false, &reusable);
                given |= r;
        }
        return given;
}

static bool has_own_amounts(const struct pod *pod) {
        const struct kube_resource_requirements *r = pod->spec.resources;

        return r && (r->requests.count > 0 || r->limits.count > 0);
}

int cpus_allocate(struct cpus *c, const struct pod *pod, uint64_t *ret_generation, const char **ret_reason,
                  struct err **err) {
        int r;

        if (!c->is_static || pod_qos(pod) != QOS_GUARANTEED || has_own_amounts(pod))
                return 0;
        r = give_all(c, pod, ret_reason, err);
        if (r < 0)
                assignment_drop_pod(c, pod->metadata.uid);
        if (r != 0)
                *ret_generation = keeper_changed(c->keeper);
        return r;
}

struct cpus_set cpus_allocatable(const struct cpus *c) {
        static const struct cpus_set none;

        return c->is_static ? cpus_set_without(&c->topology.all, &c->reserved) : none;
}
