/* What pods have of resources. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/devices/internal.h"
#include "agent/node/keeper.h"
#include "lib/cleanup.h"

struct device_holder *holder_find(const struct devices *d, const char *uid) {
        return table_object(table_find(&d->by_uid, uid), struct device_holder, by_uid);
}

static struct grant *find(const struct device_holder *h, const char *container, const char *resource) {
        LIST_EACH (grants, g, &h->grants)
                if (strcmp(g->container, container) == 0 && strcmp(g->resource, resource) == 0)
                        return g;
        return NULL;
}

struct grant *grant_find(const struct devices *d, const char *uid, const char *container, const char *resource) {
        const struct device_holder *h = holder_find(d, uid);

        return h ? find(h, container, resource) : NULL;
}

static void grant_free(struct grant *g) {
        for (size_t i = 0; g->ids && i < g->n; i++)
                free(g->ids[i]);
        free(g->ids);
        free(g->numa_nodes);
        free(g->container);
        free(g->resource);
        free(g->given);
        free(g);
}

/* More than it takes. */
static size_t weigh(const Devices__Grant *g) {
        size_t weight = 512 + strlen(g->container) + strlen(g->resource) + g->given.len;

        for (size_t i = 0; i < g->n_device_ids; i++)
                weight += strlen(g->device_ids[i]) + 64;
        return weight;
}

static struct grant *grant_new(const Devices__Grant *from) {
        struct grant *g = calloc(1, sizeof(*g));
        bool whole;

        if (!g)
                return NULL;
        g->n = from->n_device_ids;
        g->container = strdup(from->container);
        g->resource = strdup(from->resource);
        g->ids = calloc(g->n + 1, sizeof(*g->ids));
        g->numa_nodes = calloc(g->n + 1, sizeof(*g->numa_nodes));
        g->given = malloc(from->given.len + 1);
        g->given_size = from->given.len;
        g->pre_start = from->pre_start;
        g->weight = weigh(from);
        whole = g->container && g->resource && g->ids && g->numa_nodes && g->given;
        for (size_t i = 0; whole && i < g->n; i++) {
                whole = (g->ids[i] = strdup(from->device_ids[i]));
                g->numa_nodes[i] = i < from->n_numa_nodes ? from->numa_nodes[i] : -1;
        }
        if (!whole) {
                grant_free(g);
                return NULL;
        }
        if (from->given.len)
                memcpy(g->given, from->given.data, from->given.len);
        return g;
}

static struct device_holder *holder_get(struct devices *d, const char *uid) {
        struct device_holder *h = holder_find(d, uid);

        if (h || !(h = calloc(1, sizeof(*h) + strlen(uid) + 1)))
                return h;
        strcpy(h->uid, uid);
        if (table_add(&d->by_uid, &h->by_uid, h->uid) < 0) {
                free(h);
                return NULL;
        }
        holders_append(&d->holders, h);
        return h;
}

int grant_add(struct devices *d, const char *uid, const Devices__Grant *from, struct err **err) {
        struct device_holder *h;
        struct grant *g;

        if (d->granted + weigh(from) > DEVICES_GRANTED_MAX)
                return err_set(err, E2BIG,
                               "with what the device plugin of %s gives, all pods would have more than %u bytes",
                               from->resource, DEVICES_GRANTED_MAX);
        g = grant_new(from);
        if (!g || !(h = holder_get(d, uid))) {
                if (g)
                        grant_free(g);
                return err_set(err, ENOMEM, "out of memory");
        }
        grants_append(&h->grants, g);
        d->granted += g->weight;
        return 0;
}

void holder_free(struct devices *d, struct device_holder *h) {
        LIST_EACH (grants, g, &h->grants) {
                grants_remove(g);
                d->granted -= g->weight;
                grant_free(g);
        }
        holders_remove(h);
        table_remove(&d->by_uid, &h->by_uid);
        free(h);
}

bool devices_has(const struct devices *d, const char *uid) {
        return holder_find(d, uid);
}

void devices_release(struct devices *d, const char *uid) {
        struct device_holder *h = holder_find(d, uid);

        if (!h)
                return;
        holder_free(d, h);
        keeper_changed(d->keeper);
}

void devices_keep_only(struct devices *d, bool (*has)(void *data, const char *uid), void *data) {
        bool changed = false;

        LIST_EACH (holders, h, &d->holders) {
                if (has(data, h->uid))
                        continue;
                holder_free(d, h);
                changed = true;
        }
        if (changed)
                keeper_changed(d->keeper);
}

void devices_each_held(const struct devices *d, const char *uid, const char *container,
                       void (*each)(void *data, const struct devices_held *held), void *data) {
        const struct device_holder *h = holder_find(d, uid);

        if (!h)
                return;
        LIST_EACH (grants, g, &h->grants)
                if (strcmp(g->container, container) == 0)
                        each(data,
                             &(struct devices_held){ g->resource, (const char *const *)g->ids, g->numa_nodes, g->n });
}
