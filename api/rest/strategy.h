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
        API_CONDITIONAL = 1 << 3,       /* PUT has to say which version it replaces */
        API_RENEWS = 1 << 24,           /* what renews itself (spec.renewTime) may be lost with a power cut */
};

struct api_strategy {
        const char *group, *resource;
        unsigned flags;
        /* Any may be NULL. To an object before its defaults; to a new one once these are in it and it is known who owns
         * what: 0 or a negative errno. */
        int (*shape)(struct api_request *r, struct value_edit *edit, const struct value *object);
        int (*create)(struct api_request *r, struct value_edit *edit);
        /* What more holds an object that is being deleted, beside finalizers. */
        bool (*held)(const struct value *object);
        /* The seconds that an object may go on for when its deletion is asked for; NULL: none. */
        int64_t (*grace)(const struct api_request *r, const struct value *object);
};

/* Never NULL. */
const struct api_strategy *api_strategy_of(const struct kube_kind *kind);

/* Of CertificateSigningRequests (api/rest/requester.c), as struct api_strategy has it. */
int api_shape_signing_request(struct api_request *r, struct value_edit *edit, const struct value *object);

/* Whether the kind has a status that only its subresource changes. */
bool api_has_status(const struct kube_kind *kind);
