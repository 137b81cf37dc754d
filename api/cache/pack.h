/* Objects' JSON made small beside that of others of their resource, which it mostly repeats: LZ4 with some of what came
 * before as its dictionary.
 *
 * A packer chooses its dictionary from what passes through it, when the first has come and at each power of
 * PACK_SAMPLE_EACH after that. What was packed keeps the one that it was packed with.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bytes;
struct pack_dictionary;
struct packer;

#define PACK_DICTIONARY_MAX ((size_t)16 << 10)
#define PACK_SAMPLES 8 /* objects, at most, that a dictionary is made of */
#define PACK_SAMPLE_EACH 64

/* Of one thread at a time. NULL without memory. */
struct packer *packer_new(void);
void packer_free(struct packer *packer); /* NULL is fine */

/* Lent. */
struct packed {
        const void *data;
        uint32_t size, plain_size;
        struct pack_dictionary *dictionary;
};

/* Packs @size bytes at @data into @room, which is that large. Returns 0; -E2BIG when they would not be an eighth
 * smaller at least, -ENOMEM. */
int packer_pack(struct packer *packer, const void *data, size_t size, void *room, struct packed *ret_packed);

/* What it was; one reference. NULL without memory. From any thread. */
struct bytes *packed_open(const struct packed *packed);

struct pack_dictionary *pack_dictionary_ref(struct pack_dictionary *dictionary);
struct pack_dictionary *pack_dictionary_unref(struct pack_dictionary *dictionary); /* NULL is fine; returns NULL */
