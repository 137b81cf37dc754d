#include "images/worker/unpack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/worker/hasher.h"
#include "images/worker/inflate.h"
#include "images/worker/ring.h"
#include "images/worker/tar.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define INPUT_SIZE (256 * 1024)
#define INPUT_MIN (128 * 1024) /* waited for, so that a thread wakes seldom */
#define INPUTS 4               /* buffers for what is in the file; one is read while others are still hashed */

static void format_digest(const uint8_t bytes[SHA256_SIZE], char ret[IMAGE_DIGEST_LENGTH + 1]) {
        strcpy(ret, "sha256:");
        for (size_t i = 0; i < SHA256_SIZE; i++)
                snprintf(ret + 7 + 2 * i, 3, "%02x", bytes[i]);
}

int digest_of(const void *bytes, size_t n, char ret_digest[IMAGE_DIGEST_LENGTH + 1]) {
        uint8_t digest[SHA256_SIZE];
        struct sha256 sha;
        int r = sha256_init(&sha);

        if (r < 0)
                return r;
        sha256_add(&sha, bytes, n);
        sha256_finish(&sha, digest);
        sha256_clear(&sha);
        format_digest(digest, ret_digest);
        return 0;
}

/* The inflating thread's side. */
struct pipe {
        struct unpack *unpack;
        struct ring ring;
        struct inflater *inflater;
        struct hash_stream compressed, plain;
        uint8_t *inputs;       /* INPUTS of INPUT_SIZE */
        uint64_t ends[INPUTS]; /* where in the blob their bytes end */
        size_t input;          /* the one that was read last */
        uint64_t offset;
        uint64_t n_buffers; /* of the ring, ever filled */
};

/* Lets go of what was hashed; when there is not enough to read yet, of all. */
static void release_input(struct pipe *p, size_t min) {
        struct feed *feed = p->unpack->feed;

        feed_release(feed, hash_stream_done(&p->compressed));
        if (!feed_has(feed, p->offset, min)) {
                hash_stream_wait(&p->compressed, p->offset);
                feed_release(feed, p->offset);
        }
}

/* Reads the next input, @min bytes if the blob has them. Returns its size, 0 at the blob's end. */
static ssize_t read_input(struct pipe *p, size_t min, const uint8_t **ret_bytes, struct err **err) {
        uint8_t *buffer;
        ssize_t n;

        release_input(p, min);
        p->input = (p->input + 1) % INPUTS;
        hash_stream_wait(&p->compressed, p->ends[p->input]);
        buffer = p->inputs + p->input * INPUT_SIZE;
        n = feed_get(p->unpack->feed, p->offset, min, INPUT_SIZE, buffer, ret_bytes, err);
        if (n <= 0)
                return n;
        hash_stream_put(&p->compressed, *ret_bytes, (size_t)n);
        p->offset += (uint64_t)n;
        p->ends[p->input] = *ret_bytes == buffer ? p->offset : 0;
        if (p->unpack->progress)
                p->unpack->progress(p->unpack->data, p->offset);
        return n;
}

/* An empty buffer of the ring, when what it held was hashed too; NULL when the writer is gone. */
static uint8_t *next_buffer(struct pipe *p) {
        uint8_t *buffer = ring_buffer(&p->ring);

        if (buffer && p->n_buffers >= RING_BUFFERS)
                hash_stream_wait(&p->plain, (p->n_buffers - RING_BUFFERS + 1) * RING_BUFFER_SIZE);
        p->n_buffers++;
        return buffer;
}

/* Fills one buffer of the ring as far as the blob allows, so that tar's blocks never straddle two. */
static int fill_buffer(struct pipe *p, uint8_t *buffer, const uint8_t **in, size_t *n_in, size_t *ret_n, bool *end,
                       struct err **err) {
        size_t room = RING_BUFFER_SIZE;
        uint8_t *out = buffer;
        int r;

        for (;;) {
                r = inflater_run(p->inflater, in, n_in, &out, &room, err);
                if (r < 0)
                        return r;
                if (room == 0)
                        break;
                if (*n_in > 0)
                        return err_set(err, EBADMSG, "the compressed data makes no progress");
                ssize_t n = read_input(p, INPUT_MIN, in, err);
                if (n < 0)
                        return (int)n;
                if (n == 0) {
                        *end = true;
                        break;
                }
                *n_in = (size_t)n;
        }
        *ret_n = RING_BUFFER_SIZE - room;
        hash_stream_put(&p->plain, buffer, *ret_n);
        return 0;
}

