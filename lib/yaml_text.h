/* Texts in YAML that libyaml does not read itself: for lib/yaml.c. */
#pragma once

#include <stddef.h>

struct arena;

/* The bytes that base64 @text stands for, as a string; those that are no UTF-8 are each U+FFFD. NULL for what is no
 * base64, for a NUL among them, and without memory. */
char *yaml_binary_decode(struct arena *arena, const char *text);

/* The offset of the character of @index, counted as libyaml counts in UTF-8; @length behind the last. */
size_t yaml_escape_offset(const char *text, size_t length, size_t index);

/* @at is a backslash within double quotes: takes it and those up to the closing quote out that have a ' behind them,
 * which says the same without. Returns the new length. */
size_t yaml_escape_mend(char *text, size_t length, size_t at);
