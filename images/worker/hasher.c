#include "images/worker/hasher.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/err.h"

/* Of a stream that is alone; then another may have come to go with it. */
#define ALONE_STEP (64 * 1024)

/* Pieces that are waited for before the thread wakes, so that it sleeps and wakes seldom and finds two streams. */
#define BATCH 6

struct hasher {
        pthread_t thread;
        pthread_mutex_t lock; /* guards what follows, and the streams' counts */
        pthread_cond_t work, done;
        struct hash_stream *streams; /* whoever was hashed last is last */
        size_t n_pieces;             /* of all streams, that wait */
        size_t n_waiting;            /* threads that need one of them now */
        bool ending;
};

static bool has_work(const struct hash_stream *s) {
        return s->n_put > s->n_done && !s->busy;
}

static struct hash_stream *take(struct hasher *h) {
        for (struct hash_stream **at = &h->streams; *at; at = &(*at)->next)
                if (has_work(*at)) {
                        struct hash_stream *s = *at;

                        *at = s->next;
                        s->busy = true;
                        return s;
                }
        return NULL;
}

static void give_back(struct hasher *h, struct hash_stream *s, size_t n) {
        struct hash_stream **at = &h->streams;
        struct hash_piece *piece = &s->pieces[s->n_done % HASH_PIECES_MAX];

        while (*at)
                at = &(*at)->next;
        *at = s;
        s->next = NULL;
        s->busy = false;
        piece->bytes += n;
        piece->n -= n;
        s->done += n;
        if (piece->n == 0) {
                s->n_done++;
                h->n_pieces--;
        }
}

/* Hashes what two streams have, or one when there is only one. */
static void hash_some(struct hasher *h) {
        struct hash_stream *a = take(h), *b = take(h);
        const struct hash_piece *piece_a, *piece_b;
        size_t n;

        pthread_mutex_unlock(&h->lock);
        piece_a = &a->pieces[a->n_done % HASH_PIECES_MAX];
        if (b) {
                piece_b = &b->pieces[b->n_done % HASH_PIECES_MAX];
                n = piece_a->n < piece_b->n ? piece_a->n : piece_b->n;
                sha256_add_two(&a->sha, piece_a->bytes, &b->sha, piece_b->bytes, n);
        } else {
                n = piece_a->n < ALONE_STEP ? piece_a->n : ALONE_STEP;
                sha256_add(&a->sha, piece_a->bytes, n);
        }
        pthread_mutex_lock(&h->lock);
        give_back(h, a, n);
        if (b)
                give_back(h, b, n);
        if (h->n_waiting > 0)
                pthread_cond_broadcast(&h->done);
}

static void *hasher_main(void *data) {
        struct hasher *h = data;

        pthread_mutex_lock(&h->lock);
        while (!h->ending) {
                while (h->n_pieces > 0 && !h->ending)
                        hash_some(h);
                while (!h->ending && (h->n_pieces == 0 || (h->n_pieces < BATCH && h->n_waiting == 0)))
                        pthread_cond_wait(&h->work, &h->lock);
        }
        pthread_mutex_unlock(&h->lock);
        return NULL;
}

int hasher_new(struct hasher **ret_hasher, struct err **err) {
        struct hasher *h = calloc(1, sizeof(*h));
        int r;

        if (!h)
                return err_set(err, ENOMEM, "out of memory");
        pthread_mutex_init(&h->lock, NULL);
        pthread_cond_init(&h->work, NULL);
        pthread_cond_init(&h->done, NULL);
        r = pthread_create(&h->thread, NULL, hasher_main, h);
        if (r != 0) {
                free(h);
                return err_errno(err, r, "start a thread");
        }
        *ret_hasher = h;
        return 0;
}

void hasher_free(struct hasher *h) {
        if (!h)
                return;
        pthread_mutex_lock(&h->lock);
        h->ending = true;
        pthread_cond_broadcast(&h->work);
        pthread_mutex_unlock(&h->lock);
        pthread_join(h->thread, NULL);
        pthread_mutex_destroy(&h->lock);
        pthread_cond_destroy(&h->work);
        pthread_cond_destroy(&h->done);
        free(h);
}

/* Waits, with the lock held, until something was hashed. */
static void wait_for_some(struct hasher *h) {
        h->n_waiting++;
        pthread_cond_signal(&h->work); /* each: another who waits may be about to go, and the thread to sleep */
        pthread_cond_wait(&h->done, &h->lock);
        h->n_waiting--;
}

int hash_stream_init(struct hash_stream *s, struct hasher *h) {
        int r;

        *s = (struct hash_stream){ .hasher = NULL };
        r = sha256_init(&s->sha);
        if (r < 0)
                return r;
        s->hasher = h;
        pthread_mutex_lock(&h->lock);
        s->next = h->streams;
        h->streams = s;
        pthread_mutex_unlock(&h->lock);
        return 0;
}

void hash_stream_clear(struct hash_stream *s) {
        struct hasher *h = s->hasher;
        struct hash_stream **at;

        if (!h)
                return;
        pthread_mutex_lock(&h->lock);
        while (s->busy)
                wait_for_some(h);
        for (at = &h->streams; *at != s; at = &(*at)->next)
                ;
        *at = s->next;
        h->n_pieces -= s->n_put - s->n_done;
        pthread_mutex_unlock(&h->lock);
        sha256_clear(&s->sha);
        s->hasher = NULL;
}

void hash_stream_put(struct hash_stream *s, const void *bytes, size_t n) {
        struct hasher *h = s->hasher;

        if (n == 0)
                return;
        pthread_mutex_lock(&h->lock);
        while (s->n_put - s->n_done == HASH_PIECES_MAX)
                wait_for_some(h);
        s->pieces[s->n_put++ % HASH_PIECES_MAX] = (struct hash_piece){ .bytes = bytes, .n = n };
        s->put += n;
        if (++h->n_pieces == BATCH)
                pthread_cond_signal(&h->work);
        pthread_mutex_unlock(&h->lock);
}

uint64_t hash_stream_done(struct hash_stream *s) {
        uint64_t done;

        pthread_mutex_lock(&s->hasher->lock);
        done = s->done;
        pthread_mutex_unlock(&s->hasher->lock);
        return done;
}

void hash_stream_wait(struct hash_stream *s, uint64_t n) {
        struct hasher *h = s->hasher;

        pthread_mutex_lock(&h->lock);
        while (s->done < n)
                wait_for_some(h);
        pthread_mutex_unlock(&h->lock);
}

void hash_stream_finish(struct hash_stream *s, uint8_t ret_digest[SHA256_SIZE]) {
        hash_stream_wait(s, s->put);
        sha256_finish(&s->sha, ret_digest);
}
