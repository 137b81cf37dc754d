/* metadata: what the server sets in it, and what of it a client cannot change. */
#pragma once

#include <stdint.h>

struct api_request;
struct arena;
struct value;
struct value_edit;

/* Those who fail give a negative errno. */

/* The name that a generateName stands for, in the request's arena; NULL without memory. */
const char *api_meta_generate(struct api_request *r, const char *prefix);

/* A new uid, in @arena; NULL without memory. */
const char *api_meta_uid(struct arena *arena);

/* A new object's metadata: name, namespace, uid, creationTimestamp, generation; what only the server sets goes. */
int api_meta_create(struct api_request *r, struct value_edit *edit);

/* A changed one's: what cannot change comes from @current. */
int api_meta_update(struct api_request *r, struct value_edit *edit, const struct value *current);

/* Of that, what needs no request: uid, creationTimestamp, and a place for the revision. */
int api_meta_stamp(struct arena *arena, struct value_edit *edit);

/* Text @key of @object's metadata; "" where there is none. */
const char *api_meta_text(const struct value *object, const char *key);

/* The time that it is, as metadata has it, in @arena; NULL without memory. */
const char *api_meta_now(struct arena *arena, int64_t seconds_from_now);
