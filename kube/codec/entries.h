/* Parts that the readers share: entries of maps, and types whose JSON is one of several forms. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kube/type.h"

struct arena;

/* Puts the entries of a map (@size bytes each) in order of their keys; of a key that stands twice the last stays, and
 * *@ret_twice becomes true. False without memory. */
bool kube_settle_entries(struct arena *arena, size_t size, struct list *map, bool *ret_twice);

/* Reads JSON @text into one field of @object. As kube_json_read(). */
int kube_json_read_field(struct arena *arena, const struct kube_field *field, const char *text, void *object);

/* Nothing is given of @field, at its member @at: as its form goes absent or empty. */
bool kube_is_unset(const struct kube_field *field, const void *at);

/* The field of a KUBE_EITHER that a JSON value beginning with @first is for; NULL when there is none. */
const struct kube_field *kube_either_field(const struct kube_type *type, char first);

/* The same from an object: the field that is written; NULL: null. */
const struct kube_field *kube_either_given(const struct kube_type *type, const void *object);

/* Before @field is read: a schema in place of a boolean allows. */
void kube_either_init(const struct kube_type *type, const struct kube_field *field, void *object);
