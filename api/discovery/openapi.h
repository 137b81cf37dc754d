/* /openapi/v3, and v2: the documents that clients validate and explain by, one for each group version, and their index.
 *
 * A document is made when it is first asked for, and kept, also in gzip, until the registry changes. Its ETag is the
 * hash that the index has of it: a client that asks with ?hash= may keep the answer for good.
 */
#pragma once

#include "api/server/pipeline.h"
#include "lib/sha1.h"

struct api_openapi;
struct api_request;
struct http_body;
struct kube_registry;

#define API_DOCUMENT_HASH_MAX (2 * SHA1_SIZE + 1) /* with the NUL */

/* @registry outlives it. For the loops of one server, at a time. NULL without memory. */
struct api_openapi *api_openapi_new(const struct kube_registry *registry);
struct api_openapi *api_openapi_free(struct api_openapi *documents); /* NULL is fine; returns NULL */

struct api_document {
        struct http_body *body; /* a reference */
        char hash[API_DOCUMENT_HASH_MAX];
};

/* Paths that no client can ask for: /openapi/v2 as JSON, and as protobuf. */
#define API_DOCUMENT_V2 " v2"
#define API_DOCUMENT_V2_PROTOBUF " v2.pb"

/* That at @path ("apis/apps/v1"; "": the index), made now unless it is kept. From any thread; who asks meanwhile waits.
 * 0; -ENOENT: there is none; -ENOMEM. */
int api_openapi_take(struct api_openapi *documents, const char *path, struct api_document *ret_document);

/* For the table of pages: @rest is the path behind /openapi/v3 without its slash, "apis/apps/v1". */
enum api_step api_openapi_show(struct api_request *r, const char *rest);

/* /openapi/v2: all in one document, for older clients. */
enum api_step api_openapi_show_v2(struct api_request *r, const char *rest);
