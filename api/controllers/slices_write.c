/* How EndpointSlices are written, whoever puts them together. */
#include <errno.h>

#include "api/controllers/claim.h"
#include "api/controllers/slices.h"
#include "kube/kinds.h"
#include "lib/arena.h"

static int own(struct arena *arena, const struct slices_owner *owner, struct kube_owner_reference *reference,
               struct kube_object_meta *metadata) {
        if (!claim_reference(arena, known_kind(owner->kind), owner->object, reference))
                return -ENOMEM;
        metadata->generate_name = arena_printf(arena, "%s-", owner->object->name);
        metadata->namespace = owner->object->namespace;
        metadata->owner_references.items = reference;
        metadata->owner_references.count = 1;
        return metadata->generate_name ? 0 : -ENOMEM;
}

int slices_write(struct task *task, const struct slices_owner *owner, const struct known_object *there,
                 const slice *before, const slice *content) {
        struct task_change change = { .known = owner->slices,
                                      .verb = there ? KUBE_VERB_UPDATE : KUBE_VERB_CREATE,
                                      .namespace = task_namespace(task),
                                      .name = there ? there->name : NULL,
                                      .fine = owner->fine,
                                      .answered = there ? owner->written : owner->made };
        struct kube_owner_reference reference;
        slice s = *content;
        int r = 0;

        s.kind = "EndpointSlice";
        s.api_version = "discovery.k8s.io/v1";
        s.metadata = there ? before->metadata : (struct kube_object_meta){ 0 };
        if (!there && (r = own(task_arena(task), owner, &reference, &s.metadata)) < 0)
                return r;
        s.metadata.labels = content->metadata.labels;
        s.metadata.annotations = content->metadata.annotations;
        change.object = &s;
        task_change(task, &change);
        return 0;
}

void slices_remove(struct task *task, struct known *slices, const struct known_object *object) {
        const struct task_removal removal = {
                .kind = known_kind(slices), .namespace = object->namespace, .name = object->name, .uid = object->uid
        };

        known_leave(slices, object->namespace, object->name, object->uid);
        task_remove(task, &removal);
}

void slices_on_slice(struct controller *controller, unsigned watch, const char *manager) {
        const struct known_change change = known_change(controller_known(controller, watch));
        const struct known_object *any = change.now ?: change.before;
        const char *service = any ? known_label(any, SLICES_SERVICE) : NULL;

        if (service && kube_is(known_label(any, SLICES_MANAGED_BY), manager))
                controller_add_named(controller, any->namespace, service, 0);
}
