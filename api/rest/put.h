/* Objects that the service makes by itself: on its main thread, before and while it serves. They block until the store
 * has decided (api_put_later() does not), and do not wait for the disk: what a power cut takes is made again at the
 * next start. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct api_resource;
struct api_state;
struct arena;
struct kube_type;
struct value;

/* The JSON of @object, of @type, in @arena; NULL without memory. */
const char *api_put_text(struct arena *arena, const struct kube_type *type, const void *object);

/* Writes @object, of @of's type, with metadata of its own, which is to take the place of revision @expected. 0, also
 * when with STORE_ABSENT there is one already; or a negative errno. */
int api_put_typed(struct api_state *state, struct arena *arena, struct api_resource *of, const void *object,
                  int64_t expected);

/* Writes @tree, an object of @of, which is to take the place of revision @expected. As above. */
int api_put_tree(struct api_state *state, struct arena *arena, struct api_resource *of, const struct value *tree,
                 int64_t expected);

/* Has @tree, an object of @of, take the place of revision @expected (STORE_ABSENT: of nothing) a moment later, unless
 * something else is there by then: from any thread, and blocks none. What the store refuses then is logged. */
int api_put_later(struct api_state *state, struct api_resource *of, struct arena *arena, const struct value *tree,
                  int64_t expected);

/* Gives a new @object of @of a uid, the time, and an owner of its fields: the server. */
int api_put_stamp(struct arena *arena, const struct api_resource *of, const struct value **object);

/* Makes an object of its JSON, with a uid and the time, unless there is one of its name. */
int api_put_new(struct api_state *state, struct arena *arena, struct api_resource *of, const char *json, size_t length);
