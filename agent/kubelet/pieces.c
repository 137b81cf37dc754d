#include "agent/kubelet/pieces.h"

#include <stdlib.h>

#include "agent/kubelet/internal.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

static unsigned n_all; /* on the loop; also those whose kubelet has gone */

bool kubelet_pieces_full(void) {
        return n_all >= KUBELET_PIECES_MAX;
}

struct kubelet_pieces *kubelet_pieces_new(struct kubelet_request *q, const struct kubelet_pieces_maker *maker) {
        struct kubelet_pieces *p = calloc(1, maker->size);

        if (!p || !(p->arena = arena_new())) {
                free(p);
                return NULL;
        }
        p->maker = maker;
        p->q = q;
        kubelet_hold(q);
        n_all++;
        q->pieces = p;
        return p;
}

void kubelet_pieces_free(struct kubelet_pieces *p) {
        struct kubelet_request *q = p->q;

        if (q->pieces == p)
                q->pieces = NULL;
        n_all--;
        p->maker->clear(p);
        bytes_unref(p->piece);
        arena_free(p->arena);
        free(p);
        kubelet_drop(q);
}

static void work(struct pool_job *job) {
        struct kubelet_pieces *p = (struct kubelet_pieces *)job;

        p->result = p->maker->make(p);
}

static int send_piece(struct kubelet_pieces *p) {
        struct bytes *piece = TAKE_PTR(p->piece);
        int r = piece && piece->size > 0 ? http_send_bytes(p->q->x, piece) : 0;

        bytes_unref(piece);
        return r;
}

/* @p is gone when it has ended. 0 or a negative errno. */
static int go_on(struct kubelet_pieces *p) {
        int r;

        if (p->result < 0)
                return p->result;
        if ((r = send_piece(p)) < 0)
                return r;
        if (p->ended) {
                r = http_end(p->q->x, NULL, 0);
                kubelet_pieces_free(p);
                return r;
        }
        if (http_pending(p->q->x) <= KUBELET_PIECE_SIZE)
                kubelet_pieces_start(p);
        return 0;
}

static void done(struct pool_job *job) {
        struct kubelet_pieces *p = (struct kubelet_pieces *)job;
        struct http_exchange *x = p->q->x;
        int r = 0;

        p->working = false;
        if (p->q->pieces != p)
                return kubelet_pieces_free(p);
        if (!p->began) {
                p->began = true;
                r = p->maker->begin(p, p->result);
        }
        if (r == 0)
                r = go_on(p);
        if (r < 0)
                http_reset(x, r);
}

void kubelet_pieces_start(struct kubelet_pieces *p) {
        p->working = true;
        p->job = (struct pool_job){ .work = work, .done = done };
        pool_submit(p->q->kubelet->world.pool, &p->job);
}

void kubelet_pieces_drained(struct kubelet_request *q) {
        struct kubelet_pieces *p = q->pieces;

        if (p && p->began && !p->working)
                kubelet_pieces_start(p);
}

void kubelet_pieces_closed(struct kubelet_request *q) {
        struct kubelet_pieces *p = q->pieces;

        q->pieces = NULL;
        if (!p)
                return;
        if (!p->working)
                kubelet_pieces_free(p);
        else if (p->maker->unwanted)
                p->maker->unwanted(p);
}
