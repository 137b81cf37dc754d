#include "kube/types.h"

#include <string.h>

bool kube_is(const char *text, const char *word) {
        return text && strcmp(text, word) == 0;
}

bool kube_has(const string_list *list, const char *text) {
        for (uint32_t i = 0; list && i < list->count; i++)
                if (strcmp(list->items[i] ?: "", text) == 0)
                        return true;
        return false;
}

int kube_pair_order(const void *a, const void *b) {
        return strcmp(((const struct string_pair *)a)->key, ((const struct string_pair *)b)->key);
}

const char *string_map_get(const string_map *map, const char *key) {
        list_for_each (pair, map)
                if (strcmp(pair->key, key) == 0)
                        return pair->value;
        return NULL;
}

const struct quantity *resource_get(const resource_list *list, const char *name) {
        list_for_each (resource, list)
                if (strcmp(resource->name, name) == 0)
                        return &resource->amount;
        return NULL;
}
