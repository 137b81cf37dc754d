/* What the layer's files share. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

/* Overlay's mark for "nothing here, nor below". */
bool layer_is_whiteout(const struct stat *st);

/* Marks the directory @name in @parent as hiding those below. Returns 0 or a negative errno. */
int layer_set_opaque(int parent, const char *name);
