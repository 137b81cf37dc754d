/* Bodies to trees and trees to the JSON that is kept: the one place that knows in which forms objects travel, and what
 * a type does to an object (fields without a row go, defaults come).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/server/negotiate.h"

struct api_json;
struct arena;
struct bytes;
struct err;
struct kube_kind;
struct kube_type;
struct object;
struct problems;
struct value;

/* What was sent. */
struct api_body {
        enum api_form form;
        const struct kube_type *type; /* of which it is, for a form that has no names (protobuf) */
        const void *data;
        size_t size;
        bool *ret_twice; /* set where a key stands twice; NULL: nobody asks */
};

/* The body as a tree. -EINVAL with *err; -ENODATA: it is empty YAML; -ENOMEM. */
int api_decode(struct arena *arena, const struct api_body *body, const struct value **ret_tree, struct err **err);

/* What null says, and a document that is empty: nothing of any kind. */
extern const struct value api_no_members;

/* The JSON of @tree as @type has it, with its defaults where @defaults is true; in @arena. What does not fit is in
 * @problems; then 0, and ret_json->text is NULL. */
int api_settle(struct arena *arena, const struct kube_type *type, const struct value *tree, bool defaults,
               struct problems *problems, struct api_json *ret_json);

/* The tree of what is kept: an object's JSON, and the object, in the version in which it is kept. */
int api_tree_of_json(struct arena *arena, const struct bytes *json, const struct value **ret_tree);
int api_tree_of(struct arena *arena, const struct object *object, const struct value **ret_tree);

/* The same as a struct of @type, zeroed before. */
int api_struct_of(struct arena *arena, const struct kube_type *type, const struct object *object, void *ret_struct);

/* The JSON of @object, of @kept's kind, as @kind, maybe another version of it, has it; one reference. */
int api_json_as(struct arena *arena, const struct kube_kind *kind, const struct kube_kind *kept,
                const struct object *object, struct bytes **ret_json);

/* @tree, of @from's kind, as @to's, another version of it: a tree in @arena. */
int api_convert(struct arena *arena, const struct kube_kind *from, const struct kube_kind *to, const struct value *tree,
                const struct value **ret_tree);

/* JSON of @type in an envelope of protobuf; one reference. -ENOTSUP: the type has no protobuf form. */
int api_protobuf(const struct kube_type *type, const char *json, size_t length, struct bytes **ret_bytes);
