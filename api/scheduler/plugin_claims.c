/* What pods claim: volumes, devices. Nothing here binds or allocates them; who claims what is not there yet waits. */
#include <string.h>

#include "api/scheduler/plugin.h"
#include "client/informer.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"

#define BOUND "pv.kubernetes.io/bind-completed"

static int refuse(struct sched_cycle *c, enum sched_verdict verdict, const char *words) {
        c->refused = words ?: "";
        return verdict;
}

static int check_claim(struct sched_cycle *c, const struct kube_persistent_volume_claim *claim, const char *name) {
        const struct kube_persistent_volume_claim_status *status = &claim->status;

        if (kube_is(status->phase, "Lost"))
                return refuse(c, SCHED_UNRESOLVABLE,
                              arena_printf(c->arena,
                                           "persistentvolumeclaim \"%s\" bound to non-existent persistentvolume \"%s\"",
                                           name, claim->spec.volume_name ?: ""));
        if (claim->metadata.deletion_timestamp.set)
                return refuse(c, SCHED_UNRESOLVABLE,
                              arena_printf(c->arena, "persistentvolumeclaim \"%s\" is being deleted", name));
        if (!claim->spec.volume_name || !*claim->spec.volume_name ||
            !string_map_get(&claim->metadata.annotations, BOUND))
                return refuse(c, SCHED_UNRESOLVABLE, "pod has unbound immediate PersistentVolumeClaims");
        return SCHED_FITS;
}

static int check_name(struct sched_cycle *c, const char *name, bool made) {
        const struct client_object *object = c->claims ? informer_find(c->claims, c->pod->namespace, name) : NULL;
        struct kube_persistent_volume_claim *claim;

        if (!object)
                return refuse(c, SCHED_UNRESOLVABLE,
                              made ? arena_printf(c->arena,
                                                  "waiting for ephemeral volume controller to create the "
                                                  "persistentvolumeclaim \"%s\"",
                                                  name) :
                                     arena_printf(c->arena, "persistentvolumeclaim \"%s\" not found", name));
        claim = arena_new_of(c->arena, struct kube_persistent_volume_claim);
        if (!claim || client_object_read(c->arena, object, &kube_persistent_volume_claim_type, claim) < 0)
                return refuse(c, SCHED_UNRESOLVABLE, "a PersistentVolumeClaim cannot be read");
        return check_claim(c, claim, name);
}

static int prepare_volumes(struct sched_cycle *c) {
        int r = SCHED_SKIPS;

        list_for_each (v, &c->pod->whole->spec.volumes) {
                const char *name = v->persistent_volume_claim ? v->persistent_volume_claim->claim_name :
                                   v->ephemeral               ? arena_printf(c->arena, "%s-%s", c->pod->name, v->name) :
                                                                NULL;

                if (name)
                        r = check_name(c, name, v->ephemeral);
                if (r != SCHED_SKIPS && r != SCHED_FITS)
                        return r;
        }
        return SCHED_SKIPS;
}

const struct sched_plugin sched_volume_binding = {
        .name = "VolumeBinding",
        .prepare = prepare_volumes,
        .events = SCHED_CLAIM,
};

static int prepare_devices(struct sched_cycle *c) {
        if (c->pod->whole->spec.resource_claims.count == 0)
                return SCHED_SKIPS;
        return refuse(c, SCHED_UNRESOLVABLE, "cannot allocate all claims");
}

const struct sched_plugin sched_dynamic_resources = {
        .name = "DynamicResources",
        .prepare = prepare_devices,
};
