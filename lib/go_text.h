/* Texts as Go quotes them (strconv.Quote(), fmt's %q), which error messages of Kubernetes do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct value;

/* Bytes that one character takes at most, and that a text of @length bytes does, with quotes and NUL. */
#define GO_TEXT_CHARACTER_MAX 12
#define GO_TEXT_QUOTED_MAX(length) ((length)*4 + 3)

/* One character of the @length bytes of UTF-8 at @text, one at least: how many bytes it has, and its code; -1 and one
 * byte for what is no UTF-8. */
size_t go_text_rune(const char *text, size_t length, int32_t *ret_rune);

/* unicode.IsPrint(): letters, marks, numbers, punctuation, symbols, and the blank. Known by range, not by Unicode's
 * table. */
bool go_text_printable(int32_t rune);

/* The first character of @text, as it stands in quotes, to @to, without a NUL. Returns its bytes there; *@ret_took are
 * those of @text. */
size_t go_text_quote_one(char to[GO_TEXT_CHARACTER_MAX], const char *text, size_t length, size_t *ret_took);

/* @text in quotes at @to, which has room for GO_TEXT_QUOTED_MAX(strlen(text)). Returns the NUL. */
char *go_text_quote_to(char *to, const char *text);

/* The same in @arena; NULL without memory. */
char *go_text_quote(struct arena *arena, const char *text);

/* What Go's encoding/json calls @value in its errors: "object", "array", "null" for NULL. */
const char *go_text_kind(const struct value *value);
