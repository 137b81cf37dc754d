/* What the store's own files share. */
#pragma once

#include "images/layout.h"
#include "images/store.h"

struct image_store {
        struct image_layout layout;
};

/* The id of the image that @name means; as image_store_find(). */
int image_store_resolve(struct image_store *store, const char *name, char ret_id[IMAGE_DIGEST_LENGTH + 1],
                        struct err **err);
