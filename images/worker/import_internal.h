/* What the importers share. */
#pragma once

#include <stdint.h>

#include "images/layout.h"
#include "images/worker/archive.h"
#include "images/worker/feed.h"
#include "images/worker/import.h"

/* Copies the region from @offset on to @fd, telling @feed. */
int import_copy(const struct region *region, uint64_t offset, int fd, struct feed *feed, struct err **err);

/* Names an imported image; @own is what the archive calls it, or NULL. */
int import_names(const struct import *import, const char *own, const char *digest, const struct image_ref *ref,
                 struct err **err);

/* Imports what `docker save` wrote: manifest.json, configs and layers. */
int import_docker(const struct import *import, struct archive *archive, struct err **err);
