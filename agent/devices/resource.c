/* Resources that plugins have: their devices, and how many of them are well. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/devices/internal.h"
#include "agent/node/keeper.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define HEALTHY "Healthy"

struct resource *resource_find(const struct devices *d, const char *name) {
        LIST_EACH (resources, r, &d->resources)
                if (strcmp(r->name, name) == 0)
                        return r;
        return NULL;
}

static bool is_over(const struct resource *r, uint64_t now) {
        return !r->plugin && now - r->gone_at >= DEVICES_GONE_MS;
}

static bool is_held(const struct devices *d, const struct resource *r) {
        LIST_EACH (holders, h, &d->holders)
                LIST_EACH (grants, g, &h->grants)
                        if (strcmp(g->resource, r->name) == 0)
                                return true;
        return false;
}

/* Makes room by one that counts as nothing any more, and that no pod has. The Node goes on saying that there is none.
 */
static bool forget_one(struct devices *d) {
        LIST_EACH (resources, r, &d->resources)
                if (is_over(r, uv_now(d->world.loop)) && !is_held(d, r)) {
                        resources_remove(r);
                        resource_free(r);
                        d->n_resources--;
                        return true;
                }
        return false;
}

struct resource *resource_make(struct devices *d, const char *name, struct err **err) {
        struct resource *r = resource_find(d, name);

        if (r)
                return r;
        if (d->n_resources == DEVICES_PLUGINS_MAX && !forget_one(d)) {
                err_set(err, ENOSPC, "%d resources have device plugins already, the most that there may be",
                        DEVICES_PLUGINS_MAX);
                return NULL;
        }
        if (!(r = calloc(1, sizeof(*r) + strlen(name) + 1))) {
                err_set(err, ENOMEM, "out of memory");
                return NULL;
        }
        strcpy(r->name, name);
        r->gone_at = uv_now(d->world.loop);
        resources_append(&d->resources, r);
        d->n_resources++;
        return r;
}

void resource_free(struct resource *r) {
        arena_free(r->list.arena);
        free(r);
}

/* -- its devices ------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b) {
        return strcmp(((const struct device *)a)->id, ((const struct device *)b)->id);
}

const struct device *resource_device(const struct resource *r, const char *id) {
        const struct device key = { .id = id };

        return r->list.n ? bsearch(&key, r->list.items, r->list.n, sizeof(key), by_id) : NULL;
}

/* Those of one name as they were told: qsort(3) alone says nothing of their order. */
static int by_id_and_order(const void *a, const void *b) {
        const struct device *one = a, *other = b;
        int order = by_id(a, b);

        return order ? order : (one->order > other->order) - (one->order < other->order);
}

/* The last one of a name counts, as in kubelet's map. */
static void sort(struct device_list *list) {
        size_t n = 0;

        qsort(list->items, list->n, sizeof(*list->items), by_id_and_order);
        for (size_t i = 0; i < list->n; i++) {
                if (n > 0 && strcmp(list->items[n - 1].id, list->items[i].id) == 0)
                        n--;
                list->items[n++] = list->items[i];
        }
        list->n = n;
        list->n_healthy = 0;
        for (size_t i = 0; i < n; i++)
                list->n_healthy += list->items[i].healthy;
}

static int copy(const Devices__DeviceList *told, struct device_list *list, size_t *ret_bad) {
        list->items = arena_alloc_array(list->arena, told->n_devices + 1, sizeof(*list->items));
        if (!list->items)
                return -ENOMEM;
        for (size_t i = 0; i < told->n_devices; i++) {
                const Devices__Device *one = told->devices[i];
                bool placed = one->topology && one->topology->n_nodes > 0;
                struct device *d = &list->items[list->n];

                if (!one->id[0] || strlen(one->id) > DEVICES_ID_MAX) {
                        (*ret_bad)++;
                        continue;
                }
                if (!(d->id = arena_strdup(list->arena, one->id)))
                        return -ENOMEM;
                d->healthy = strcmp(one->health, HEALTHY) == 0;
                d->numa_node = placed ? one->topology->nodes[0]->id : -1;
                d->order = (uint32_t)i;
                list->n++;
        }
        return 0;
}

static bool health_differs(const struct resource *r, const struct device_list *before, const char *id) {
        const struct device key = { .id = id }, *now = resource_device(r, id),
                            *then = before->n ? bsearch(&key, before->items, before->n, sizeof(key), by_id) : NULL;

        return (now && now->healthy) != (then && then->healthy) || !now != !then;
}

/* Pods that have devices of it whose health is another than it was. */
static void tell_holders(const struct resource *r, struct devices *d, const struct device_list *before) {
        LIST_EACH (holders, h, &d->holders) {
                bool differs = false;

                LIST_EACH (grants, g, &h->grants)
                        for (size_t i = 0; strcmp(g->resource, r->name) == 0 && i < g->n && !differs; i++)
                                differs = health_differs(r, before, g->ids[i]);
                if (differs)
                        d->world.told(d->world.data, h->uid);
        }
}

