/* OpenAPI v2 of the API, all group versions in one document: what kubectl before 1.27 and old tools ask for. It is made
 * of the documents of v3, which say more. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct json_writer;
struct kube_registry;

/* Writes the document. 0, or the error of @out. */
int openapi_write_version2(struct json_writer *out, const struct kube_registry *registry);

/* Such a document's JSON as gnostic's openapi.v2.Document, allocated. 0, -EINVAL, -ENOMEM. */
int openapi_version2_protobuf(const char *json, size_t length, uint8_t **ret_bytes, size_t *ret_size);