static int check_digest(const char *what, const char *wanted, const char *got, struct err **err) {
        if (!wanted || strcmp(wanted, got) == 0)
                return 0;
        return err_set(err, EBADMSG, "%s is %s, but must be %s", what, got, wanted);
}

static int check_digests(struct pipe *p, struct err **err) {
        struct unpack *u = p->unpack;
        uint8_t digest[SHA256_SIZE];
        int r;

        hash_stream_finish(&p->compressed, digest);
        format_digest(digest, u->ret_digest);
        hash_stream_finish(&p->plain, digest);
        format_digest(digest, u->ret_diff_id);
        r = check_digest("the blob's digest", u->digest, u->ret_digest, err);
        if (r == 0)
                r = inflater_finish(p->inflater, err);
        return r < 0 ? r : check_digest("the layer's diff id", u->diff_id, u->ret_diff_id, err);
}

static int inflate_all(struct pipe *p, struct err **err) {
        const uint8_t *in = p->inputs;
        /* the first bytes tell the compression; a slow network may bring them one by one */
        ssize_t first = read_input(p, 16, &in, err);
        size_t n_in, n = 0;
        bool end = false;

        if (first < 0)
                return (int)first;
        n_in = (size_t)first;
        while (!end) {
                uint8_t *buffer = next_buffer(p);
                int r;

                if (!buffer) /* the writer has failed and says why */
                        return 0;
                r = fill_buffer(p, buffer, &in, &n_in, &n, &end, err);
                if (r < 0)
                        return r;
                if (n > 0)
                        ring_put(&p->ring, n);
        }
        return check_digests(p, err);
}

static void *inflate_main(void *data) {
        struct pipe *p = data;
        struct err *error = NULL;

        inflate_all(p, &error);
        ring_end(&p->ring, error);
        return NULL;
}

static int apply(struct pipe *p, int root, struct err **err) {
        const struct tar_source source = { .next = ring_next, .data = &p->ring };
        _cleanup_(tar_reader_freep) struct tar_reader *tar = tar_reader_new(&source);

        return tar ? layer_apply(root, tar, &p->unpack->limits, &p->unpack->result, err) :
                     err_set(err, ENOMEM, "out of memory");
}

static int run(struct pipe *p, int root, struct err **err) {
        struct err *error = NULL;
        pthread_t thread;
        int r = pthread_create(&thread, NULL, inflate_main, p);

        if (r != 0)
                return err_errno(err, r, "start a thread");
        r = apply(p, root, &error);
        ring_close(&p->ring);
        if (r < 0) /* the other thread may wait for the network */
                feed_fail(p->unpack->feed, ECANCELED, "unpacking has failed");
        pthread_join(thread, NULL);
        /* what came out of a damaged blob is refused for the damage, not for what it looks like */
        if (r == -EBADMSG && p->ring.error && err_code(p->ring.error) == EBADMSG) {
                err_free(error);
                return err_set(err, EBADMSG, "%s", err_text(p->ring.error));
        }
        return r < 0 ? err_move(err, error) : 0;
}

int unpack_blob(struct unpack *u, int root, struct err **err) {
        struct pipe p = { .unpack = u, .inflater = inflater_new(), .inputs = malloc(INPUTS * INPUT_SIZE) };
        int r = ring_init(&p.ring);

        if (r == 0 && p.inflater && p.inputs && hash_stream_init(&p.compressed, u->hasher) == 0 &&
            hash_stream_init(&p.plain, u->hasher) == 0)
                r = run(&p, root, err);
        else
                r = err_set(err, ENOMEM, "out of memory");
        hash_stream_clear(&p.compressed);
        hash_stream_clear(&p.plain);
        ring_clear(&p.ring);
        inflater_free(p.inflater);
        free(p.inputs);
        return r;
}
