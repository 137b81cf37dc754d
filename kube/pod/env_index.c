#include "kube/pod/env_index.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"

/* Longer names are of nobody's variables: they are looked for in the arena. */
#define NAME_SHORT 256

int env_index_add(struct env_index *index, struct string_pair *pair) {
        struct env_name *name = arena_alloc(index->arena, sizeof(*name));

        if (!name)
                return -ENOMEM;
        name->pair = pair;
        return table_add(&index->names, &name->node, pair->key);
}

struct string_pair *env_index_find(const struct env_index *index, const char *name, size_t length) {
        char copy[NAME_SHORT], *key = length < sizeof(copy) ? copy : arena_alloc(index->arena, length + 1);
        struct env_name *found;

        if (!key)
                return NULL;
        memcpy(key, name, length);
        key[length] = '\0';
        found = table_object(table_find(&index->names, key), struct env_name, node);
        return found ? found->pair : NULL;
}

int env_index_add_all(struct env_index *index, const string_map *variables) {
        list_for_each (pair, variables)
                if (env_index_add(index, pair) == -ENOMEM)
                        return -ENOMEM;
        return 0;
}
