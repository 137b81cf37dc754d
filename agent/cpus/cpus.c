#include "agent/cpus/cpus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cpus/internal.h"
#include "agent/node/keeper.h"
#include "kube/pod/pod.h"
#include "kube/pod/resources.h"
#include "lib/cleanup.h"

/* -- what is reserved -------------------------------------------------------------------------------------- */

static int reserve(struct cpus *c, const struct cpus_options *o, struct err **err) {
        int n = (int)((o->reserved_milli + 999) / 1000), r;

        if (o->reserved) {
                if ((r = cpus_set_parse(o->reserved, &c->reserved, err)) < 0)
                        return r;
                struct cpus_set missing = cpus_set_without(&c->reserved, &c->topology.all);

                if (!cpus_set_is_empty(&missing))
                        return err_set(err, EINVAL, "reserved CPUs %.200s: not all of them are online", o->reserved);
                n = (int)cpus_set_count(&c->reserved);
        }
        if (n <= 0)
                return err_set(
                        err, EINVAL,
                        "the static policy requires systemreserved.cpu + kubereserved.cpu to be greater than "
                        "zero: say by systemReserved, kubeReserved or reservedSystemCPUs how many the node keeps");
        if (!o->reserved && cpus_take(&c->topology, &c->how, &c->topology.all, n, &c->reserved, NULL) < 0)
                return err_set(err, EINVAL, "unable to reserve the required amount of CPUs: %d of %d", n,
                               c->topology.n_cpus);
        for (int cpu = -1; (cpu = cpus_set_next(&c->reserved, cpu + 1)) >= 0;) {
                struct cpus_set core =
                        cpus_topology_in(&c->topology, &c->topology.all, CPUS_CORE, c->topology.of[cpu][CPUS_CORE]);

                c->reserved_cores = cpus_set_union(&c->reserved_cores, &core);
        }
        return 0;
}

/* -- whether the state goes together with the host --------------------------------------------------------- */

static struct cpus_set all_of(const struct cpus *c) {
        return c->strict ? cpus_set_without(&c->topology.all, &c->reserved) : c->topology.all;
}

static int check_shared(const struct cpus *c, char *text, struct err **err) {
        struct cpus_set both = cpus_set_both(&c->reserved, &c->shared);

        if (c->strict && !cpus_set_is_empty(&both))
                return err_set(err, EINVAL, "some of strictly reserved cpus: \"%s\" are present in defaultCpuSet",
                               cpus_set_format(&both, text));
        if (!c->strict && !cpus_set_equal(&both, &c->reserved))
                return err_set(err, EINVAL, "not all reserved cpus: \"%s\" are present in defaultCpuSet",
                               cpus_set_format(&c->reserved, text));
        return 0;
}

static int check_known(const struct cpus *c, char *text, struct err **err) {
        struct cpus_set known = c->shared, all = all_of(c);

        LIST_EACH (assignments, a, &c->assignments) {
                if (cpus_set_meets(&a->set, &c->shared))
                        return err_set(err, EINVAL,
                                       "pod: %s, container: %s cpuset: \"%s\" overlaps with default cpuset", a->uid,
                                       a->container, cpus_set_format(&a->set, text));
                known = cpus_set_union(&known, &a->set);
        }
        if (!cpus_set_equal(&known, &all))
                return err_set(err, EINVAL, "current set of available CPUs \"%s\" doesn't match with CPUs in state",
                               cpus_set_format(&all, text));
        return 0;
}

static int check_state(struct cpus *c, struct err **err) {
        _cleanup_free_ char *text = malloc(CPUS_SET_TEXT_MAX);
        int r;

        if (!text)
                return err_set(err, ENOMEM, "out of memory");
        if (cpus_set_is_empty(&c->shared) && !assignments_first(&c->assignments)) {
                c->shared = all_of(c);
                c->fresh = true;
                return 0;
        }
        if (cpus_set_is_empty(&c->shared))
                r = err_set(err, EINVAL, "default cpuset cannot be empty");
        else if ((r = check_shared(c, text, err)) == 0)
                r = check_known(c, text, err);
        return r < 0 ? err_wrap(err, r, "invalid state, please drain node and remove policy state file %s", c->state) :
                       0;
}

