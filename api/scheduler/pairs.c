#include "api/scheduler/pairs.h"

#include <string.h>

#include "lib/arena.h"
#include "lib/hash.h"

#define ROOM_FIRST 64 /* a power of two, as all that follow */
#define GROWTH 8

/* Where the pair is, or would be. */
static struct sched_pair *seek(const struct sched_pairs *pairs, const char *key, const char *value) {
        uint64_t hash = hash_bytes(value, strlen(value)) ^ (uint64_t)strlen(key) << 7;

        for (uint32_t i = (uint32_t)hash;; i++) {
                struct sched_pair *at = &pairs->all[i & (pairs->room - 1)];

                if (!at->key || (strcmp(at->value, value) == 0 && strcmp(at->key, key) == 0))
                        return at;
        }
}

static int grow(struct arena *arena, struct sched_pairs *pairs) {
        struct sched_pairs more = { .n = pairs->n, .room = pairs->room * GROWTH ?: ROOM_FIRST };

        more.all = arena_alloc_array(arena, more.room, sizeof(*more.all));
        if (!more.all)
                return -1;
        for (uint32_t i = 0; i < pairs->room; i++)
                if (pairs->all[i].key)
                        *seek(&more, pairs->all[i].key, pairs->all[i].value) = pairs->all[i];
        *pairs = more;
        return 0;
}

int64_t *sched_pairs_get(struct arena *arena, struct sched_pairs *pairs, const char *key, const char *value) {
        struct sched_pair *at;

        if (pairs->n * 2 >= pairs->room && grow(arena, pairs) < 0)
                return NULL;
        at = seek(pairs, key, value);
        if (!at->key) {
                at->key = key;
                at->value = value;
                pairs->n++;
        }
        return &at->n;
}

int64_t *sched_pairs_find(const struct sched_pairs *pairs, const char *key, const char *value) {
        struct sched_pair *at = pairs->n > 0 ? seek(pairs, key, value) : NULL;

        return at && at->key ? &at->n : NULL;
}
