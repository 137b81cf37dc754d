/* What a pod gets of the API's objects that it names: ConfigMaps, Secrets and service account tokens, as they were at
 * one moment.
 *
 * Both kinds of struct are immutable and counted, so that a job on the pool makes volumes of what the loop knows, while
 * that changes. Errors are in kubelet's words.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/types.h"

struct arena;
struct err;
struct pod;
struct value;

enum pod_object_kind { POD_CONFIG_MAP, POD_SECRET };

struct pod_object_key {
        const char *key;
        const char *data; /* with a NUL behind it */
        size_t length;
        bool binary; /* of a ConfigMap's binaryData */
};

/* A ConfigMap or a Secret. */
struct pod_object {
        const char *type; /* a Secret's; "" */
        bool immutable;
        const struct pod_object_key *keys; /* in order */
        size_t n_keys;
        struct arena *arena; /* owns all of it */
        atomic_uint references;
};

/* Of the API's object @tree; a Secret's data is decoded. -EINVAL, -ENOMEM. */
int pod_object_read(enum pod_object_kind kind, const struct value *tree, struct pod_object **ret_object,
                    struct err **err);
struct pod_object *pod_object_ref(struct pod_object *object);
struct pod_object *pod_object_unref(struct pod_object *object); /* NULL is fine; returns NULL */

/* NULL: it has no such key. */
const struct pod_object_key *pod_object_find(const struct pod_object *object, const char *key);

/* --- which a pod names ------------------------------------------------------------------------------------ */

/* Calls @each for every ConfigMap and Secret that the pod's volumes, variables and image pulls name, again for one that
 * it names again; what @each returns, when that is not 0, ends it and is returned. */
int pod_each_named(const struct pod *pod, int (*each)(void *data, enum pod_object_kind kind, const char *name),
                   void *data);

/* Likewise for each token that its volumes want: @audience "" is the API itself. */
int pod_each_token(const struct pod *pod, int (*each)(void *data, const char *audience, int64_t seconds), void *data);

/* --- what is known of them -------------------------------------------------------------------------------- */

enum pod_source_state {
        POD_SOURCE_UNKNOWN, /* the service has not said yet */
        POD_SOURCE_MISSING,
        POD_SOURCE_THERE,
};

struct pod_source {
        enum pod_object_kind kind;
        enum pod_source_state state;
        const char *name;
        struct pod_object *object; /* of one that is there; a reference */
};

struct pod_source_token {
        const char *audience;
        int64_t seconds;
        const char *text; /* NULL: there is none */
        const char *why;  /* it was not given; "": not answered yet */
        bool left_out;    /* the pod goes on without it until it comes */
};

struct pod_sources {
        struct pod_source *objects;
        struct pod_source_token *tokens;
        size_t n_objects, n_tokens;
        string_map services; /* of what was kept from before: the variables of Services */
        struct arena *arena;
        atomic_uint references;
};

/* With room for so many, none of which is known; NULL without memory. */
struct pod_sources *pod_sources_new(size_t n_objects, size_t n_tokens);
struct pod_sources *pod_sources_ref(struct pod_sources *sources);
struct pod_sources *pod_sources_unref(struct pod_sources *sources); /* NULL is fine; returns NULL */

/* The object, lent. -ENOENT: there is none, also with @sources NULL; -EAGAIN: not known yet. */
int pod_sources_object(const struct pod_sources *sources, enum pod_object_kind kind, const char *name,
                       const struct pod_object **ret_object, struct err **err);

/* The token's text, lent; NULL: it is left out. -EAGAIN. */
int pod_sources_token(const struct pod_sources *sources, const char *audience, int64_t seconds, const char **ret_text,
                      struct err **err);
