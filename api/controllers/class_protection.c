/* VolumeAttributesClasses do not go while a claim or a volume names them
 * (pkg/controller/volume/vacprotection/vac_protection_controller.go). */
#include <string.h>

#include "api/controllers/kinds.h"
#include "api/controllers/protection.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/value.h"

#define FINALIZER "kubernetes.io/vac-protection"

enum { CLASSES, CLAIMS, VOLUMES };

/* Where a claim, or a volume, names a class. */
static const char *const places[] = {
        "spec.volumeAttributesClassName",
        "status.currentVolumeAttributesClassName",
        "status.modifyVolumeStatus.targetVolumeAttributesClassName",
};

/* Whether the bytes could name one at all: most objects do not. */
static bool may_name(const struct client_object *object) {
        static const char mark[] = "olumeAttributesClassName\"";

        return memmem(object->json->data, object->json->size, mark, sizeof(mark) - 1);
}

/* What cannot be read may name it. */
static bool names(const struct client_object *object, const char *class) {
        _cleanup_arena_ struct arena *arena = NULL;
        const struct value *tree;

        if (!may_name(object))
                return false;
        if (!(arena = arena_new()) || client_object_tree(arena, object, &tree) < 0)
                return true;
        for (unsigned i = 0; i < ELEMENTS(places); i++)
                if (strcmp(value_string_or(value_find(tree, places[i]), ""), class) == 0)
                        return true;
        return false;
}

static bool is_used(struct task *task, unsigned watch) {
        const struct informer *informer = controller_informer(task_controller(task), watch);

        for (struct informer_walk w = informer_first(informer, NULL); w.object; informer_next(&w))
                if (names(w.object, task_name(task)))
                        return true;
        return false;
}

static int reconcile(struct task *task) {
        const struct value *tree = protection_take(task);
        bool held = tree && protection_place(tree, FINALIZER) >= 0;

        if (!tree || protection_goes(tree) != held)
                return 0;
        if (!held)
                return protection_add(task, tree, FINALIZER);
        return is_used(task, CLAIMS) || is_used(task, VOLUMES) ? 0 : protection_drop(task, tree, FINALIZER);
}

/* What named a class before may have been the last. */
static void add_named(struct controller *controller, const struct client_object *object,
                      const struct client_object *old) {
        _cleanup_arena_ struct arena *arena = NULL;
        const struct value *tree;

        if (!old || !may_name(old) || !(arena = arena_new()) || client_object_tree(arena, old, &tree) < 0)
                return;
        for (unsigned i = 0; i < ELEMENTS(places); i++) {
                const char *name = value_string_or(value_find(tree, places[i]), "");

                if (*name && strlen(name) < CONTROLLER_KEY_MAX)
                        controller_add(controller, name);
        }
}

const struct controller_kind controller_class_protection = {
        .name = "volumeattributesclass-protection-controller",
        .alias = "volumeattributesclass-protection",
        .account = "volumeattributesclass-protection-controller",
        .watches = { [CLASSES] = { "storage.k8s.io", "volumeattributesclasses", NULL, controller_add_object,
                                   .passes = false },
                     [CLAIMS] = { "", "persistentvolumeclaims", NULL, add_named, .passes = false },
                     [VOLUMES] = { "", "persistentvolumes", NULL, add_named, .passes = false } },
        .reconcile = reconcile,
};
