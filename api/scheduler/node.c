#include "api/scheduler/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/scheduler/events.h"
#include "client/client.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/grow.h"

#define ZONE "topology.kubernetes.io/zone"
#define REGION "topology.kubernetes.io/region"

struct sched_node *sched_node_new(const char *name) {
        struct sched_node *node = calloc(1, sizeof(*node));

        if (node)
                node->name = strdup(name);
        if (node && !node->name) {
                free(node);
                node = NULL;
        }
        return node;
}

static void free_stocks(struct sched_node *node) {
        for (uint32_t i = 0; i < node->n_stocks; i++)
                free(node->stocks[i].name);
        free(node->stocks);
}

void sched_node_free(struct sched_node *node) {
        if (!node)
                return;
        free_stocks(node);
        arena_free(node->arena);
        free(node->ports);
        free(node->name);
        free(node);
}

/* --- stocks --- */

static struct sched_stock *find_stock(const struct sched_node *node, const char *name) {
        for (uint32_t i = 0; i < node->n_stocks; i++)
                if (strcmp(node->stocks[i].name, name) == 0)
                        return &node->stocks[i];
        return NULL;
}

const struct sched_stock *sched_node_stock(const struct sched_node *node, const char *name) {
        return find_stock(node, name);
}

static struct sched_stock *get_stock(struct sched_node *node, const char *name) {
        struct sched_stock *stock = find_stock(node, name), *more;
        char *copy;

        if (stock)
                return stock;
        copy = strdup(name);
        more = copy ? realloc(node->stocks, (node->n_stocks + 1) * sizeof(*more)) : NULL;
        if (!more) {
                free(copy);
                return NULL;
        }
        node->stocks = more;
        stock = &more[node->n_stocks++];
        *stock = (struct sched_stock){ .name = copy };
        return stock;
}

/* --- what its object says --- */

static bool set_allocatable(struct sched_node *node, const resource_list *list) {
        static const char *const fixed[SCHED_AMOUNTS] = { "cpu", "memory", "ephemeral-storage" };
        const struct quantity *pods = resource_get(list, "pods");

        for (unsigned i = 0; i < SCHED_AMOUNTS; i++) {
                const struct quantity *q = resource_get(list, fixed[i]);

                node->allocatable[i] = !q ? 0 : sched_bounded(i == SCHED_CPU ? quantity_milli(*q) : quantity_units(*q));
        }
        node->pods_max = pods ? quantity_units(*pods) : 0;
        for (uint32_t i = 0; i < node->n_stocks; i++)
                node->stocks[i].allocatable = 0;
        list_for_each (a, list) {
                struct sched_stock *stock;

                if (strcmp(a->name, "cpu") == 0 || strcmp(a->name, "memory") == 0 || strcmp(a->name, "pods") == 0 ||
                    strcmp(a->name, "ephemeral-storage") == 0)
                        continue;
                stock = get_stock(node, a->name);
                if (!stock)
                        return false;
                stock->allocatable = sched_bounded(quantity_units(a->amount));
        }
        return true;
}

static bool resources_differ(const resource_list *a, const resource_list *b) {
        if (a->count != b->count)
                return true;
        for (uint32_t i = 0; i < a->count; i++)
                if (strcmp(a->items[i].name, b->items[i].name) != 0 ||
                    quantity_compare(a->items[i].amount, b->items[i].amount) != 0)
                        return true;
        return false;
}

static bool taints_differ(const kube_taint_items *a, const kube_taint_items *b) {
        if (a->count != b->count)
                return true;
        for (uint32_t i = 0; i < a->count; i++) {
                const struct kube_taint *x = &a->items[i], *y = &b->items[i];

                if (strcmp(x->key ?: "", y->key ?: "") != 0 || strcmp(x->value ?: "", y->value ?: "") != 0 ||
                    strcmp(x->effect ?: "", y->effect ?: "") != 0)
                        return true;
        }
        return false;
}

static uint32_t compare(const struct sched_node *node, const struct kube_node *to, const resource_list *before) {
        uint32_t events = 0;

        if (!node->known)
                return SCHED_NODE_ADDED;
        if (resources_differ(before, &to->status.allocatable))
                events |= SCHED_NODE_ALLOCATABLE;
        if (sched_labels_differ(&node->labels, &to->metadata.labels))
                events |= SCHED_NODE_LABELS;
        if (node->unschedulable != to->spec.unschedulable || taints_differ(&node->taints, &to->spec.taints))
                events |= SCHED_NODE_TAINTS;
        return events;
}

static const char *zone_of(struct arena *arena, const string_map *labels) {
        const char *region = string_map_get(labels, REGION), *zone = string_map_get(labels, ZONE);

        return region || zone ? arena_printf(arena, "%s:%s", region ?: "", zone ?: "") : "";
}

