/* A file of the agent's own that is written anew, by rename and synced, on the pool, whenever what it holds changes:
 * changes that come while it is being written are written together after that.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/pool.h"

struct keeper;

struct keeper_ops {
        /* What the file is to hold, allocated. -ENOMEM. */
        int (*pack)(void *data, void **ret_bytes, size_t *ret_size);

        /* All changes up to @generation are on the disk, or could not be written: *@err says why. */
        void (*written)(void *data, uint64_t generation, const struct err *err);
};

/* @pool outlives it. NULL without memory. */
struct keeper *keeper_new(struct pool *pool, const char *path, const struct keeper_ops *ops, void *data);

/* What is to be held has changed: returns the generation that says so, which will be told to have been written. */
uint64_t keeper_changed(struct keeper *keeper);

/* Writes it at once: blocks, and may only be called before keeper_changed(). A negative errno with the path in *err. */
int keeper_write(struct keeper *keeper, struct err **err);

/* Nothing is told any more; a writing under way comes to its end. NULL is fine. */
void keeper_free(struct keeper *keeper);
