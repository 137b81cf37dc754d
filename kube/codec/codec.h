/* Typed objects from and to JSON and Kubernetes' protobuf form, by the rows of their type (kube/type.h).
 *
 * An @object is a C struct of @type with a size; readers want it zeroed and put what it points to into @arena. Nothing
 * of the source is kept. An enum's value that is not known is text as any other: a newer server's objects are read.
 * What a failed read left in object and arena is not to be used.
 *
 * Of hostile input: nesting is bounded by KUBE_DEPTH_MAX, and memory by KUBE_MEMORY_BASE and so many times the input's
 * size; lists and maps of any length fit in between.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct json_writer;
struct kube_type;
struct problems;
struct value;

#define KUBE_DEPTH_MAX 100
#define KUBE_MEMORY_BASE ((size_t)1 << 20)
#define KUBE_MEMORY_FACTOR 64
#define KUBE_INPUT_MAX ((size_t)1 << 30)

/* Reads JSON without making a tree of it. Returns 0, -EINVAL (not JSON, or a field of another kind than its row says),
 * -E2BIG (past a maximum) or -ENOMEM. *@ret_odd, which may be NULL: fields that have no row, or stand twice, were
 * passed over. There are no words: for these json_parse() and kube_value_read() read again what was refused or is odd.
 */
int kube_json_read(struct arena *arena, const struct kube_type *type, const char *text, size_t length, bool *ret_odd,
                   void *object);

/* Reads a tree. What does not fit its row is an error in @problems, what has no row a warning, each with its path (from
 * @path, "" for the root) and line. Returns 0, also with errors in @problems, or -ENOMEM. */
int kube_value_read(struct arena *arena, const struct kube_type *type, const struct value *value, const char *path,
                    struct problems *problems, void *object);

/* @tree, of @type, as it is once it has been protobuf, which has no empty lists and maps: those that are written all
 * the same (KUBE_ALWAYS) are null, and a null in a map of bytes is empty. Shares with @tree what stays. Depth is the
 * reader's. Returns 0, or -E2BIG or -ENOMEM. */
int kube_value_forget(struct arena *arena, const struct kube_type *type, const struct value *tree,
                      const struct value **ret_tree);

/* Makes @to a copy of @from; all it points to is in @arena. -ENOMEM or 0. */
int kube_copy(struct arena *arena, const struct kube_type *type, const void *from, void *to);

/* Fills in what the schema has a default for and @object does not give, in it and in all below it. -ENOMEM or 0. What
 * the API's code makes beside it is kube/defaults', which brings the types of all groups with it. */
int kube_default(struct arena *arena, const struct kube_type *type, void *object);

/* Writes what is given, in the order and with the rules of Go's encoder: the same bytes as kube-apiserver's when @w has
 * .go_escapes. */
void kube_json_write(struct json_writer *w, const struct kube_type *type, const void *object);

/* Around the items of a list of core/v1, @kind "PodList", that are written one by one. */
void kube_json_begin_items(struct json_writer *w, const char *kind);
void kube_json_end_items(struct json_writer *w);

/* A message without its envelope. Unknown fields are passed over. -EINVAL (not protobuf, or a field of another wire
 * type), -E2BIG, -ENOMEM. */
int kube_proto_read(struct arena *arena, const struct kube_type *type, const void *data, size_t size, void *object);

/* The other way. The caller frees *@ret_data. -ENOMEM, or -E2BIG past KUBE_INPUT_MAX. */
int kube_proto_write(const struct kube_type *type, const void *object, uint8_t **ret_data, size_t *ret_size);

#define KUBE_NAME_BYTES_MAX 512 /* of apiVersion and kind */

/* Reads an object of @type, a KUBE_KIND, from an envelope of application/vnd.kubernetes.protobuf (the magic `k8s\0` and
 * a runtime.Unknown with the message in it), and writes one; kind and apiVersion are its members. Returns as the two
 * above. */
int kube_envelope_read_object(struct arena *arena, const struct kube_type *type, const void *data, size_t size,
                              void *object);
int kube_envelope_write_object(const struct kube_type *type, const void *object, uint8_t **ret_data, size_t *ret_size);

/* A tree from an envelope and back, for who has no struct in hand: by way of the type's struct.
 * kube_value_to_envelope() adds to @problems as kube_value_read() does, and is -EINVAL when there are errors. */
int kube_value_from_envelope(struct arena *arena, const struct kube_type *type, const void *data, size_t size,
                             const struct value **ret_value, struct err **err);
int kube_value_to_envelope(const struct kube_type *type, const struct value *value, struct problems *problems,
                           uint8_t **ret_data, size_t *ret_size);
