/* Defaults that kube-apiserver sets by code, which no schema tells: a table by type and field, walked over a tree.
 *
 * What the schema itself has a default for comes later, when the object is read by its type (kube/codec.h).
 */
#pragma once

struct arena;
struct kube_type;
struct value;

/* @tree, an object of @type, with what it does not give; shares with @tree what is the same. 0, -ENOMEM, -E2BIG. */
int defaults_set(struct arena *arena, const struct kube_type *type, const struct value *tree,
                 const struct value **ret_tree);
