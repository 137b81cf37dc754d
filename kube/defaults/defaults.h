/* What an object gets that it does not say: the defaults of Kubernetes 1.36, of its schema and those that its code
 * makes (zz_generated.defaults and defaults.go of each group).
 *
 * Most are data (rows.c): a field of a type, and what it is when nothing is given. What depends on more is a function
 * of the type (core.c, pods.c, ...). Both go by type, so a PodSpec gets its own wherever it stands. What feature gates
 * of 1.36 turn off is not here.
 *
 * Objects are structs of their type (kube/type.h); what is put in is in @arena or static. A type without a struct, made
 * at run time, has its defaults in its rows (kube_field.fallback): defaults_fill_tree() fills in trees.
 */
#pragma once

#include <stdint.h>

struct arena;
struct kube_type;
struct value;

/* Fills in @object, of @type. @now, seconds since 1970, is the time at which it is made: a taint without one gets it. 0
 * or -ENOMEM. Any number of threads. */
int defaults_fill(struct arena *arena, const struct kube_type *type, void *object, int64_t now);

/* The tree @value, of @type, with its rows' fallbacks: a member that is not there, or is null, gets its own, which is
 * filled in like the rest (structural schemas' defaulting, KEP-95). What needs none is shared. 0 or -ENOMEM. */
int defaults_fill_tree(struct arena *arena, const struct kube_type *type, const struct value *value,
                       const struct value **ret_value);
