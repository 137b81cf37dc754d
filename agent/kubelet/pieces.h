/* An answer whose pieces are made on the pool, each when the client has taken what came before: files and journals of
 * the host, which may be large, and behind which a disk may hang. A request has one at most.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/pool.h"

struct arena;
struct bytes;
struct kubelet_pieces;
struct kubelet_request;

#define KUBELET_PIECE_SIZE ((size_t)256 << 10) /* what a piece has about */
#define KUBELET_PIECES_MAX 256                 /* answers of that kind at a time, each of which holds a piece or two */

/* Who makes them. The first member of his own struct is a struct kubelet_pieces. */
struct kubelet_pieces_maker {
        size_t size; /* of that struct */

        /* On the pool, one call at a time: puts the next piece into p->piece (none at this turn is fine, as is an empty
         * one), and sets p->ended with the last. 0 or a negative errno. */
        int (*make)(struct kubelet_pieces *p);

        /* On the loop, after the first call, which gave @result: answers with a head, pieces follow. 0, or a negative
         * errno that the exchange is reset with. 1: it was another answer, and the pieces were freed. */
        int (*begin)(struct kubelet_pieces *p, int result);

        /* On the loop, when the client goes while make() may be at work. May be NULL. */
        void (*unwanted)(struct kubelet_pieces *p);

        /* Frees what is his of it. */
        void (*clear)(struct kubelet_pieces *p);
};

struct kubelet_pieces {
        struct pool_job job; /* first */
        const struct kubelet_pieces_maker *maker;
        struct kubelet_request *q; /* held */
        struct arena *arena;       /* for what is asked */
        struct bytes *piece;
        int result; /* of make() */
        bool began; /* it is answered: begin() was called */
        bool ended;
        bool working; /* a job is under way */
};

/* Whether there are so many of them that no other is to be begun. */
bool kubelet_pieces_full(void);

/* Zero but for what is above, for q; NULL without memory. */
struct kubelet_pieces *kubelet_pieces_new(struct kubelet_request *q, const struct kubelet_pieces_maker *maker);

/* Has the first piece made. */
void kubelet_pieces_start(struct kubelet_pieces *p);

/* Not while make() may be at work. The exchange is left alone. */
void kubelet_pieces_free(struct kubelet_pieces *p);

/* What q's client has done: taken what waited; gone. */
void kubelet_pieces_drained(struct kubelet_request *q);
void kubelet_pieces_closed(struct kubelet_request *q);
