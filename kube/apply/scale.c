#include "kube/apply/scale.h"

#include <errno.h>
#include <string.h>

#include "kube/apply/managers.h"
#include "lib/arena.h"
#include "lib/err.h"

#define SCALE_VERSION "autoscaling/v1"
#define SCALE_PATH "spec.replicas"

static const struct apply_replicas *of_version(const struct apply_replicas *replicas, const char *version) {
        for (; replicas->version; replicas++)
                if (strcmp(replicas->version, version) == 0)
                        return replicas;
        return NULL;
}

/* The set of @path alone. NULL without memory. */
static const struct apply_set *set_of(struct arena *arena, const char *path) {
        const size_t length = strcspn(path, ".");
        struct apply_builder b = { .arena = arena };
        struct apply_step step = { .kind = APPLY_STEP_FIELD };
        const struct apply_set *below = NULL;

        step.name = arena_strndup(arena, path, length);
        if (path[length] != '\0')
                below = set_of(arena, path + length + 1);
        if (!step.name || (path[length] != '\0' && !below))
                return NULL;
        apply_builder_add(&b, &step, path[length] == '\0', below);
        return apply_builder_below(&b, &below) < 0 ? NULL : below;
}

static int no_memory(struct err **err) {
        return err_set(err, ENOMEM, "out of memory");
}

int apply_scale_entries(struct arena *arena, const struct apply_scaled *object, struct value *ret_entries,
                        struct err **err) {
        const struct apply_set *own = set_of(arena, SCALE_PATH);
        struct apply_managers managers;
        uint32_t n = 0;
        int r = apply_managers_read(arena, object->entries, &managers, err);

        if (r < 0)
                return r;
        for (uint32_t i = 0; i < managers.count; i++) {
                struct apply_manager *manager = &managers.items[i];
                const struct apply_replicas *at = of_version(object->replicas, manager->version);
                const struct apply_set *path = at && at->path ? set_of(arena, at->path) : NULL;

                if (at && at->path && !path)
                        return no_memory(err);
                if (!path || !apply_set_within(path, manager->set))
                        continue;
                managers.items[n] = *manager;
                managers.items[n].version = SCALE_VERSION;
                managers.items[n++].set = own;
        }
        managers.count = n;
        return own && apply_managers_write(&managers, ret_entries) == 0 ? 0 : no_memory(err);
}

/* ---- back ---- */

/* What becomes of the object's own @manager; its set is empty when it goes. */
static int keep(struct apply_managers *scale, const struct apply_replicas *at, struct apply_manager *manager) {
        const struct apply_set *path = at->path ? set_of(scale->arena, at->path) : NULL;

        if (at->path && !path)
                return -ENOMEM;
        if (!path || !apply_set_within(path, manager->set))
                return 0;
        if (apply_managers_find(scale, manager)) {
                apply_managers_drop(scale, manager);
                return 0;
        }
        manager->set = apply_set_difference(scale->arena, manager->set, path);
        return manager->set ? 0 : -ENOMEM;
}

static int keep_all(struct apply_managers *own, struct apply_managers *scale, const struct apply_replicas *replicas) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < own->count; i++) {
                struct apply_manager manager = own->items[i];
                const struct apply_replicas *at = of_version(replicas, manager.version);

                if (!at)
                        continue;
                if (keep(scale, at, &manager) < 0)
                        return -ENOMEM;
                own->items[n] = manager;
                n += !apply_set_empty(manager.set);
        }
        own->count = n;
        return 0;
}

/* Those that own the replicas of @scale alone: in the place of the same, with the time that one had @before. Owners
 * that update are not the same, since their versions differ, and get none. */
static int add(struct apply_managers *own, const struct apply_managers *scale, const struct apply_managers *before,
               const struct apply_set *path, const char *version) {
        const struct apply_set *replicas = set_of(own->arena, SCALE_PATH);
        struct apply_manager *items =
                arena_alloc_array(own->arena, (size_t)own->count + scale->count + 1, sizeof(*items));

        if (!items || !replicas)
                return -ENOMEM;
        for (uint32_t i = 0; i < scale->count; i++)
                if (apply_set_within(replicas, scale->items[i].set))
                        apply_managers_drop(own, &scale->items[i]);
        if (own->count > 0)
                memcpy(items, own->items, own->count * sizeof(*items));
        own->items = items;
        for (uint32_t i = 0; i < scale->count; i++) {
                struct apply_manager manager = scale->items[i];
                const struct apply_manager *same = apply_managers_find(before, &manager);

                if (!apply_set_within(replicas, manager.set))
                        continue;
                manager.version = version;
                manager.set = path;
                manager.time = same ? same->time : NULL;
                manager.seconds = same ? same->seconds : 0;
                own->items[own->count++] = manager;
        }
        own->room = own->count;
        return 0;
}

int apply_scale_merge(struct arena *arena, const struct apply_scaled *object, const struct value *scale,
                      struct value *ret_entries, struct err **err) {
        const struct apply_replicas *at = of_version(object->replicas, object->version);
        const struct apply_set *path = &apply_set_none;
        struct apply_managers own, before, others;
        int r = apply_managers_read(arena, object->entries, &own, err);

        if (r < 0 || (r = apply_managers_read(arena, scale, &others, err)) < 0)
                return r;
        if (at && at->path)
                path = set_of(arena, at->path);
        if (!path || apply_managers_copy(&own, &before) < 0 || keep_all(&own, &others, object->replicas) < 0 ||
            add(&own, &others, &before, path, object->version) < 0 || apply_managers_write(&own, ret_entries) < 0)
                return no_memory(err);
        return 0;
}
