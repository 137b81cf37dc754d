/* What is wanted of a JSON object, read without the rest of it.
 *
 * Paths are keys divided by dots, several divided by blanks: "metadata.name spec.containers.image". A list on the way
 * is gone through: the rest of the path is wanted of each item. What a path ends at is read whole, or, with # behind
 * it, with nothing but its number of items or members: "data#".
 */
#pragma once

#include <stddef.h>

#include "lib/value.h"

struct arena;

#define KUBE_PROJECT_DEPTH 100

/* A tree of paths. */
struct kube_wanted;

/* Nothing wanted yet; NULL without memory. All is in @arena. */
struct kube_wanted *kube_wanted_new(struct arena *arena);

/* Adds paths; 0 or -ENOMEM. "" wants the whole object. */
int kube_wanted_add(struct arena *arena, struct kube_wanted *wanted, const char *paths);

/* The same key by key, for keys that may hold dots: what is below @wanted at @key. NULL without memory. */
struct kube_wanted *kube_wanted_below(struct arena *arena, struct kube_wanted *wanted, const char *key, size_t length);
void kube_wanted_whole(struct kube_wanted *wanted);

/* Reads @text into a tree in @arena with only what is wanted in it. A list or map that was only counted has a count and
 * no items. 0; -EINVAL: no JSON object; -E2BIG: nested deeper than KUBE_PROJECT_DEPTH; -ENOMEM. */
int kube_project(struct arena *arena, const struct kube_wanted *wanted, const char *text, size_t length,
                 struct value *ret_object);
