/* The managers of an object: who owns which fields (metadata.managedFields). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kube/apply/set.h"

struct err;

struct apply_manager {
        const char *name, *subresource; /* "": none */
        const char *version;            /* apiVersion of what it wrote */
        bool applied;                   /* operation Apply; else Update */
        const char *time;               /* RFC 3339; NULL: none */
        int64_t seconds;                /* of it; 0 for none */
        const struct apply_set *set;
};

struct apply_managers {
        struct arena *arena;
        struct apply_manager *items;
        uint32_t count, room;
};

/* Those in the list @entries (NULL and null: none). 0, -ENOMEM, or -EINVAL with *err in apimachinery's words. */
int apply_managers_read(struct arena *arena, const struct value *entries, struct apply_managers *ret_managers,
                        struct err **err);

/* The list in its order; null where there are none. 0 or -ENOMEM. */
int apply_managers_write(struct apply_managers *managers, struct value *ret_entries);

/* Whether both are one: of the same name, operation and subresource, and of the same version when they update. */
bool apply_manager_same(const struct apply_manager *a, const struct apply_manager *b);

/* The one that is the same as @manager; NULL: none. */
struct apply_manager *apply_managers_find(const struct apply_managers *managers, const struct apply_manager *manager);

/* Puts @manager in the place of the same, or adds it. 0 or -ENOMEM. */
int apply_managers_put(struct apply_managers *managers, const struct apply_manager *manager);

void apply_managers_drop(struct apply_managers *managers, const struct apply_manager *manager);
void apply_managers_drop_empty(struct apply_managers *managers);

/* No change of the copy is one of the original. 0 or -ENOMEM. */
int apply_managers_copy(const struct apply_managers *managers, struct apply_managers *ret_copy);

/* The oldest that update become one where there are too many. 0 or -ENOMEM. */
int apply_managers_cap(struct apply_managers *managers);

/* The JSON text that apimachinery knows it by, which orders go by. NULL without memory. */
const char *apply_manager_identifier(struct arena *arena, const struct apply_manager *manager);
