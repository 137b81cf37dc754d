/* OpenAPI v3 documents of the API, made of the registry: what clients ask to validate, to explain and to find out what
 * a server can do.
 *
 * A document is one group version's: the schemas of its kinds and of all they hold, by the rows of their types, and the
 * paths of its resources by their verbs. Kinds that come at run time are in it as the others are. There are no
 * descriptions: the facts have none.
 *
 *     openapi_write(&w, registry, "apps", "v1");     /openapi/v3/apis/apps/v1
 */
#pragma once

struct json_writer;
struct kube_registry;

/* Writes the document; what fails sticks in @out. -ENOENT when the registry has no resource of that group version, else
 * the error of @out, or 0. */
int openapi_write(struct json_writer *out, const struct kube_registry *registry, const char *group,
                  const char *version);

/* Writes what /openapi/v3 answers: every group version's document, with a hash of it, so that a client knows whether it
 * has it. All of them are made for that: who serves it keeps the answer. 0 or the error of @out. */
int openapi_write_index(struct json_writer *out, const struct kube_registry *registry);
