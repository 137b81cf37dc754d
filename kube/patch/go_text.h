/* Values as Go's fmt prints them, which kube-apiserver's errors show and its orders go by. */
#pragma once

#include <stddef.h>

struct arena;
struct value;

#define PATCH_TEXT_MAX ((size_t)1024) /* of what is shown in an error; what is longer is cut */

/* "%v": map[a:1 b:[x y]], with the keys sorted. NULL without memory. */
char *patch_text(struct arena *arena, const struct value *value);

/* "%v" of a scalar, whole. A map or list gives "". */
const char *patch_scalar_text(struct arena *arena, const struct value *value);

/* "%s" of what should have been a string: %!s(int64=1). */
char *patch_string_text(struct arena *arena, const struct value *value);

/* The Go type that the value is decoded into: "map[string]interface {}", "int64", "%!s(<nil>)". */
const char *patch_type_text(const struct value *value);

/* Bytes of @value as compact JSON as Go writes it. */
size_t patch_json_size(const struct value *value);
