/* SHA-256 of the streams of a transfer, beside the threads that make them: so that always two can be hashed at once.
 * Streams may be of several threads, each stream's calls come from one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/worker/sha256.h"

struct err;
struct hasher;

#define HASH_PIECES_MAX 16 /* of a stream that wait */

struct hash_piece {
        const uint8_t *bytes;
        size_t n;
};

struct hash_stream {
        struct hasher *hasher;
        struct sha256 sha;
        struct hash_stream *next;
        struct hash_piece pieces[HASH_PIECES_MAX];
        uint64_t n_put, n_done; /* pieces ever */
        uint64_t put, done;     /* bytes ever */
        bool busy;              /* a thread has it */
};

int hasher_new(struct hasher **ret_hasher, struct err **err);
/* All its streams are cleared. NULL is fine. */
void hasher_free(struct hasher *hasher);

/* Returns 0 or -ENOMEM. */
int hash_stream_init(struct hash_stream *stream, struct hasher *hasher);
/* Waits until nothing reads its bytes any more. One that is zeroed is fine. */
void hash_stream_clear(struct hash_stream *stream);

/* @bytes must stay until hash_stream_wait() says that they were hashed. Waits while too many pieces wait. */
void hash_stream_put(struct hash_stream *stream, const void *bytes, size_t n);
/* Returns how many bytes of what was put were hashed. */
uint64_t hash_stream_done(struct hash_stream *stream);
/* Waits until the first @n bytes of all that was put were hashed. */
void hash_stream_wait(struct hash_stream *stream, uint64_t n);
/* Waits for all of it. */
void hash_stream_finish(struct hash_stream *stream, uint8_t ret_digest[SHA256_SIZE]);
