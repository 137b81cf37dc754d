#include "api/cache/pack.h"

#include <assert.h>
#include <errno.h>
#include <lz4.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"

struct pack_dictionary {
        uint32_t refs, size;
        uint8_t data[];
};

struct packer {
        struct pack_dictionary *dictionary, *sample; /* @sample: the next one, while it is made */
        uint64_t seen, next;                         /* objects that came; after how many @sample is the dictionary */
};

/* What LZ4 has made of the dictionary that was used last, and a copy that a call spoils. There is one writer, so one
 * will do for all; 32 KB for each resource would be more than many of them hold. */
static struct {
        pthread_mutex_t lock;
        const struct pack_dictionary *of; /* a reference */
        LZ4_stream_t prepared, used;
} lz4 = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct pack_dictionary *pack_dictionary_ref(struct pack_dictionary *dictionary) {
        __atomic_add_fetch(&dictionary->refs, 1, __ATOMIC_RELAXED);
        return dictionary;
}

struct pack_dictionary *pack_dictionary_unref(struct pack_dictionary *dictionary) {
        if (dictionary && __atomic_sub_fetch(&dictionary->refs, 1, __ATOMIC_ACQ_REL) == 0)
                free(dictionary);
        return NULL;
}

struct packer *packer_new(void) {
        struct packer *packer = calloc(1, sizeof(*packer));

        if (packer)
                packer->next = 1;
        return packer;
}

/* The dictionary may be another's at this address tomorrow. */
static void forget_prepared(const struct pack_dictionary *dictionary) {
        pthread_mutex_lock(&lz4.lock);
        if (lz4.of == dictionary)
                lz4.of = NULL;
        pthread_mutex_unlock(&lz4.lock);
}

void packer_free(struct packer *packer) {
        if (!packer)
                return;
        forget_prepared(packer->dictionary);
        pack_dictionary_unref(packer->dictionary);
        free(packer->sample);
        free(packer);
}

/* Some of an object, so that there is room for others. */
static void take_sample(struct packer *p, const void *data, size_t size) {
        size_t most = p->next == 1 ? PACK_DICTIONARY_MAX : PACK_DICTIONARY_MAX / PACK_SAMPLES * 2, room;

        if (!p->sample) {
                p->sample = malloc(sizeof(*p->sample) + PACK_DICTIONARY_MAX);
                if (!p->sample)
                        return;
                *p->sample = (struct pack_dictionary){ .refs = 1 };
        }
        room = PACK_DICTIONARY_MAX - p->sample->size;
        size = size < most ? size : most;
        size = size < room ? size : room;
        memcpy(p->sample->data + p->sample->size, data, size);
        p->sample->size += (uint32_t)size;
}

static void use_sample(struct packer *p) {
        struct pack_dictionary *fresh = p->sample, *smaller;

        p->next *= PACK_SAMPLE_EACH;
        p->sample = NULL;
        if (!fresh)
                return;
        smaller = realloc(fresh, sizeof(*fresh) + fresh->size);
        forget_prepared(p->dictionary);
        pack_dictionary_unref(p->dictionary);
        p->dictionary = smaller ?: fresh;
}

static int compress(struct pack_dictionary *dictionary, const void *data, size_t size, void *room) {
        int n;

        pthread_mutex_lock(&lz4.lock);
        if (lz4.of != dictionary) {
                LZ4_initStream(&lz4.prepared, sizeof(lz4.prepared));
                LZ4_loadDict(&lz4.prepared, (const char *)dictionary->data, (int)dictionary->size);
                lz4.of = dictionary;
        }
        memcpy(&lz4.used, &lz4.prepared, sizeof(lz4.used));
        n = LZ4_compress_fast_continue(&lz4.used, data, room, (int)size, (int)(size - size / 8), 1);
        pthread_mutex_unlock(&lz4.lock);
        return n;
}

int packer_pack(struct packer *p, const void *data, size_t size, void *room, struct packed *ret_packed) {
        int n;

        assert(size <= LZ4_MAX_INPUT_SIZE);
        if (++p->seen + PACK_SAMPLES > p->next)
                take_sample(p, data, size);
        if (p->seen == p->next)
                use_sample(p);
        if (!p->dictionary)
                return -ENOMEM;
        n = compress(p->dictionary, data, size, room);
        if (n <= 0)
                return -E2BIG;
        *ret_packed = (struct packed){ room, (uint32_t)n, (uint32_t)size, p->dictionary };
        return 0;
}

struct bytes *packed_open(const struct packed *packed) {
        const struct pack_dictionary *d = packed->dictionary;
        struct bytes *bytes = bytes_new(packed->plain_size);
        int n;

        if (!bytes)
                return NULL;
        n = LZ4_decompress_safe_usingDict(packed->data, (char *)bytes->data, (int)packed->size, (int)packed->plain_size,
                                          (const char *)d->data, (int)d->size);
        assert(n == (int)packed->plain_size);
        (void)n;
        return bytes;
}
