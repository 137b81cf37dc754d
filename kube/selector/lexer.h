/* The tokens of a label selector's text. For kube/selector alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;

enum selector_token {
        SELECTOR_TOKEN_END,
        SELECTOR_TOKEN_WORD,
        SELECTOR_TOKEN_IN,
        SELECTOR_TOKEN_NOT_IN,
        SELECTOR_TOKEN_OPEN,
        SELECTOR_TOKEN_CLOSE,
        SELECTOR_TOKEN_COMMA,
        SELECTOR_TOKEN_NOT,
        SELECTOR_TOKEN_EQUALS,
        SELECTOR_TOKEN_DOUBLE_EQUALS,
        SELECTOR_TOKEN_NOT_EQUALS,
        SELECTOR_TOKEN_GREATER,
        SELECTOR_TOKEN_LESS,
};

struct selector_lexer {
        const char *at, *end;
        struct arena *arena;
        enum selector_token token; /* what comes next */
        const char *text;          /* its text, in the arena; NULL: no memory was left */
};

void selector_lexer_init(struct selector_lexer *lexer, struct arena *arena, const char *text, size_t length);

/* Goes on to the token behind. */
void selector_lexer_next(struct selector_lexer *lexer);
