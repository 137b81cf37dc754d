#include "kube/pod/resource_list.h"

#include <string.h>

#include "lib/arena.h"

bool resource_list_add(struct arena *arena, resource_list *list, const char *name, struct quantity amount) {
        struct resource_amount *items;
        uint32_t at = 0;

        while (at < list->count && strcmp(list->items[at].name, name) < 0)
                at++;
        if (at < list->count && strcmp(list->items[at].name, name) == 0) {
                list->items[at].amount = amount;
                return true;
        }
        items = arena_alloc_array(arena, (size_t)list->count + 1, sizeof(*items));
        if (!items)
                return false;
        if (at > 0)
                memcpy(items, list->items, at * sizeof(*items));
        items[at] = (struct resource_amount){ name, amount };
        if (at < list->count)
                memcpy(items + at + 1, list->items + at, (list->count - at) * sizeof(*items));
        list->items = items;
        list->count++;
        return true;
}
