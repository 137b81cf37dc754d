/* The API's state: each resource's objects as they are now (api/cache), filled from the store, and changed by way of
 * it.
 *
 * A change is made on a loop, goes to the store's writer, and on the writer's thread into the resource's collection,
 * before whoever made it hears that it was made: what was answered is what the next list and watch see.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/cache/object.h"
#include "store/store.h"

struct api_resource;
struct api_state;
struct api_turn;
struct api_turns;
struct arena;
struct bytes;
struct err;
struct kube_kind;
struct kube_registry;
struct value;

struct api_state_options {
        const char *directory;                /* NULL: in memory alone */
        const struct kube_registry *registry; /* outlives the state */
};

/* Opens the store and reads all. Blocks. Errors as store_open(). */
int api_state_open(const struct api_state_options *options, struct api_state **ret_state, struct err **err);

/* Makes durable what was submitted, and closes the store: there are no changes any more. */
void api_state_settle(struct api_state *state);

/* No request is under way. NULL is fine. */
void api_state_close(struct api_state *state);

/* Where @kind's objects are; NULL: it is not kept (a review, a list). */
struct api_resource *api_state_resource(const struct api_state *state, const struct kube_kind *kind);
struct api_resource *api_state_find(const struct api_state *state, const char *group, const char *resource);

/* Of all objects. */
struct api_turns *api_state_turns(const struct api_state *state);

/* Calls @visit for all, in no order. */
void api_state_each(const struct api_state *state, void (*visit)(void *data, const struct api_resource *resource),
                    void *data);

/* The revision up to which every collection has been told all. */
int64_t api_state_revision(const struct api_state *state);

/* Whether the store can be read: 0, or a negative errno with what happened. Blocks for a read of the disk at most. From
 * any thread, until it is settled. */
int api_state_check(const struct api_state *state, struct err **err);

/* Of revisions before this one there are no lists any more. */
int64_t api_state_compacted(const struct api_state *state);

/* Forgets what was before the revision that there was at the call before this one, as kube-apiserver has etcd do: what
 * is of now stays for as long as the calls are apart. Of one thread. */
void api_state_compact(struct api_state *state);

/* JSON in an arena. */
struct api_json {
        const char *text; /* NULL: there is none */
        size_t length;
        void *object; /* the struct that it was written from, in the same arena; NULL: none */
};

/* A change of one object; its maker's, until @done. */
struct api_change {
        struct api_resource *resource;
        int64_t expected;      /* as store_change */
        struct object *object; /* what is made, its revision included; of a deletion, what was there last */
        struct object *base;   /* what it was made of and is not in the store yet: its revision is expected, when it is
                                * known. NULL: @expected. A reference of the change's */
        struct api_turn *turn; /* that was told api_turn_pend() of @object; NULL: none */
        bool deletes;
        bool lazy, makes_room; /* as store_change */

        /* On the writer's thread: must not wait, and may free the change. @code as store_result's. */
        void (*done)(struct api_change *change, int code, const char *text);
        void *data;

        /* The state's. */
        struct api_state *state;
        struct store_change store;
        struct bytes *json; /* @object's, written to until it is made */
        char *key;
        uint32_t at, digits, length; /* where the revision stands in the JSON; bytes in all without it */
};

/* Prepares a change to @tree, whose JSON is @json: compact, by api_settle() and thus with "resourceVersion" in its
 * metadata. 0, or a negative errno: -ENAMETOOLONG for a name that no key has room for, which is for those that need be
 * no more than a path's segment. */
int api_change_init(struct api_change *change, struct api_state *state, struct api_resource *resource,
                    struct arena *arena, const struct value *tree, const struct api_json *json);
void api_change_deinit(struct api_change *change); /* a zeroed one is fine */

/* 0, or as store_submit(), and then @done is never called. */
int api_change_submit(struct api_change *change);
