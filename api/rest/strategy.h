/* What is particular to a kind on its way into the store, beyond its schema: a table of flags and small functions.
 * Whoever is not in it is as a custom resource is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct api_request;
struct kube_kind;
struct value;
struct value_edit;

enum {
        API_GENERATION = 1 << 0,        /* metadata.generation counts changes of all but metadata and status */
        API_RETURNS_DELETED = 1 << 1,   /* DELETE answers the object, not a Status */
        API_CREATES_ON_UPDATE = 1 << 2, /* PUT makes what is not there */
        API_CONDITIONAL = 1 << 6,       /* PUT has to say which version it replaces */

        /* Of a generation: what counts beside what it says of what is wanted; from the first change on; or nothing. */
        API_COUNTS_ANNOTATIONS = 1 << 7,
        API_COUNTS_LABELS = 1 << 8,
        API_COUNTS_LATE = 1 << 9,
        API_COUNTS_NEVER = 1 << 10,

        API_KEEPS_STATUS = 1 << 11, /* a new one may bring its status */

        /* What its status door leaves alone of the metadata: labels, owners, all of it. */
        API_STATUS_LABELS = 1 << 12,
        API_STATUS_OWNERS = 1 << 13,
        API_STATUS_PLAIN = 1 << 14,

        /* What depends on it stays when nobody says what becomes of it; or nothing can depend on it. */
        API_ORPHANS = 1 << 15,
        API_NO_GARBAGE = 1 << 16,

        API_NAMED_BY_UID = 1 << 18, /* one without a name gets a uid as its name */

        API_MARKED_PLAINLY = 1 << 17, /* one that is to go is told no grace, and is no other generation */
        API_RENEWS = 1 << 24,         /* what renews itself (spec.renewTime) may be lost with a power cut */
        API_RECOUNTED = 1 << 25,      /* so may its status, which is counted anew at each start */
};

struct api_strategy {
        const char *group, *resource;
        unsigned flags;
        /* Any may be NULL. They give 0 or a negative errno. To any before its defaults; then, when these are in it; to
         * a new one, and to one that has changed, once it is known who owns what and admission has been at it. */
        int (*shape)(struct api_request *r, struct value_edit *edit, const struct value *object);
        int (*settled)(struct api_request *r, struct value_edit *edit, const struct value *object);
        int (*create)(struct api_request *r, struct value_edit *edit);
        int (*update)(struct api_request *r, struct value_edit *edit);
        /* Those that no DELETE takes away, and why not. */
        bool (*stays)(const char *name);
        const char *stays_why;
        /* What more holds an object that is being deleted, beside finalizers. */
        bool (*held)(const struct value *object);
        /* The seconds that an object may go on for when its deletion is asked for; NULL: none. */
        int64_t (*grace)(const struct api_request *r, const struct value *object);
};

/* Never NULL. */
const struct api_strategy *api_strategy_of(const struct kube_kind *kind);

/* Whether r->next counts as another generation of r->current_tree. */
bool api_is_next_generation(const struct api_request *r);

/* Whether the kind has a status that only its subresource changes. */
bool api_has_status(const struct kube_kind *kind);
