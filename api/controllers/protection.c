#include "api/controllers/protection.h"

#include <errno.h>
#include <string.h>

#include "api/controllers/kinds.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define VOLUME_FINALIZER "kubernetes.io/pv-protection"
#define CLAIM_FINALIZER "kubernetes.io/pvc-protection"
#define VOLUMES_MAX 1024 /* of a pod that are looked at */

const struct value *protection_take(struct task *task) {
        const struct client_object *object =
                informer_find(controller_informer(task_controller(task), 0), task_namespace(task), task_name(task));
        const struct value *tree;

        return object && client_object_tree(task_arena(task), object, &tree) == 0 ? tree : NULL;
}

int64_t protection_place(const struct value *tree, const char *finalizer) {
        const struct value *all = value_find(tree, "metadata.finalizers");

        for (uint32_t i = 0; i < value_count(all); i++)
                if (strcmp(value_string_or(value_at(all, i), ""), finalizer) == 0)
                        return i;
        return -1;
}

bool protection_goes(const struct value *tree) {
        return value_find(tree, "metadata.deletionTimestamp");
}

static int write_edit(struct task *task, struct value_edit *edit, int error) {
        const struct value *tree = value_edit_end(edit);

        if (error < 0 || !tree)
                return error ?: -ENOMEM;
        task_write_tree(task, KUBE_VERB_UPDATE, informer_kind(controller_informer(task_controller(task), 0)), NULL,
                        tree, TASK_GONE_IS_FINE);
        return 0;
}

int protection_add(struct task *task, const struct value *tree, const char *finalizer) {
        struct value *one = arena_new_of(task_arena(task), struct value);
        bool any = value_find(tree, "metadata.finalizers");
        struct value_edit edit;

        if (!one)
                return -ENOMEM;
        *one = (struct value)VALUE_TEXT(finalizer);
        value_edit_begin(&edit, task_arena(task), tree);
        return write_edit(task, &edit,
                          value_edit_set(&edit, any ? "/metadata/finalizers/-" : "/metadata/finalizers",
                                         any ? one : &(struct value){ .kind = VALUE_LIST, .count = 1, .items = one },
                                         NULL));
}

int protection_drop(struct task *task, const struct value *tree, const char *finalizer) {
        const char *pointer =
                arena_printf(task_arena(task), "/metadata/finalizers/%u", (unsigned)protection_place(tree, finalizer));
        struct value_edit edit;

        if (!pointer)
                return -ENOMEM;
        value_edit_begin(&edit, task_arena(task), tree);
        return write_edit(task, &edit, value_edit_remove(&edit, pointer, NULL));
}

/* --- volumes: in use while they are bound --- */

static int reconcile_volume(struct task *task) {
        const struct value *tree = protection_take(task);
        bool held = protection_place(tree, VOLUME_FINALIZER) >= 0;

        if (!tree || protection_goes(tree) != held)
                return 0;
        if (!held)
                return protection_add(task, tree, VOLUME_FINALIZER);
        if (strcmp(value_string_or(value_find(tree, "status.phase"), ""), "Bound") == 0)
                return 0;
        return protection_drop(task, tree, VOLUME_FINALIZER);
}

const struct controller_kind controller_volume_protection = {
        .name = "persistentvolume-protection-controller",
        .alias = "pv-protection",
        .account = "pv-protection-controller",
        .watches = { { "", "persistentvolumes", NULL, controller_add_object, .passes = false } },
        .reconcile = reconcile_volume,
};

/* --- claims: in use while a pod that is on a node has them --- */

struct claim {
        const struct value *tree;
        bool used;
};

static const char *claim_of(struct arena *arena, const struct value *pod, const struct value *volume) {
        const char *name = value_string(value_find(volume, "persistentVolumeClaim.claimName"));

        if (name || !value_get(volume, "ephemeral"))
                return name;
        return arena_printf(arena, "%s-%s", value_string_or(value_find(pod, "metadata.name"), ""),
                            value_string_or(value_get(volume, "name"), ""));
}

/* A volume of the pod's own counts while the pod does. */
static bool is_shut_down(const struct value *pod) {
        int64_t grace = -1;

        value_integer(value_find(pod, "metadata.deletionGracePeriodSeconds"), &grace);
        return protection_goes(pod) && grace == 0;
}

static void on_pod(struct task *task, const struct kube_kind *kind, struct client_object *object) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct claim *claim = task_data(task);
        const struct value *pod, *volumes;

        /* What cannot be read may use it. */
        if (!arena || client_object_tree(arena, object, &pod) < 0) {
                claim->used = true;
                return;
        }
        if (!*value_string_or(value_find(pod, "spec.nodeName"), ""))
                return;
        volumes = value_find(pod, "spec.volumes");
        for (uint32_t i = 0; i < value_count(volumes); i++) {
                const struct value *volume = value_at(volumes, i);
                const char *name = claim_of(arena, pod, volume);

                if (name && strcmp(name, task_name(task)) == 0 &&
                    !(value_get(volume, "ephemeral") && is_shut_down(pod)))
                        claim->used = true;
        }
}

static int end_claim(struct task *task) {
        const struct claim *claim = task_data(task);

        return claim->used ? 0 : protection_drop(task, claim->tree, CLAIM_FINALIZER);
}

static int reconcile_claim(struct task *task) {
        const struct client_scope pods = { .kind = controller_kind_of(task_controller(task), "", "pods"),
                                           .namespace = task_namespace(task) };
        struct claim *claim = arena_new_of(task_arena(task), struct claim);
        const struct value *tree = protection_take(task);
        bool held = protection_place(tree, CLAIM_FINALIZER) >= 0;

        if (!claim)
                return -ENOMEM;
        if (!tree || protection_goes(tree) != held)
                return 0;
        if (!held)
                return protection_add(task, tree, CLAIM_FINALIZER);
        claim->tree = tree;
        task_set_data(task, claim);
        task_list(task, &pods, on_pod);
        task_then(task, end_claim);
        return 0;
}

/* A pod's change may be the end of its use of claims. */
static void add_claims(struct controller *controller, const struct client_object *object,
                       const struct client_object *old) {
        static const char mark[] = "\"claimName\":", own[] = "\"ephemeral\":{";
        _cleanup_arena_ struct arena *arena = NULL;
        const struct value *pod, *volumes;

        if (!memmem(object->json->data, object->json->size, mark, sizeof(mark) - 1) &&
            !memmem(object->json->data, object->json->size, own, sizeof(own) - 1))
                return;
        arena = arena_new();
        if (!arena || client_object_tree(arena, object, &pod) < 0)
                return;
        volumes = value_find(pod, "spec.volumes");
        for (uint32_t i = 0; i < value_count(volumes) && i < VOLUMES_MAX; i++) {
                const char *name = claim_of(arena, pod, value_at(volumes, i)),
                           *key = name ? arena_printf(arena, "%s/%s", object->namespace, name) : NULL;

                if (key && strlen(key) < CONTROLLER_KEY_MAX)
                        controller_add(controller, key);
        }
}

const struct controller_kind controller_claim_protection = {
        .name = "persistentvolumeclaim-protection-controller",
        .alias = "pvc-protection",
        .account = "pvc-protection-controller",
        .watches = { { "", "persistentvolumeclaims", NULL, controller_add_object, .passes = false },
                     { "", "pods", NULL, add_claims, .passes = true } },
        .reconcile = reconcile_claim,
};
