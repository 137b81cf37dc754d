/* Paths as texts: nothing is looked up. */
#pragma once

#include <stdbool.h>

struct arena;

/* @path from the root, by its words alone, as Go's path.Clean("/" + path) has it: without empty parts and ".", and ".."
 * takes the part before it away, as long as there is one. In @arena; NULL without memory, or
 * without a path. */
const char *path_clean(struct arena *arena, const char *path);

/* Whether one of @path's parts is "..". */
bool path_steps_back(const char *path);
