/* What both kinds of selectors write with. For kube/selector alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kube/selector/label.h"

/* A text that grows and ends at a maximum: of an error nobody reads more. */
struct selector_words {
        char text[2048];
        size_t length;
};

void selector_words_add(struct selector_words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* @text as Go's %q writes it. */
void selector_words_quote(struct selector_words *words, const char *text, size_t length);

/* What is wrong with the requirement, as an aggregate of field errors; true when nothing is. */
bool selector_requirement_check(const struct selector_requirement *requirement, struct selector_words *words);

/* What is wrong with a key alone, as the parser says it; true when nothing is. */
bool selector_key_check(const char *key, struct selector_words *words);

/* A whole number as Go's ParseInt(text, 10, 64) reads it. */
bool selector_number(const char *text, int64_t *ret_number);

/* Sorts requirements by key, those of one key as they come. */
void selector_sort(struct selector_requirement *requirements, size_t n);