/* What counts of the object, and not what comes with it. */
static int read_object(struct arena *arena, const struct client_object *object, struct kube_node *ret_node) {
        _cleanup_arena_ struct arena *scratch = arena_new();
        struct kube_node whole = { 0 }, less;
        int r = scratch ? client_object_read(scratch, object, &kube_node_type, &whole) : -ENOMEM;

        less = (struct kube_node){ .metadata = { .labels = whole.metadata.labels },
                                   .spec = { .unschedulable = whole.spec.unschedulable, .taints = whole.spec.taints },
                                   .status = { .allocatable = whole.status.allocatable,
                                               .images = whole.status.images } };
        return r < 0 ? r : kube_copy(arena, &kube_node_type, &less, ret_node);
}

int sched_node_read(struct sched_node *node, const struct client_object *object, uint32_t *ret_events) {
        static const resource_list nothing = { 0 };
        struct arena *arena = arena_new();
        struct kube_node *from = arena ? arena_new_of(arena, struct kube_node) : NULL;
        int r = from ? read_object(arena, object, from) : -ENOMEM;
        const char *zone = r == 0 ? zone_of(arena, &from->metadata.labels) : NULL;
        uint32_t events;

        if (r < 0 || !zone) {
                arena_free(arena);
                return r ?: -ENOMEM;
        }
        events = compare(node, from, node->said ? &node->said->status.allocatable : &nothing);
        if (!set_allocatable(node, &from->status.allocatable)) {
                arena_free(arena);
                return -ENOMEM;
        }
        arena_free(node->arena);
        node->arena = arena;
        node->said = from;
        node->labels = from->metadata.labels;
        node->taints = from->spec.taints;
        node->unschedulable = from->spec.unschedulable;
        node->images = from->status.images;
        node->zone = zone;
        node->known = true;
        *ret_events = events;
        return 0;
}

void sched_node_forget(struct sched_node *node) {
        static const resource_list nothing = { 0 };

        set_allocatable(node, &nothing);
        node->labels = (string_map){ 0 };
        node->taints = (kube_taint_items){ 0 };
        node->images = (kube_container_image_items){ 0 };
        node->zone = "";
        node->said = NULL;
        node->arena = arena_free(node->arena);
        node->known = false;
}

/* --- what its pods take --- */

static bool add_ports(struct sched_node *node, const struct sched_needs *needs) {
        if (GROW(node->ports, node->ports_room, (size_t)node->n_ports + needs->n_ports, GROW_NO_MAX) < 0)
                return false;
        for (uint32_t i = 0; i < needs->n_ports; i++)
                node->ports[node->n_ports++] = needs->ports[i];
        return true;
}

/* By their texts' addresses, which are the pod's own. */
static void drop_ports(struct sched_node *node, const struct sched_needs *needs) {
        for (uint32_t i = 0; i < needs->n_ports; i++)
                for (uint32_t n = 0; n < node->n_ports; n++)
                        if (node->ports[n].ip == needs->ports[i].ip) {
                                node->ports[n] = node->ports[--node->n_ports];
                                break;
                        }
}

static bool count(struct sched_node *node, const struct sched_needs *needs, int64_t sign) {
        bool all = true;

        for (unsigned i = 0; i < SCHED_AMOUNTS; i++)
                node->requested[i] += sign * needs->amounts[i];
        for (unsigned i = 0; i < SCHED_SCORED; i++)
                node->scored[i] += sign * needs->scored[i];
        for (uint32_t i = 0; i < needs->n_scalars; i++) {
                const char *name = needs->scalars[i].name;
                struct sched_stock *stock = sign > 0 ? get_stock(node, name) : find_stock(node, name);

                if (stock)
                        stock->requested += sign * needs->scalars[i].amount;
                all &= stock != NULL;
        }
        return all;
}

int sched_node_take(struct sched_node *node, struct sched_pod *pod) {
        bool all = count(node, &pod->needs, 1);

        sched_node_pods_append(&node->pods, pod);
        node->n_pods++;
        pod->node = node;
        return add_ports(node, &pod->needs) && all ? 0 : -ENOMEM;
}

void sched_node_drop(struct sched_node *node, struct sched_pod *pod) {
        count(node, &pod->needs, -1);
        drop_ports(node, &pod->needs);
        sched_node_pods_remove(pod);
        node->n_pods--;
        pod->node = NULL;
}

bool sched_port_collides(const struct sched_port *a, const struct sched_port *b) {
        static const char any[] = "0.0.0.0";

        return a->port == b->port && strcmp(a->protocol, b->protocol) == 0 &&
               (strcmp(a->ip, b->ip) == 0 || strcmp(a->ip, any) == 0 || strcmp(b->ip, any) == 0);
}
