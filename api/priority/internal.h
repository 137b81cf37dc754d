/* What the files of the room share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/cache/follower.h"
#include "lib/table.h"

struct api_resource;
struct api_state;
struct arena;
struct kube_flowcontrol_v1_flow_schema;

#define PRIORITY_UID_MAX 64 /* bytes, with the NUL; ours are shorter */

struct priority_level {
        struct table_node in_levels;
        char uid[PRIORITY_UID_MAX];
        int64_t shares; /* nominalConcurrencyShares */
        char name[];
};

struct priority_schema {
        struct arena *arena; /* with all of it */
        const struct kube_flowcontrol_v1_flow_schema *object;
        _Atomic uint64_t *requests; /* that were of it */
};

struct priority_follower {
        struct collection_follower base; /* first */
        struct priority *priority;
        bool levels;
        struct api_resource *resource;
};

struct priority {
        struct api_state *state;
        pthread_rwlock_t lock;           /* of all below; changed on the writer's thread alone */
        struct table levels;             /* by name */
        struct priority_schema *schemas; /* in the order in which they are asked */
        size_t n_schemas;
        struct priority_follower of_levels, of_schemas;
};

/* Puts right what is wrong in a default object, or in a FlowSchema's condition, a moment later. On the writer's thread.
 * 0 or a negative errno. */
int priority_keep(struct priority_follower *follower, struct object *object);

/* Makes a default object again that is gone; others are let go. */
int priority_make_again(struct priority_follower *follower, const char *name);
