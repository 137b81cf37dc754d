/* What the layer's files share. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

/* Overlay's mark for "nothing here, nor below". */
bool layer_is_whiteout(const struct stat *st);
