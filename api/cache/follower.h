/* Followers: whatever is derived from a collection's objects is told those that are there, and then each change in
 * order, on the thread that makes it and before whoever made it hears of it.
 */
#pragma once

#include "api/cache/collection.h"

/* Members of the owner, to be zero at first. */
struct collection_follower {
        struct collection_listener listener;
        struct collection *collection; /* NULL: it follows none */
        uint64_t next;                 /* number of the event to be told next */

        /* @now is what is there, NULL: it was deleted; @before is what was there, NULL: nothing. Both are lent. 0, or a
         * negative errno that ends collection_follow(); later changes cannot be refused, and it deals with that. */
        int (*told)(struct collection_follower *follower, struct object *now, struct object *before);
};

/* 0; what told() says of an object that is there; -ENOMEM. */
int collection_follow(struct collection *collection, struct collection_follower *follower);

/* It hears of nothing any more. One that follows nothing is fine. */
void collection_unfollow(struct collection_follower *follower);
