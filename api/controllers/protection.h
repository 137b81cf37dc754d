/* Volumes, claims and classes of volumes that are in use do not go: a finalizer holds them as long. What the
 * controllers of these have in common: the object of the key, and its finalizer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct task;
struct value;

/* The object of the key as it is known; NULL: none, or no memory. */
const struct value *protection_take(struct task *task);

/* The place of @finalizer among those of @tree; -1: none. */
int64_t protection_place(const struct value *tree, const char *finalizer);

bool protection_goes(const struct value *tree); /* it is to be deleted */

/* Writes the object of the key with or without @finalizer. -ENOMEM or 0. */
int protection_add(struct task *task, const struct value *tree, const char *finalizer);
int protection_drop(struct task *task, const struct value *tree, const char *finalizer);
