/* A ring of buffers between the thread that inflates a layer and the one that writes its files. One of each. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define RING_BUFFERS 8
#define RING_BUFFER_SIZE (256 * 1024) /* a buffer stays in the second-level cache while it is hashed */

struct ring {
        uint8_t *memory; /* RING_BUFFERS of RING_BUFFER_SIZE */
        size_t filled[RING_BUFFERS];
        pthread_mutex_t lock; /* guards what follows */
        pthread_cond_t changed;
        uint64_t put, got; /* buffers ever filled, ever used up */
        bool ended;        /* no more will be put */
        bool closed;       /* nobody reads any more */
        struct err *error; /* why it ended early */
};

int ring_init(struct ring *ring);
void ring_clear(struct ring *ring);

/* For the one who fills: an empty buffer of RING_BUFFER_SIZE, waited for; NULL when the reader is gone. */
uint8_t *ring_buffer(struct ring *ring);
/* Passes on the buffer with @n bytes in it. */
void ring_put(struct ring *ring, size_t n);
/* The end; with @error (taken over) when it is not a good one. */
void ring_end(struct ring *ring, struct err *error);

/* For the one who reads: gives the last buffer back, waits for the next. *@ret_n 0: the end. Returns 0 or, after a bad
 * end, a negative errno. Fits struct tar_source's next. */
int ring_next(void *ring, const uint8_t **ret_bytes, size_t *ret_n, struct err **err);
/* Reads no more. */
void ring_close(struct ring *ring);
