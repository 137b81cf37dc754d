/* Extended resources that somebody has given to the Node by its capacity (nodestatus/setters.go, MachineInfo()):
 * allocatable follows. A node that was made anew has none of them until they are given again (kubelet_node_status.go,
 * reconcileExtendedResource()). */
#include <errno.h>
#include <string.h>

#include "agent/cluster/internal.h"
#include "kube/validate/validate.h"
#include "lib/arena.h"
#include "lib/json_writer.h"

bool cluster_declares_other(const resource_list *before, const resource_list *now) {
        uint32_t n_before = 0, n_now = 0;

        list_for_each (r, before)
                n_before += validate_is_extended(r->name);
        list_for_each (r, now) {
                const struct quantity *was = validate_is_extended(r->name) ? resource_get(before, r->name) : NULL;

                n_now += validate_is_extended(r->name);
                if (validate_is_extended(r->name) && (!was || quantity_compare(*was, r->amount) != 0))
                        return true;
        }
        return n_before != n_now;
}

/* What the Node says is from before, and will be nothing with the next that is written of it. */
static bool is_from_before(const struct cluster *c) {
        return !c->own.reset && c->events.is_new(c->events.data);
}

int64_t cluster_declared(const struct cluster *c, const char *name) {
        const struct quantity *amount = resource_get(&c->own.capacity, name);

        if (!amount)
                return -1;
        return is_from_before(c) ? 0 : quantity_units(*amount);
}

static int append(struct arena *arena, resource_list *list, const char *name, struct quantity amount) {
        struct resource_amount *items = arena_alloc_array(arena, list->count + 1, sizeof(*items));

        if (!items || !(name = arena_strdup(arena, name)))
                return -ENOMEM;
        if (list->count)
                memcpy(items, list->items, list->count * sizeof(*items));
        items[list->count] = (struct resource_amount){ name, amount };
        *list = (resource_list){ items, list->count + 1 };
        return 0;
}

int cluster_add_declared(const struct cluster *c, struct arena *arena, struct kube_node_status *status) {
        bool reset = is_from_before(c);

        list_for_each (r, &c->own.capacity) {
                struct quantity amount = reset ? quantity_from_units(0, QUANTITY_DECIMAL) : r->amount;

                if (!validate_is_extended(r->name) || resource_get(&status->capacity, r->name))
                        continue;
                if ((reset && append(arena, &status->capacity, r->name, amount) < 0) ||
                    append(arena, &status->allocatable, r->name, amount) < 0)
                        return -ENOMEM;
        }
        return 0;
}

void cluster_write_allocatable(const struct cluster *c, const struct kube_node_status *status, struct json_writer *w) {
        char text[QUANTITY_TEXT_MAX];

        json_key(w, "allocatable");
        json_begin_map(w);
        list_for_each (r, &status->allocatable)
                json_add_string(w, r->name, quantity_format(r->amount, text));
        list_for_each (r, &c->own.allocatable)
                if (validate_is_extended(r->name) && !resource_get(&status->allocatable, r->name)) {
                        json_key(w, r->name);
                        json_null(w);
                }
        json_end_map(w);
}