/* -- from the start to the end ----------------------------------------------------------------------------- */

static void on_written(void *data, uint64_t generation, const struct err *err) {
        struct cpus *c = data;

        c->world.written(c->world.data, generation, err);
}

/* The topology is large: with the policy none, no page of it is touched. */
static int prepare(struct cpus *c, const struct cpus_options *o, struct err **err) {
        int r = cpus_options_set(c, o->policy_options, err);

        if (r < 0)
                return r;
        c->topology = *o->topology;
        c->how.group = c->full_cores ? c->topology.n_cpus / c->topology.n[CPUS_CORE] : 1;
        return reserve(c, o, err);
}

static int make(struct cpus *c, const struct cpus_options *o, const struct cpus_world *world, struct err **err) {
        static const struct keeper_ops ops = { cpus_state_pack, on_written };
        int r;

        c->world = *world;
        c->is_static = strcmp(o->policy, "static") == 0;
        if ((r = cpus_check(o->policy, o->policy_options, err)) < 0)
                return r;
        if (!(c->state = strdup(o->state)) || !(c->keeper = keeper_new(world->pool, c->state, &ops, c)))
                return err_set(err, ENOMEM, "out of memory");
        if (c->is_static && (r = prepare(c, o, err)) < 0)
                return r;
        if ((r = cpus_state_read(c, err)) < 0 || (c->is_static && (r = check_state(c, err)) < 0))
                return r;
        return c->fresh ? keeper_write(c->keeper, err) : 0;
}

int cpus_new(const struct cpus_options *options, const struct cpus_world *world, struct cpus **ret_cpus,
             struct err **err) {
        struct cpus *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = make(c, options, world, err)) < 0) {
                cpus_free(c);
                return r;
        }
        *ret_cpus = c;
        return 0;
}

void cpus_free(struct cpus *c) {
        if (!c)
                return;
        LIST_EACH (assignments, a, &c->assignments)
                assignment_free(a);
        keeper_free(c->keeper);
        free(c->state);
        free(c);
}

/* -- what is whose ----------------------------------------------------------------------------------------- */

bool cpus_is_static(const struct cpus *c) {
        return c->is_static;
}

const struct cpus_set *cpus_exclusive(const struct cpus *c, const char *uid, const char *container) {
        const struct assignment *a = assignment_find(c, uid, container);

        return a ? &a->set : NULL;
}

const struct cpus_set *cpus_shared(const struct cpus *c) {
        return c->is_static ? &c->shared : NULL;
}

bool cpus_has_exclusive(const struct cpus *c, const char *uid) {
        LIST_EACH (assignments, a, &c->assignments)
                if (strcmp(a->uid, uid) == 0)
                        return true;
        return false;
}

bool cpus_release(struct cpus *c, const char *uid) {
        bool had = assignment_drop_pod(c, uid);

        if (had)
                keeper_changed(c->keeper);
        return had;
}

bool cpus_keep_only(struct cpus *c, bool (*has)(void *data, const char *uid), void *data) {
        bool dropped = false;

        for (;;) {
                struct assignment *stranger = NULL;

                LIST_EACH (assignments, a, &c->assignments)
                        if (!stranger && !has(data, a->uid))
                                stranger = a;
                if (!stranger)
                        break;
                char *uid = strdup(stranger->uid);

                if (!uid)
                        break; /* it stays, which costs CPUs until the next start */
                assignment_drop_pod(c, uid);
                free(uid);
                dropped = true;
        }
        if (dropped)
                keeper_changed(c->keeper);
        return dropped;
}
