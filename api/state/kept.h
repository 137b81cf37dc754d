/* What whole lists of a resource were answered with, kept until the resource changes: the list's items as they are
 * sent, without the head that says as of which revision they are. Safe across threads. */
#pragma once

#include <stdint.h>

struct api_resource;
struct http_body;
struct kube_kind;

#define API_KEPT_LISTS_MAX 4                   /* of a resource */
#define API_KEPT_BYTES_MAX ((int64_t)48 << 20) /* of all resources, the compressed form not counted */

struct api_kept_key {
        const struct kube_kind *kind; /* in whose version items are */
        int form;                     /* any number of the caller's */
        const char *namespace;        /* NULL: all */
};

/* A reference of the list's rest, and as of which revision it is; NULL: none is kept that is as the resource is now. */
struct http_body *api_kept_find(struct api_resource *resource, const struct api_kept_key *key, int64_t *ret_revision);

/* Keeps a reference of @body, made of the resource as it was after its change @last (collection_page.last), where there
 * is room. */
void api_kept_put(struct api_resource *resource, const struct api_kept_key *key, int64_t last, struct http_body *body);

/* The resource has changed, or goes. */
void api_kept_drop(struct api_resource *resource);
