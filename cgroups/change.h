/* Inside cgroups/: writes to a cgroup's files that count together. */
#pragma once

#include "cgroups/tree.h"

struct cg_written;

struct cg_change {
        const char *rel;
        bool keeps; /* what is replaced is read first, so that cg_change_undo() can put it back */
        struct cg_written *written;
        size_t n, allocated;
};

/* As cg_write(). */
int cg_change_write(struct cg_change *change, const struct hierarchy *h, const char *file, const char *value);

/* As cg_set(). */
int cg_change_set(struct cg_change *change, const struct hierarchy *h, const char *file, const char *value,
                  struct err **err);

/* Writes back what was there, the last first: each step leads to what the kernel has taken before. */
void cg_change_undo(struct cg_change *change);

void cg_change_done(struct cg_change *change);
#define _cleanup_cg_change_ __attribute__((cleanup(cg_change_done)))
