/* What the layer's files share. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "images/worker/tar.h"
#include "lib/err.h"

/* Overlay's mark for "nothing here, nor below". */
bool layer_is_whiteout(const struct stat *st);

/* --- layer_entry.c: what an entry is, once it is known where. Errors: -errno, with the entry's path --- */

/* A file's data, holes, owner, attributes, mode and time; @fd is new and empty. */
int layer_fill(struct tar_reader *tar, int fd, const struct tar_entry *e, struct err **err);

/* Those of the attributes that a layer may set. */
int layer_set_xattrs(int fd, const struct tar_entry *e, struct err **err);

/* A link, device or fifo. Returns 0, or -1 and errno, as mknodat(2). */
int layer_make_special(int parent, const char *name, const struct tar_entry *e);

/* Owner, attributes and time of what was just made at @name and cannot be opened. */
int layer_finish(int parent, const char *name, const struct tar_entry *e, struct err **err);
