#include "lib/value_keys.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/value.h"

#define LOOKED_THROUGH 16 /* members that are faster compared than hashed */

/* The slot of @key, or the free one where it would be. */
static uint32_t *slot_of(const struct value_keys *keys, const char *key) {
        uint32_t at = (uint32_t)hash_bytes(key, strlen(key)) & keys->mask;

        while (keys->slots[at] && strcmp(keys->map->members[keys->slots[at] - 1].key, key) != 0)
                at = (at + 1) & keys->mask;
        return &keys->slots[at];
}

/* Where a key is there twice, as it is in no map that was read, the first is found. */
static void take_slot(struct value_keys *keys, uint32_t at) {
        uint32_t *slot = slot_of(keys, keys->map->members[at].key);

        if (*slot == 0)
                *slot = at + 1;
}

void value_keys_init(struct value_keys *keys, const struct value *map) {
        uint32_t size = LOOKED_THROUGH * 4;

        *keys = (struct value_keys){ .map = map };
        if (map->count <= LOOKED_THROUGH)
                return;
        while (size / 2 < map->count)
                size *= 2;
        keys->slots = calloc(size, sizeof(*keys->slots));
        keys->mask = size - 1;
        for (uint32_t i = 0; keys->slots && i < map->count; i++)
                take_slot(keys, i);
}

uint32_t value_keys_find(const struct value_keys *keys, const char *key) {
        if (keys->slots)
                return *slot_of(keys, key) - 1; /* 0 - 1 is VALUE_NONE */
        for (uint32_t i = 0; i < keys->map->count; i++)
                if (strcmp(keys->map->members[i].key, key) == 0)
                        return i;
        return VALUE_NONE;
}

void value_keys_done(struct value_keys *keys) {
        free(keys->slots);
        *keys = (struct value_keys){ 0 };
}
