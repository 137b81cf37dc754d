/* A client of the Kubernetes API: what controllers, a scheduler and an agent see of it, wherever they run.
 *
 * A request is about one object, or lists a collection; a watch tells of its changes. All answers come from the loop,
 * never from within the call that asked, and only there may these functions be called. Two back-ends stand behind it:
 * one in the service's own process (api/local/local.h: reads are its cache's bytes, writes go through its pipeline) and
 * HTTPS (client/remote.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/kinds.h"

struct arena;
struct bytes;
struct client;
struct client_call;
struct client_watch;
struct value;

#define CLIENT_CALLS_MAX 1024 /* under way at a time, lists and watches apart; one more is -EBUSY */
#define CLIENT_NAME_MAX 512   /* bytes of a name or namespace, as the path has it */

/* --- objects --- */

/* One version of one object. Immutable, counted; of the loop's thread alone, but for @json, whose bytes are shared. */
struct client_object {
        uint32_t refs;
        int64_t revision;             /* metadata.resourceVersion */
        const char *namespace, *name; /* namespace "": of the cluster */
        struct bytes *json;           /* of one in a list kind and apiVersion may be missing */
};

/* Texts are copied, of @json a reference is taken. NULL without memory. */
struct client_object *client_object_new(int64_t revision, const char *namespace, const char *name, struct bytes *json);
struct client_object *client_object_ref(struct client_object *object);
struct client_object *client_object_unref(struct client_object *object); /* NULL is fine; returns NULL */
void client_object_unrefp(struct client_object **object);
#define _cleanup_client_object_ __attribute__((cleanup(client_object_unrefp)))

/* The object as a tree, and as the struct of @type, in @arena. -EINVAL, -ENOMEM. */
int client_object_tree(struct arena *arena, const struct client_object *object, const struct value **ret_tree);
int client_object_read(struct arena *arena, const struct client_object *object, const struct kube_type *type,
                       void *typed);

/* Whether @text is somewhere in its JSON: for who has no use for most objects. */
bool client_object_mentions(const struct client_object *object, const char *text);

/* --- requests --- */

enum client_patch { CLIENT_PATCH_MERGE, CLIENT_PATCH_JSON, CLIENT_PATCH_STRATEGIC, CLIENT_PATCH_APPLY };

struct client_request {
        uint16_t verb; /* KUBE_VERB_GET, _CREATE, _UPDATE, _PATCH, _DELETE, _DELETECOLLECTION */
        const struct kube_kind *kind;
        const char *namespace, *name; /* NULL: none */
        const char *sub;              /* "status"; NULL: the object itself */
        const char *body;             /* JSON: the object, the patch, DeleteOptions; NULL: none */
        size_t length;
        enum client_patch patch;
        const char *manager; /* fieldManager; NULL: the client's own */
        bool force;          /* of CLIENT_PATCH_APPLY */
};

/* What came of it; gone after the call. */
struct client_answer {
        int code;            /* of HTTP; or a negative errno: there was none */
        const char *reason;  /* a Status' ("NotFound"); "": none */
        const char *message; /* why it failed; "" when it did not */
        struct bytes *body;  /* JSON: the object as it is now, or a Status; NULL: none */
};

static inline bool client_succeeded(const struct client_answer *answer) {
        return answer->code >= 200 && answer->code < 300;
}

typedef void (*client_done)(void *data, const struct client_answer *answer);

/* Sends @request, all of which is copied. 0; -EBUSY, -ENOMEM, -EINVAL (no such path); then nothing comes. @ret_call may
 * be NULL. */
int client_ask(struct client *client, const struct client_request *request, client_done done, void *data,
               struct client_call **ret_call);

/* DeleteOptions as JSON in @arena: texts may be NULL. NULL without memory. */
const char *client_delete_options(struct arena *arena, const char *uid, const char *resource_version,
                                  const char *propagation);

/* --- collections --- */

struct client_scope {
        const struct kube_kind *kind;
        const char *namespace;       /* NULL: all */
        const char *labels, *fields; /* selectors; NULL: none */
};

/* @data is the caller's. A list's objects, lent; then the revision as of which they were, or why there is none:
 * -ESTALE (410), -EACCES (401, 403), -ENOENT (no such resource), another. */
struct client_list_events {
        void (*object)(void *data, struct client_object *object);
        void (*done)(void *data, int error, int64_t revision, const char *why);
};

int client_list(struct client *client, const struct client_scope *scope, const struct client_list_events *events,
                void *data, struct client_call **ret_call);

/* Nothing more comes of it; what was sent may be done all the same. NULL is fine. Not after its done(). */
void client_cancel(struct client_call *call);

enum client_change { CLIENT_ADDED, CLIENT_MODIFIED, CLIENT_DELETED };

/* @object is lent. ended() is the last: 0 (the server had it long enough: go on where it was), -ESTALE (list anew), or
 * another errno, with @why. */
struct client_watch_events {
        void (*changed)(void *data, enum client_change change, struct client_object *object);
        void (*bookmark)(void *data, int64_t revision);
        void (*ended)(void *data, int error, const char *why);
};

/* Watches what changes behind @revision. 0, -ESTALE (that is gone), -ENOENT, -ENOMEM, -EBUSY, -EINVAL. */
int client_watch(struct client *client, const struct client_scope *scope, int64_t revision,
                 const struct client_watch_events *events, void *data, struct client_watch **ret_watch);
void client_watch_free(struct client_watch *watch); /* not after its ended(); NULL is fine */
