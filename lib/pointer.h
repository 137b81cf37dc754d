/* JSON Pointers (RFC 6901): "/spec/containers/0/image" names a place in a tree, "" the whole of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct value;

/* A pointer's tokens, unescaped, in an arena. */
struct pointer {
        const char *const *tokens;
        uint32_t n;
};

/* Reads @text. Returns 0, -EINVAL (neither empty nor beginning with "/", or "~" without 0 or 1 behind it), -E2BIG (more
 * tokens than VALUE_DEPTH_MAX) or -ENOMEM. */
int pointer_parse(struct arena *arena, const char *text, struct pointer *ret_pointer, struct err **err);

/* The value that @pointer names below @root; NULL: nothing is there. */
const struct value *pointer_get(const struct value *root, const struct pointer *pointer);

/* Whether @token is an index (RFC 6901, 4: digits without a leading zero), and which. "-" is none. */
bool pointer_index(const char *token, uint32_t *ret_index);

/* @length bytes of a token with "~1" and "~0" replaced; any other "~" stays. NULL without memory. */
char *pointer_unescape(struct arena *arena, const char *token, size_t length);

/* A token as it stands in a pointer. NULL without memory. */
char *pointer_escape(struct arena *arena, const char *token);
