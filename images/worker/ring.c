#include "images/worker/ring.h"

#include <errno.h>
#include <stdlib.h>

#include "images/worker/pages.h"
#include "lib/err.h"

int ring_init(struct ring *ring) {
        *ring = (struct ring){ .memory = huge_pages((size_t)RING_BUFFERS * RING_BUFFER_SIZE) };
        if (!ring->memory)
                return -ENOMEM;
        pthread_mutex_init(&ring->lock, NULL);
        pthread_cond_init(&ring->changed, NULL);
        return 0;
}

void ring_clear(struct ring *ring) {
        free(ring->memory);
        err_free(ring->error);
        pthread_mutex_destroy(&ring->lock);
        pthread_cond_destroy(&ring->changed);
}

static uint8_t *buffer_at(struct ring *ring, uint64_t count) {
        return ring->memory + count % RING_BUFFERS * RING_BUFFER_SIZE;
}

uint8_t *ring_buffer(struct ring *ring) {
        bool closed;

        pthread_mutex_lock(&ring->lock);
        /* the reader keeps the buffer it works on: that one counts as used up only at its next call */
        while (ring->put - ring->got == RING_BUFFERS && !ring->closed)
                pthread_cond_wait(&ring->changed, &ring->lock);
        closed = ring->closed;
        pthread_mutex_unlock(&ring->lock);
        return closed ? NULL : buffer_at(ring, ring->put);
}

void ring_put(struct ring *ring, size_t n) {
        pthread_mutex_lock(&ring->lock);
        ring->filled[ring->put++ % RING_BUFFERS] = n;
        pthread_cond_signal(&ring->changed);
        pthread_mutex_unlock(&ring->lock);
}

void ring_end(struct ring *ring, struct err *error) {
        pthread_mutex_lock(&ring->lock);
        ring->ended = true;
        ring->error = error;
        pthread_cond_signal(&ring->changed);
        pthread_mutex_unlock(&ring->lock);
}

/* Whether the reader holds a buffer is in @filled: it is zeroed when the buffer is handed out. */
int ring_next(void *data, const uint8_t **ret_bytes, size_t *ret_n, struct err **err) {
        struct ring *ring = data;
        int r = 0;

        pthread_mutex_lock(&ring->lock);
        if (ring->put > ring->got && ring->filled[ring->got % RING_BUFFERS] == 0) {
                ring->got++;
                pthread_cond_signal(&ring->changed);
        }
        while (ring->put == ring->got && !ring->ended)
                pthread_cond_wait(&ring->changed, &ring->lock);
        if (ring->put > ring->got) {
                *ret_bytes = buffer_at(ring, ring->got);
                *ret_n = ring->filled[ring->got % RING_BUFFERS];
                ring->filled[ring->got % RING_BUFFERS] = 0;
        } else {
                *ret_n = 0;
                if (ring->error)
                        r = err_repeat(err, ring->error);
        }
        pthread_mutex_unlock(&ring->lock);
        return r;
}

void ring_close(struct ring *ring) {
        pthread_mutex_lock(&ring->lock);
        ring->closed = true;
        pthread_cond_signal(&ring->changed);
        pthread_mutex_unlock(&ring->lock);
}
