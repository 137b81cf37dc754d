/* What controls a pod, and how many of them that wants. */
#include <string.h>

#include "api/controllers/disruption.h"
#include "kube/apps_v1.h"
#include "kube/core_v1.h"
#include "lib/cleanup.h"

static struct known *known_of(const struct task *task, unsigned watch) {
        return controller_known(task_controller(task), watch);
}

static int32_t or_one(struct opt_int replicas) {
        return replicas.set ? (int32_t)replicas.value : 1;
}

static const struct known_object *find(const struct known *known, const char *namespace, const char *name,
                                       const char *uid) {
        const struct known_object *o = known_find(known, namespace, name);

        return o && strcmp(o->uid, uid) == 0 ? o : NULL;
}

/* Of a ReplicaSet that a Deployment has that one counts. */
static const char *set_scale(const struct task *task, const struct known_object *pod, int32_t *ret_scale) {
        const struct known *sets = known_of(task, DISRUPTION_SETS),
                           *deployments = known_of(task, DISRUPTION_DEPLOYMENTS);
        const struct known_object *set = find(sets, pod->namespace, pod->owner_name, pod->owner), *d;
        const struct kube_apps_v1_replica_set *s = set ? known_typed(sets, set) : NULL;
        const struct kube_apps_v1_deployment *typed;

        if (!s)
                return NULL;
        d = find(deployments, set->namespace, set->owner_name, set->owner);
        typed = d ? known_typed(deployments, d) : NULL;
        *ret_scale = or_one(typed ? typed->spec.replicas : s->spec.replicas);
        return typed ? d->uid : set->uid;
}

static const char *controller_scale(const struct task *task, const struct known_object *pod, int32_t *ret_scale) {
        const struct known *all = known_of(task, DISRUPTION_CONTROLLERS);
        const struct known_object *o = find(all, pod->namespace, pod->owner_name, pod->owner);
        const struct kube_replication_controller *typed = o ? known_typed(all, o) : NULL;

        *ret_scale = typed && typed->spec.replicas.set ? (int32_t)typed->spec.replicas.value : 1;
        return typed ? o->uid : NULL;
}

static const char *stateful_scale(const struct task *task, const struct known_object *pod, int32_t *ret_scale) {
        const struct known *all = known_of(task, DISRUPTION_STATEFUL);
        const struct known_object *o = find(all, pod->namespace, pod->owner_name, pod->owner);
        const struct kube_apps_v1_stateful_set *typed = o ? known_typed(all, o) : NULL;

        *ret_scale = typed ? or_one(typed->spec.replicas) : 0;
        return typed ? o->uid : NULL;
}

static const struct {
        const char *kind;
        /* Who has the pod at last, by its uid, and how many it wants; NULL: it is not there. */
        const char *(*scale)(const struct task *task, const struct known_object *pod, int32_t *ret_scale);
} finders[] = { { "ReplicaSet", set_scale },
                { "ReplicationController", controller_scale },
                { "StatefulSet", stateful_scale } };

const char *disruption_scale(const struct task *task, const struct known_object *pod, int32_t *ret_scale) {
        for (unsigned i = 0; i < ELEMENTS(finders); i++)
                if (strcmp(finders[i].kind, pod->owner_kind) == 0)
                        return finders[i].scale(task, pod, ret_scale);
        return NULL;
}
