/* One version of a kind as another, where they differ in more than fields that one of them lacks: what Kubernetes'
 * conversion functions do. */
#pragma once

struct arena;
struct kube_kind;
struct value;

/* @tree, of @from's kind, as @to's; kind and apiVersion too. What @to has no field for travels in annotations where
 * kube-apiserver has it so. The result is in @arena and shares with @tree. 0, -EINVAL where a part of it is no object,
 * -ENOMEM. */
int convert_tree(struct arena *arena, const struct kube_kind *from, const struct kube_kind *to,
                 const struct value *tree, const struct value **ret_tree);
