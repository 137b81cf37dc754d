/* Which devices a container gets: what init containers before it had first, then what is free, by their plugin's wish
 * where it has one (devicemanager/manager.go, devicesToAllocate()). */
#include <errno.h>
#include <string.h>

#include "agent/devices/internal.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* A mark for each device of the resource. */
static bool *new_marks(const struct devices_request *q, const struct resource *r) {
        return arena_alloc_array(q->arena, r->list.n + 1, sizeof(bool));
}

static void mark(const struct resource *r, bool *marks, const char *id, bool value) {
        const struct device *d = resource_device(r, id);

        if (d)
                marks[d - r->list.items] = value;
}

static void mark_used(const struct devices_request *q, const struct resource *r, bool *used) {
        LIST_EACH (holders, h, &q->devices->holders)
                LIST_EACH (grants, g, &h->grants)
                        for (size_t i = 0; strcmp(g->resource, r->name) == 0 && i < g->n; i++)
                                mark(r, used, g->ids[i], true);
        LIST_EACH (requests, other, &q->devices->requests)
                for (size_t i = 0; other->resource && strcmp(other->resource, r->name) == 0 && i < other->n_ids; i++)
                        mark(r, used, other->ids[i], true);
}

static void mark_granted(const struct devices_request *q, const struct resource *r, bool *marks, const char *container,
                         bool value) {
        const struct grant *g = grant_find(q->devices, q->pod->metadata.uid, container, r->name);

        for (size_t i = 0; g && i < g->n; i++)
                mark(r, marks, g->ids[i], value);
}

/* Init containers end before those after them begin; sidecars go on. */
static void mark_reusable(const struct devices_request *q, const struct resource *r, bool *reusable) {
        const struct kube_pod_spec *spec = &q->pod->spec;

        for (size_t i = 0; i < q->container; i++) {
                bool is_init = i < spec->init_containers.count;
                const struct kube_container *c = is_init ? &spec->init_containers.items[i] :
                                                           &spec->containers.items[i - spec->init_containers.count];

                mark_granted(q, r, reusable, c->name, is_init && !pod_container_is_sidecar(c));
        }
}

/* Takes the device at @i, which is marked, as long as some are needed. -ENOMEM. */
static int take(struct devices_request *q, const struct resource *r, bool *marks, size_t i) {
        const char *id;

        if (q->n_ids == q->needed)
                return 0;
        if (!(id = arena_strdup(q->arena, r->list.items[i].id))) /* the list may be another soon */
                return -ENOMEM;
        q->ids[q->n_ids++] = id;
        marks[i] = false;
        return 0;
}

static int take_marked(struct devices_request *q, const struct resource *r, bool *marks) {
        for (size_t i = 0; i < r->list.n; i++)
                if (marks[i] && take(q, r, marks, i) < 0)
                        return -ENOMEM;
        return 0;
}

/* Healthy, and nobody's: those that @q has by now are its own. */
static bool *find_free(const struct devices_request *q, const struct resource *r, size_t *ret_n) {
        bool *marks = new_marks(q, r);

        if (!marks)
                return NULL;
        mark_used(q, r, marks);
        *ret_n = 0;
        for (size_t i = 0; i < r->list.n; i++) {
                marks[i] = r->list.items[i].healthy && !marks[i];
                *ret_n += marks[i];
        }
        return marks;
}

static int list_available(struct devices_request *q, const struct resource *r, const bool *free_ones,
                          struct device_names *ret) {
        struct device_names names = { arena_alloc_array(q->arena, r->list.n + q->n_ids + 1, sizeof(*names.ids)), 0 };

        if (!names.ids)
                return -ENOMEM;
        for (size_t i = 0; i < q->n_ids; i++)
                names.ids[names.n++] = q->ids[i];
        for (size_t i = 0; i < r->list.n; i++)
                if (free_ones[i])
                        names.ids[names.n++] = r->list.items[i].id;
        *ret = names;
        return 0;
}

static int check_free(const struct devices_request *q, const struct resource *r, size_t n_free, struct err **err) {
        size_t needed = q->needed - q->n_ids;

        if (n_free >= needed)
                return 0;
        return err_set(err, EBUSY, "requested number of devices unavailable for %s. Requested: %zu, Available: %zu",
                       r->name, needed, n_free);
}

int choose_devices(struct devices_request *q, struct device_names *ret_available, struct err **err) {
        const struct resource *r = resource_find(q->devices, q->resource);
        bool *reusable, *free_ones;
        size_t n_free;
        int e;

        if (!r)
                return err_set(err, ENOENT, "cannot allocate unregistered device %s", q->resource);
        if (r->list.n_healthy == 0)
                return err_set(err, EBUSY, "no healthy devices present; cannot allocate unhealthy devices %s", r->name);
        q->ids = arena_alloc_array(q->arena, (q->needed < r->list.n ? q->needed : r->list.n) + 1, sizeof(*q->ids));
        if (!q->ids || !(reusable = new_marks(q, r)))
                return err_set(err, ENOMEM, "out of memory");
        mark_reusable(q, r, reusable);
        if (take_marked(q, r, reusable) < 0 || !(free_ones = find_free(q, r, &n_free)))
                return err_set(err, ENOMEM, "out of memory");
        if (q->n_ids == q->needed)
                return 1;
        if ((e = check_free(q, r, n_free, err)) < 0)
                return e;
        if (r->plugin && r->plugin->prefers)
                return list_available(q, r, free_ones, ret_available) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
        return take_marked(q, r, free_ones) < 0 ? err_set(err, ENOMEM, "out of memory") : 1;
}

/* Others may have been given some while the plugin was asked. */
int choose_rest(struct devices_request *q, struct err **err) {
        const struct resource *r = resource_find(q->devices, q->resource);
        bool *free_ones;
        size_t n_free;
        int e;

        if (!r || !(free_ones = find_free(q, r, &n_free)))
                return err_set(err, ENOMEM, "out of memory");
        if ((e = check_free(q, r, n_free, err)) < 0)
                return e;
        for (size_t i = 0; i < q->n_preferred; i++) {
                const struct device *d = resource_device(r, q->preferred[i]);

                if (d && free_ones[d - r->list.items] && take(q, r, free_ones, (size_t)(d - r->list.items)) < 0)
                        return err_set(err, ENOMEM, "out of memory");
        }
        return take_marked(q, r, free_ones) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}
