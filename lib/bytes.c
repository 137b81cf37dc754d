#include "lib/bytes.h"

#include <stdlib.h>
#include <string.h>

struct bytes *bytes_new(size_t size) {
        struct bytes *bytes;

        if (size > SIZE_MAX - sizeof(*bytes))
                return NULL;
        bytes = malloc(sizeof(*bytes) + size);
        if (!bytes)
                return NULL;
        bytes->refs = 1;
        bytes->size = size;
        return bytes;
}

struct bytes *bytes_copy(const void *data, size_t size) {
        struct bytes *bytes = bytes_new(size);

        if (bytes && size > 0)
                memcpy(bytes->data, data, size);
        return bytes;
}

struct bytes *bytes_shrink(struct bytes *bytes, size_t size) {
        struct bytes *smaller = realloc(bytes, sizeof(*bytes) + size) ?: bytes;

        smaller->size = size;
        return smaller;
}

struct bytes *bytes_ref(struct bytes *bytes) {
        __atomic_add_fetch(&bytes->refs, 1, __ATOMIC_RELAXED);
        return bytes;
}

struct bytes *bytes_unref(struct bytes *bytes) {
        if (bytes && __atomic_sub_fetch(&bytes->refs, 1, __ATOMIC_ACQ_REL) == 0)
                free(bytes);
        return NULL;
}

void bytes_unrefp(struct bytes **bytes) {
        bytes_unref(*bytes);
}
