/* The lowest layer of every container's root, below its image: places for what each container has mounted (/proc,
 * /etc/hosts, ...). Without it they are made in the writable layer of a container whose image has none, which copies
 * /etc up and takes an inode of the disk for each. What an image says of these paths, a whiteout too, goes before it.
 */
#pragma once

#include "cri/state/state.h"

/* Makes ROOT/floor, or what is missing of it. Blocks. */
int floor_make(const struct cri *cri, struct err **err);

/* @layers, the uppermost first, with the floor below them where it is there; in @arena, NULL without memory. An image
 * without layers, or with as many as are possible, has none. */
const char *const *floor_below(const struct cri *cri, struct arena *arena, char *const *layers, size_t n_layers,
                               size_t *ret_n);
