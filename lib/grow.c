#include "lib/grow.h"

#include <errno.h>
#include <stdlib.h>

/* What an array begins with, so that a small one is not moved for each item. */
#define FIRST_BYTES 128
#define FIRST_ITEMS 4

static size_t double_room(size_t room, size_t wanted, size_t max, size_t size) {
        size_t first = FIRST_BYTES / size > FIRST_ITEMS ? FIRST_BYTES / size : FIRST_ITEMS;
        size_t twice = room == 0 ? first : room <= max / 2 ? room * 2 : max;

        if (twice < wanted)
                twice = wanted;
        return twice < max ? twice : max;
}

int grow_items(void **items, size_t *room, size_t wanted, size_t max, size_t size) {
        size_t more, bytes;
        void *grown;

        if (wanted > max)
                return -E2BIG;
        more = double_room(*room, wanted, max, size);
        grown = __builtin_mul_overflow(more, size, &bytes) ? NULL : realloc(*items, bytes);
        if (!grown)
                return -ENOMEM;
        *items = grown;
        *room = more;
        return 0;
}
