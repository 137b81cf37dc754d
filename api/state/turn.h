/* Turns: those who change one object do so one after the other, each from what the one before has made of it.
 *
 * Whoever has the turn says what he makes (api_turn_pend()) before he gives it to the store, and passes the turn on
 * without waiting for the disk: the next one begins from that, and is refused where it was not made (api_change.base).
 * So many changes of one object are one group of the store's, and none is made twice for nothing. A settled turn comes
 * when nothing is pending: for who looks at an object's revision, which is not known before.
 *
 * A change that takes no turn is right all the same: the store refuses what it was not made for.
 */
#pragma once

#include <stdbool.h>

#include "lib/list.h"

struct api_turn;
struct api_turns;
struct bytes;
struct object;

/* Of who waits for a turn; his own. */
struct api_turn_waiter {
        bool settled;
        /* It is his, maybe on another thread. */
        void (*ready)(struct api_turn_waiter *waiter, struct api_turn *turn);
        struct list_node in_turn;
};

struct api_turns *api_turns_new(void);        /* NULL without memory */
void api_turns_free(struct api_turns *turns); /* nobody has one, or waits; NULL is fine */

/* The turn of the object at @key: 0 with *ret_turn; 1: it comes later, by ready(); -ENOMEM. From any thread. */
int api_turn_take(struct api_turns *turns, const char *key, struct api_turn_waiter *waiter, struct api_turn **ret_turn);

/* What the next one begins from, a reference of each; false where nothing is pending. @ret_json is @ret_object's but
 * for the revision, and stays as it is while the writer stamps that one's own. By who has the turn. */
bool api_turn_base(struct api_turn *turn, struct object **ret_object, struct bytes **ret_json);

/* @object is about to go to the store, or with @gone to be taken from there; a reference of each is taken. By who has
 * the turn; api_turn_decided() has to follow. */
void api_turn_pend(struct api_turn *turn, struct object *object, struct bytes *json, bool gone);

/* What became of it is known, and is what readers see. From any thread. */
void api_turn_decided(struct api_turn *turn, const struct object *object);

/* Passes the turn on. */
void api_turn_give(struct api_turn *turn);
