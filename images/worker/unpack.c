#include "images/worker/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/worker/hash.h"
#include "images/worker/inflate.h"
#include "images/worker/ring.h"
#include "images/worker/tar.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define INPUT_SIZE (256 * 1024)
#define INPUT_MIN (128 * 1024) /* waited for, so that a thread wakes seldom */

/* The inflating thread's side. */
struct pipe {
        struct unpack *unpack;
        struct ring ring;
        struct inflater *inflater;
        struct hash *compressed, *plain;
        uint8_t *input; /* for what the feed has in its file */
        uint64_t offset;
        const uint8_t *in; /* what of the last input is not used up */
        size_t n_in;
        bool end; /* of the blob */
};

/* Reads the next input, @min bytes if the blob has them, once the one before was used up. Returns its size, 0 at the
 * blob's end. */
static ssize_t read_input(struct pipe *p, size_t min, const uint8_t **ret_bytes, struct err **err) {
        struct feed *feed = p->unpack->feed;
        ssize_t n;

        feed_release(feed, p->offset);
        n = feed_get(feed, &(struct feed_wish){ p->offset, min, INPUT_SIZE, p->input }, ret_bytes, err);
        if (n <= 0)
                return n;
        hash_add(p->compressed, *ret_bytes, (size_t)n);
        p->offset += (uint64_t)n;
        if (p->unpack->progress)
                p->unpack->progress(p->unpack->data, p->offset);
        return n;
}

/* Fills one buffer of the ring as far as the blob allows, so that tar's blocks never straddle two. */
static int fill_buffer(struct pipe *p, uint8_t *buffer, size_t *ret_n, struct err **err) {
        size_t room = RING_BUFFER_SIZE;
        uint8_t *out = buffer;
        int r;

        for (;;) {
                r = inflater_run(p->inflater, &p->in, &p->n_in, &out, &room, err);
                if (r < 0)
                        return r;
                if (room == 0)
                        break;
                if (p->n_in > 0)
                        return err_set(err, EBADMSG, "the compressed data makes no progress");
                ssize_t n = read_input(p, INPUT_MIN, &p->in, err);
                if (n < 0)
                        return (int)n;
                if (n == 0) {
                        p->end = true;
                        break;
                }
                p->n_in = (size_t)n;
        }
        *ret_n = RING_BUFFER_SIZE - room;
        hash_add(p->plain, buffer, *ret_n);
        return 0;
}

static int check_digest(const char *what, const char *wanted, const char *got, struct err **err) {
        if (!wanted || strcmp(wanted, got) == 0)
                return 0;
        return err_set(err, EBADMSG, "%s is %s, but must be %s", what, got, wanted);
}

static int check_digests(struct pipe *p, struct err **err) {
        struct unpack *u = p->unpack;
        int r;

        hash_finish(p->compressed, u->ret_digest);
        hash_finish(p->plain, u->ret_diff_id);
        if ((r = check_digest("the blob's digest", u->digest, u->ret_digest, err)) < 0 ||
            (r = inflater_finish(p->inflater, err)) < 0)
                return r;
        return check_digest("the layer's diff id", u->diff_id, u->ret_diff_id, err);
}

static int inflate_all(struct pipe *p, struct err **err) {
        /* the first bytes tell the compression; a slow network may bring them one by one */
        ssize_t first = read_input(p, INFLATE_TELL_MAX, &p->in, err);
        size_t n = 0;

        if (first < 0)
                return (int)first;
        p->n_in = (size_t)first;
        while (!p->end) {
                uint8_t *buffer = ring_buffer(&p->ring);
                int r;

                if (!buffer) /* the writer has failed and says why */
                        return 0;
                r = fill_buffer(p, buffer, &n, err);
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
        struct pipe p = { .unpack = u,
                          .inflater = inflater_new(),
                          .compressed = hash_new(),
                          .plain = hash_new(),
                          .input = malloc(INPUT_SIZE) };
        int r = ring_init(&p.ring);

        if (r == 0 && p.inflater && p.input && p.compressed && p.plain)
                r = run(&p, root, err);
        else
                r = err_set(err, ENOMEM, "out of memory");
        ring_clear(&p.ring);
        inflater_free(p.inflater);
        hash_free(p.compressed);
        hash_free(p.plain);
        free(p.input);
        return r;
}
