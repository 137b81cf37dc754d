/* The members of one map by their keys, for who looks up many: a map of more than a few is hashed. */
#pragma once

#include <stdint.h>

struct value;

#define VALUE_NONE UINT32_MAX

/* Zeroed: of no map. */
struct value_keys {
        const struct value *map;
        uint32_t *slots; /* places of members, one more each, so that 0 is free; NULL: looked through */
        uint32_t mask;
};

/* @map is a map and lives as long. Without memory for a table look-ups are right, but slow. */
void value_keys_init(struct value_keys *keys, const struct value *map);

/* The place of the member in the map; VALUE_NONE: there is none. */
uint32_t value_keys_find(const struct value_keys *keys, const char *key);

void value_keys_done(struct value_keys *keys);
#define _cleanup_value_keys_ __attribute__((cleanup(value_keys_done)))
