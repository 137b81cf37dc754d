#include "api/state/turn.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/object.h"
#include "lib/bytes.h"
#include "lib/table.h"

LIST_DEFINE(waiters, struct api_turn_waiter, in_turn)

/* There while somebody has it, waits for it, or has a change pending. */
struct api_turn {
        struct api_turns *turns;
        struct table_node in_turns;
        bool taken, gone;
        unsigned n_pending;
        struct object *object; /* the last that is pending; NULL: none is */
        struct bytes *json;
        struct waiters waiters;
        char key[];
};

struct api_turns {
        pthread_mutex_t lock; /* of all turns */
        struct table all;
};

struct api_turns *api_turns_new(void) {
        struct api_turns *turns = calloc(1, sizeof(*turns));

        if (turns)
                pthread_mutex_init(&turns->lock, NULL);
        return turns;
}

void api_turns_free(struct api_turns *turns) {
        if (!turns)
                return;
        assert(turns->all.n == 0);
        table_clear(&turns->all);
        pthread_mutex_destroy(&turns->lock);
        free(turns);
}

static struct api_turn *find_or_make(struct api_turns *turns, const char *key) {
        struct api_turn *turn = table_object(table_find(&turns->all, key), struct api_turn, in_turns);
        size_t n = strlen(key) + 1;

        if (turn)
                return turn;
        turn = calloc(1, sizeof(*turn) + n);
        if (!turn)
                return NULL;
        turn->turns = turns;
        memcpy(turn->key, key, n);
        if (table_add(&turns->all, &turn->in_turns, turn->key) < 0) {
                free(turn);
                return NULL;
        }
        return turn;
}

static bool is_free_for(const struct api_turn *turn, const struct api_turn_waiter *waiter) {
        return !turn->taken && (turn->n_pending == 0 || (!waiter->settled && !turn->gone && turn->object));
}

static void forget(struct api_turn *turn) {
        turn->object = object_unref(turn->object);
        turn->json = bytes_unref(turn->json);
        turn->gone = false;
}

/* Who is next and may have it; NULL: nobody. What nobody uses goes. With the lock held. */
static struct api_turn_waiter *choose(struct api_turn *turn) {
        struct api_turn_waiter *next = waiters_first(&turn->waiters);

        if (next && is_free_for(turn, next)) {
                waiters_remove(next);
                turn->taken = true;
                return next;
        }
        if (!next && !turn->taken && turn->n_pending == 0) {
                table_remove(&turn->turns->all, &turn->in_turns);
                free(turn);
        }
        return NULL;
}

/* The lock is held, and let go of. */
static void pass_on(struct api_turn *turn) {
        struct api_turns *turns = turn->turns;
        struct api_turn_waiter *next = choose(turn);

        pthread_mutex_unlock(&turns->lock);
        if (next)
                next->ready(next, turn);
}

int api_turn_take(struct api_turns *turns, const char *key, struct api_turn_waiter *waiter,
                  struct api_turn **ret_turn) {
        struct api_turn *turn;
        int r = 0;

        pthread_mutex_lock(&turns->lock);
        turn = find_or_make(turns, key);
        if (!turn) {
                r = -ENOMEM;
        } else if (waiters_is_empty(&turn->waiters) && is_free_for(turn, waiter)) {
                turn->taken = true;
                *ret_turn = turn;
        } else {
                waiters_append(&turn->waiters, waiter);
                r = 1;
        }
        pthread_mutex_unlock(&turns->lock);
        return r;
}

bool api_turn_base(struct api_turn *turn, struct object **ret_object, struct bytes **ret_json) {
        bool pending;

        pthread_mutex_lock(&turn->turns->lock);
        assert(turn->taken);
        pending = turn->object && !turn->gone;
        if (pending) {
                *ret_object = object_ref(turn->object);
                *ret_json = bytes_ref(turn->json);
        }
        pthread_mutex_unlock(&turn->turns->lock);
        return pending;
}

void api_turn_pend(struct api_turn *turn, struct object *object, struct bytes *json, bool gone) {
        pthread_mutex_lock(&turn->turns->lock);
        assert(turn->taken);
        forget(turn);
        turn->object = object_ref(object);
        turn->json = bytes_ref(json);
        turn->gone = gone;
        turn->n_pending++;
        pthread_mutex_unlock(&turn->turns->lock);
}

void api_turn_decided(struct api_turn *turn, const struct object *object) {
        pthread_mutex_lock(&turn->turns->lock);
        assert(turn->n_pending > 0);
        turn->n_pending--;
        if (turn->object == object)
                forget(turn);
        pass_on(turn);
}

void api_turn_give(struct api_turn *turn) {
        pthread_mutex_lock(&turn->turns->lock);
        assert(turn->taken);
        turn->taken = false;
        pass_on(turn);
}
