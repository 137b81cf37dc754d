/* What is known of the objects of a kind, read once for all controllers that look at it: labels, owner, what they
 * select, and of pods their state. They are found by name, and by owner.
 *
 * It is fed by an informer, before the controllers hear of a change, and by what the controllers' own requests were
 * answered: so that who has made an object sees it at once, and nothing is made twice because a watch is late. What was
 * answered counts until the watch has come as far.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/client.h"
#include "client/informer.h"
#include "kube/selector/label.h"
#include "kube/types.h"
#include "lib/list.h"

struct arena;
struct known;
struct kube_type;

enum known_phase { KNOWN_PENDING, KNOWN_UNKNOWN, KNOWN_RUNNING, KNOWN_SUCCEEDED, KNOWN_FAILED };

struct known_port {
        const char *name, *protocol;
        int32_t number;
};

#define KNOWN_PORTS_MAX 1024 /* of a pod; those beyond have no endpoints by name */
#define KNOWN_IPS_MAX 16

struct known_pod {
        enum known_phase phase;
        bool ready;
        int64_t ready_since;                     /* when that was told last, s since 1970; 0: never */
        const char *node, *hostname, *subdomain; /* "": none */
        const char *const *ips;                  /* the first is podIP */
        const struct known_port *ports;          /* of containers, and of sidecars behind them */
        unsigned n_ips, n_ports;
        unsigned restarts, sidecar_restarts; /* of the container that has most of them */
        int32_t deletion_cost;
};

/* Immutable but for its last members, and lent until the loop goes on. */
struct known_object {
        const char *namespace, *name, *uid;
        int64_t revision, created; /* s since 1970 */
        string_map labels;
        const char *owner, *owner_kind, *owner_name; /* its controller: "": none */
        bool deleting;
        struct selector_labels selector; /* .nothing also where it has none */
        const struct known_pod *pod;     /* NULL: it is none */
        struct bytes *json;              /* NULL: of a pod */
        struct arena *arena;             /* its own */

        uint64_t namespace_id, owner_id; /* hashes that stand for the texts */

        bool leaving;  /* its deletion was answered */
        bool assumed;  /* the watch has not told of it yet */
        uint64_t mark; /* whoever walks over them leaves it */
        void *typed;
        struct list_node in_assumed;
};

/* What the informer is just telling; either may be NULL. */
struct known_change {
        const struct known_object *before, *now;
};

/* Of @informer, which it joins. NULL without memory. */
struct known *known_new(struct informer *informer);
void known_free(struct known *known); /* NULL is fine */

struct informer *known_informer(const struct known *known);
const struct kube_kind *known_kind(const struct known *known);
struct known_change known_change(const struct known *known);

/* @object, which is no pod, as the struct of @type: as kube_json_read(). */
int known_decode(struct arena *arena, const struct known_object *object, const struct kube_type *type, void *typed);

/* NULL: it is not there. */
struct known_object *known_find(const struct known *known, const char *namespace, const char *name);

/* Walk over those of @namespace (NULL: all) in order, and over those that @owner (a uid; "": nobody) controls there.
 * Nothing may change meanwhile.
 *
 *     for (struct known_walk w = known_first(pods, "default"); w.object; known_next(&w)) */
struct known_walk {
        struct index_cursor cursor;
        uint64_t namespace_id, owner_id;
        bool one_namespace, one_owner;
        struct known_object *object;
};
struct known_walk known_first(const struct known *known, const char *namespace);
struct known_walk known_first_owned(const struct known *known, const char *owner, const char *namespace);
void known_next(struct known_walk *walk);

/* The object as its type's struct, read when first asked for: lent as the object is. NULL: it cannot be read, which was
 * logged, or there is no memory. Not of pods. */
const void *known_typed(const struct known *known, const struct known_object *object);

/* Takes over what a request was answered: the object as it is now. NULL: it cannot be read. */
const struct known_object *known_assume(struct known *known, struct bytes *json);

/* What was asked to go is not counted on any more. */
void known_leave(struct known *known, const char *namespace, const char *name, const char *uid);

/* The value of a label, for selectors. */
const char *known_label(const void *object, const char *key);
bool known_labels_equal(const string_map *a, const string_map *b);
bool known_selects(const struct selector_labels *selector, const struct known_object *object);

/* --- for its files --- */

/* Reads @o, which has its arena, from its tree; @map: its selector is a plain map. 0, -EINVAL (its selector), -ENOMEM.
 */
struct value;
int known_read(const struct value *tree, bool map, bool pod, struct known_object *o);
extern const char known_paths[]; /* that it wants */
uint64_t known_id(const char *text);

/* --- pods --- */

bool known_is_active(const struct known_object *pod);      /* it runs, or will */
bool known_is_terminating(const struct known_object *pod); /* it is going, and has not ended */

/* When a pod that is ready has been so for @seconds, s since 1970; INT64_MAX: it is not ready. */
int64_t known_available_at(const struct known_object *pod, int32_t seconds);

/* Reads a pod into @arena by the tree of it. NULL without memory. */
const struct known_pod *known_pod_read(struct arena *arena, const struct value *tree);
extern const char known_pod_paths[];                                          /* that it wants */
bool known_pod_differs(const struct known_pod *a, const struct known_pod *b); /* in what counts pods */
