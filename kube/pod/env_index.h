/* The variables of an environment by name: a manifest can have as many as it has room for, each naming the others. */
#pragma once

#include "kube/types.h"
#include "lib/table.h"

struct arena;

struct env_name {
        struct table_node node;
        struct string_pair *pair;
};

/* Zeroed with an arena is empty. */
struct env_index {
        struct arena *arena;
        struct table names;
};

/* @pair, whose name is not there yet, and which stays where it is. -ENOMEM. */
int env_index_add(struct env_index *index, struct string_pair *pair);

/* All of @variables, of whose names there is one each. -ENOMEM. */
int env_index_add_all(struct env_index *index, const string_map *variables);

/* The variable whose name is the first @length bytes of @name; NULL: none. */
struct string_pair *env_index_find(const struct env_index *index, const char *name, size_t length);

static inline void env_index_clear(struct env_index *index) {
        table_clear(&index->names);
}
#define _cleanup_env_index_ __attribute__((cleanup(env_index_clear)))
