/* An informer keeps up with a collection: it lists, watches from there on, goes on where a watch ended, and lists anew
 * where the past is gone (410), with a back-off when the server is not there. Its handlers hear of each object's
 * states, in order, though not of all in between.
 *
 * One that keeps has a store of what is there, for who looks things up; one that does not costs no memory, and its
 * handlers keep what they need: they are told when a list begins and ends, so that they find out what has gone.
 * Informers of one client and kind are shared (struct informers). All is of the client's loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"
#include "lib/index.h"
#include "lib/list.h"

struct informer;
struct informers;

#define INFORMER_RETRY_MIN_MS 800 /* back-off, as client-go's reflector: doubled each time, and up to as much again */
#define INFORMER_RETRY_MAX_MS 30000
#define INFORMER_DENIED_MS                                                                                             \
        50 /* the first after a refusal: what a right hangs on may reach the server a moment later                     \
            */

/* Any may be NULL. Objects are lent. */
struct informer_handler {
        /* @old: of what is kept, or of a deletion, the state before; NULL: none, or not known. */
        void (*changed)(struct informer_handler *handler, enum client_change change, struct client_object *object,
                        struct client_object *old);
        /* Of one that does not keep: what comes until end is all that is there. */
        void (*list_begins)(struct informer_handler *handler);
        void (*list_ends)(struct informer_handler *handler);
        struct list_node in_informer;
};

/* @synced(@data) is called once: what was there at first has been told, by each of them. NULL without memory. */
struct informers *informers_new(struct client *client, void (*synced)(void *data), void *data);
void informers_free(struct informers *informers); /* NULL is fine */

/* A kind that the server does not have (404) has no objects. Otherwise that is a failure, and what was known stays:
 * what stands in front of a server that is away says so of everything. Before informers_start(). */
void informers_do_without(struct informers *informers);

/* The informer of @kind's objects in all namespaces, of those that @fields (NULL: all) selects, a text that outlives
 * it; it keeps if anybody has asked for that. Before informers_start(). NULL without memory. */
struct informer *informers_get(struct informers *informers, const struct kube_kind *kind, const char *fields,
                               bool keeps);

/* One of its own of @scope, whose texts outlive it. Before informers_start(). NULL without memory. */
struct informer *informers_add(struct informers *informers, const struct client_scope *scope, bool keeps);

/* Begins to list and watch. 0 or -ENOMEM. */
int informers_start(struct informers *informers);
bool informers_synced(const struct informers *informers); /* all of them */

void informer_add(struct informer *informer, struct informer_handler *handler); /* before it is started */

/* Lists anew in @ms, or sooner where its watch ends: for a handler of one that does not keep, which could not take all
 * it was told. In a call of the handler's list_ends(), or of changed() outside of a list. */
void informer_list_again(struct informer *informer, unsigned ms);

const struct kube_kind *informer_kind(const struct informer *informer);

/* --- what is kept --- */

/* Lent until the loop goes on; NULL: not there. */
struct client_object *informer_find(const struct informer *informer, const char *namespace, const char *name);

/* Those in @namespace (NULL: all), in order. Nothing may change meanwhile: it is for one turn of the loop.
 *
 *     for (struct informer_walk w = informer_first(pods, "default"); w.object; informer_next(&w)) */
struct informer_walk {
        struct index_cursor cursor;
        const char *namespace;
        struct client_object *object;
};
struct informer_walk informer_first(const struct informer *informer, const char *namespace);
void informer_next(struct informer_walk *walk);
