/* What a container gets with its devices, of all resources together (devicemanager/pod_devices.go,
 * deviceRunContainerOptions()), and what its status says of them. */
#include <errno.h>
#include <string.h>

#include "agent/devices/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

int grant_check(const Devices__Given *given, struct err **err) {
        size_t size = devices__given__get_packed_size(given),
               n = given->n_envs + given->n_mounts + given->n_devices + given->n_annotations + given->n_cdi_devices;

        if (size > DEVICES_GIVEN_MAX)
                return err_set(err, E2BIG, "allocation response of %zu bytes is larger than %u", size,
                               DEVICES_GIVEN_MAX);
        if (n > DEVICES_GIVEN_ITEMS_MAX)
                return err_set(err, E2BIG,
                               "allocation response has %zu variables, mounts, devices and annotations, more than %d",
                               n, DEVICES_GIVEN_ITEMS_MAX);
        return 0;
}

/* Room for @more elements of @size behind the @n that are there; NULL without memory. */
static void *grow(struct arena *arena, const void *items, size_t n, size_t more, size_t size) {
        void *new = arena_alloc_array(arena, n + more + 1, size);

        if (new &&n)
                memcpy(new, items, n * size);
        return new;
}

static bool has_key(const string_map *map, const char *key) {
        list_for_each (pair, map)
                if (strcmp(pair->key, key) == 0)
                        return true;
        return false;
}

static void add_pair(string_map *map, const char *key, const char *value) {
        if (!has_key(map, key))
                map->items[map->count++] = (struct string_pair){ key, value };
}

static int add_pairs(struct arena *arena, const Devices__Given *given, struct node_grant *grant) {
        grant->environment.items = grow(arena, grant->environment.items, grant->environment.count, given->n_envs,
                                        sizeof(struct string_pair));
        grant->annotations.items = grow(arena, grant->annotations.items, grant->annotations.count, given->n_annotations,
                                        sizeof(struct string_pair));
        if (!grant->environment.items || !grant->annotations.items)
                return -ENOMEM;
        for (size_t i = 0; i < given->n_envs; i++)
                add_pair(&grant->environment, given->envs[i]->key, given->envs[i]->value);
        for (size_t i = 0; i < given->n_annotations; i++)
                add_pair(&grant->annotations, given->annotations[i]->key, given->annotations[i]->value);
        return 0;
}

static int add_mounts(struct arena *arena, const Devices__Given *given, struct node_grant *grant) {
        if (!(grant->mounts = grow(arena, grant->mounts, grant->n_mounts, given->n_mounts, sizeof(*grant->mounts))))
                return -ENOMEM;
        for (size_t i = 0; i < given->n_mounts; i++) {
                const Devices__Mount *m = given->mounts[i];
                bool there = false;

                for (size_t k = 0; k < grant->n_mounts; k++)
                        there |= strcmp(grant->mounts[k].container, m->container_path) == 0;
                if (!there)
                        grant->mounts[grant->n_mounts++] =
                                (struct node_mount){ m->host_path, m->container_path, m->read_only };
        }
        return 0;
}

static int add_nodes(struct arena *arena, const Devices__Given *given, struct node_grant *grant) {
        grant->devices = grow(arena, grant->devices, grant->n_devices, given->n_devices, sizeof(*grant->devices));
        if (!grant->devices)
                return -ENOMEM;
        for (size_t i = 0; i < given->n_devices; i++) {
                const Devices__Node *n = given->devices[i];
                bool there = false;

                for (size_t k = 0; k < grant->n_devices; k++)
                        there |= strcmp(grant->devices[k].container, n->container_path) == 0;
                if (!there)
                        grant->devices[grant->n_devices++] =
                                (struct node_device){ n->host_path, n->container_path, n->permissions };
        }
        return 0;
}

static int add_cdi(struct arena *arena, const Devices__Given *given, struct node_grant *grant) {
        string_list *list = &grant->cdi_devices;

        if (!(list->items = grow(arena, list->items, list->count, given->n_cdi_devices, sizeof(*list->items))))
                return -ENOMEM;
        for (size_t i = 0; i < given->n_cdi_devices; i++) {
                const char *name = given->cdi_devices[i]->name;
                bool there = false;

                list_for_each (one, list)
                        there |= strcmp(*one, name) == 0;
                if (!there)
                        list->items[list->count++] = name;
        }
        return 0;
}

static int add(struct arena *arena, const struct grant *g, struct node_grant *grant, struct err **err) {
        ProtobufCMessage *message;
        const Devices__Given *given;
        int r = grpc_unpack_into(arena, &devices__given__descriptor, g->given, g->given_size, &message);

        if (r == -ENOMEM)
                return err_set(err, ENOMEM, "out of memory");
        if (r < 0)
                return err_set(err, EBADMSG, "what the device plugin of %s gave the container cannot be read",
                               g->resource);
        given = (const Devices__Given *)message;
        if (add_pairs(arena, given, grant) < 0 || add_mounts(arena, given, grant) < 0 ||
            add_nodes(arena, given, grant) < 0 || add_cdi(arena, given, grant) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}

int devices_grant(const struct devices *d, const char *uid, const char *container, struct arena *arena,
                  struct node_grant *grant, struct err **err) {
        const struct device_holder *h = holder_find(d, uid);

        if (!h)
                return 0;
        LIST_EACH (grants, g, &h->grants) {
                int r = strcmp(g->container, container) == 0 ? add(arena, g, grant, err) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

/* -- status ------------------------------------------------------------------------------------------------ */

/* A device that its plugin does not list any more counts as it did: "Healthy", unless there is no plugin. */
static bool is_healthy(const struct resource *r, const char *id) {
        const struct device *device = r ? resource_device(r, id) : NULL;

        return device ? device->healthy : r && r->plugin;
}

static int describe(const struct devices *d, const struct grant *g, struct arena *arena,
                    struct kube_resource_status *ret) {
        const struct resource *r = resource_find(d, g->resource);
        kube_resource_health_items *list = &ret->resources;

        if (!(ret->name = arena_strdup(arena, g->resource)) ||
            !(list->items = arena_alloc_array(arena, g->n + 1, sizeof(*list->items))))
                return -ENOMEM;
        for (size_t i = 0; i < g->n; i++) {
                struct kube_resource_health *health = &list->items[list->count];

                if (!(health->resource_id = arena_strdup(arena, g->ids[i])))
                        return -ENOMEM;
                health->health = is_healthy(r, g->ids[i]) ? "Healthy" : "Unhealthy";
                list->count++;
        }
        return 0;
}

int devices_status(const struct devices *d, const char *uid, const char *container, struct arena *arena,
                   kube_resource_status_items *ret_status) {
        const struct device_holder *h = holder_find(d, uid);
        size_t n = 0;

        *ret_status = (kube_resource_status_items){ 0 };
        if (!h)
                return 0;
        LIST_EACH (grants, g, &h->grants)
                n += strcmp(g->container, container) == 0;
        if (n == 0)
                return 0;
        if (!(ret_status->items = arena_alloc_array(arena, n, sizeof(*ret_status->items))))
                return -ENOMEM;
        LIST_EACH (grants, g, &h->grants)
                if (strcmp(g->container, container) == 0 &&
                    describe(d, g, arena, &ret_status->items[ret_status->count++]) < 0)
                        return -ENOMEM;
        return 0;
}