int resource_set(struct resource *r, struct devices *d, const Devices__DeviceList *told, struct err **err) {
        struct device_list list = { .arena = NULL }, before = r->list;
        size_t bad = 0;

        if (told->n_devices > DEVICES_OF_PLUGIN_MAX)
                return err_set(err, E2BIG, "%zu devices are more than %d", told->n_devices, DEVICES_OF_PLUGIN_MAX);
        if (!(list.arena = arena_new()) || copy(told, &list, &bad) < 0) {
                arena_free(list.arena);
                return err_set(err, ENOMEM, "out of memory");
        }
        sort(&list);
        if (bad)
                log_warning("device plugin of %s: %zu devices are left out: a device's ID has 1 to %d bytes", r->name,
                            bad, DEVICES_ID_MAX);
        r->list = list;
        tell_holders(r, d, &before);
        arena_free(before.arena);
        d->world.changed(d->world.data);
        return 0;
}

/* -- without a plugin -------------------------------------------------------------------------------------- */

static void on_gone(uv_timer_t *timer) {
        struct devices *d = timer->data;

        d->world.changed(d->world.data);
        resource_watch_gone(d);
}

void resource_watch_gone(struct devices *d) {
        uint64_t now = uv_now(d->world.loop), next = UINT64_MAX;

        LIST_EACH (resources, r, &d->resources)
                if (!r->plugin && !is_over(r, now) && r->gone_at + DEVICES_GONE_MS < next)
                        next = r->gone_at + DEVICES_GONE_MS;
        if (next != UINT64_MAX)
                uv_timer_start(d->gone, on_gone, next - now, 0);
}

void resource_lost(struct resource *r, struct devices *d) {
        r->plugin = NULL;
        r->gone_at = uv_now(d->world.loop);
        for (size_t i = 0; i < r->list.n; i++)
                r->list.items[i].healthy = false;
        r->list.n_healthy = 0;
        resource_watch_gone(d);
        LIST_EACH (holders, h, &d->holders) {
                bool has = false;

                LIST_EACH (grants, g, &h->grants)
                        has |= strcmp(g->resource, r->name) == 0;
                if (has)
                        d->world.told(d->world.data, h->uid);
        }
        d->world.changed(d->world.data);
}

/* -- amounts ----------------------------------------------------------------------------------------------- */

int64_t devices_healthy(const struct devices *d, const char *name) {
        const struct resource *r = resource_find(d, name);

        return r ? (int64_t)r->list.n_healthy : -1;
}

static int append(struct arena *arena, resource_list *list, size_t more) {
        struct resource_amount *items = arena_alloc_array(arena, list->count + more, sizeof(*items));

        if (!items)
                return -ENOMEM;
        if (list->count)
                memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        return 0;
}

void resource_take(struct resource *r, struct plugin *p) {
        struct devices *d = p->devices;
        bool is_named = r->recorded && !is_over(r, uv_now(d->world.loop));

        r->plugin = p;
        r->recorded = true;
        if (!is_named)
                r->generation = keeper_changed(d->keeper);
}

/* Written or not: a disk that is full takes nobody's devices. */
void resource_written(struct devices *d, uint64_t generation) {
        bool any = false;

        LIST_EACH (resources, r, &d->resources)
                if (r->generation && r->generation <= generation) {
                        r->generation = 0;
                        any = true;
                }
        if (any)
                d->world.changed(d->world.data);
}

/* What the record does not name yet is not told: an agent that began anew then would take the Node's word for it, as
 * for amounts that were declared, and pods would run without their devices until the plugin comes back. */
int devices_capacity(const struct devices *d, struct arena *arena, resource_list *capacity,
                     resource_list *allocatable) {
        uint64_t now = uv_now(d->world.loop);

        if (d->n_resources == 0)
                return 0;
        if (append(arena, capacity, d->n_resources) < 0 || append(arena, allocatable, d->n_resources) < 0)
                return -ENOMEM;
        LIST_EACH (resources, r, &d->resources) {
                int64_t all = is_over(r, now) ? 0 : (int64_t)r->list.n;
                const char *name = arena_strdup(arena, r->name);

                if (r->generation)
                        continue;
                if (!name)
                        return -ENOMEM;
                capacity->items[capacity->count++] =
                        (struct resource_amount){ name, quantity_from_units(all, QUANTITY_DECIMAL) };
                allocatable->items[allocatable->count++] =
                        (struct resource_amount){ name,
                                                  quantity_from_units((int64_t)r->list.n_healthy, QUANTITY_DECIMAL) };
        }
        return 0;
}

int devices_each_healthy(const struct devices *d, void (*each)(void *data, const struct devices_held *held),
                         void *data) {
        LIST_EACH (resources, r, &d->resources) {
                _cleanup_free_ const char **ids = calloc(r->list.n + 1, sizeof(*ids));
                _cleanup_free_ int64_t *nodes = calloc(r->list.n + 1, sizeof(*nodes));
                size_t n = 0;

                if (!ids || !nodes)
                        return -ENOMEM;
                for (size_t i = 0; i < r->list.n; i++) {
                        if (!r->list.items[i].healthy)
                                continue;
                        ids[n] = r->list.items[i].id;
                        nodes[n++] = r->list.items[i].numa_node;
                }
                if (n)
                        each(data, &(struct devices_held){ r->name, ids, nodes, n });
        }
        return 0;
}
