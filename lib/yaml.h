/* Reading of YAML into values, as Kubernetes' tools read it (sigs.k8s.io/yaml: YAML 1.1 scalars, so `yes`, `on` and
 * `off` are booleans and 0644 is octal), each key once in a map, merge keys (`<<`) and aliases followed, keys that
 * are numbers or booleans taken as their text. JSON is read as well. Tags: those that say how a scalar is read,
 * !!binary among them; others make it a text.
 *
 * Aliases share what they name, so a document of nested aliases needs no memory; it is refused all the same when its
 * expansion passes VALUE_NODES_MAX.
 */
#pragma once

#include <stddef.h>

struct arena;
struct err;
struct value;
struct value_options;

/* Reads all documents of the stream into a list; empty documents are left out. Returns as json_parse(). */
int yaml_parse_all(struct arena *arena, const char *text, size_t length, const struct value_options *options,
                   const struct value **ret_documents, struct err **err);

/* Reads exactly one document: -ENODATA when there is none, -EINVAL with the second one's line when there are more. With
 * @options->warn it is the first, whatever is behind it; and \' is an escape in double quotes, as in Go's reader. */
int yaml_parse(struct arena *arena, const char *text, size_t length, const struct value_options *options,
               const struct value **ret_value, struct err **err);
