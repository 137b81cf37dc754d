#include "kube/selector/lexer.h"

#include <string.h>

#include "lib/arena.h"

static const struct {
        const char *text;
        enum selector_token token;
} symbols[] = {
        /* the longer ones first */
        { "==", SELECTOR_TOKEN_DOUBLE_EQUALS }, { "!=", SELECTOR_TOKEN_NOT_EQUALS },
        { "=", SELECTOR_TOKEN_EQUALS },         { "!", SELECTOR_TOKEN_NOT },
        { "(", SELECTOR_TOKEN_OPEN },           { ")", SELECTOR_TOKEN_CLOSE },
        { ",", SELECTOR_TOKEN_COMMA },          { ">", SELECTOR_TOKEN_GREATER },
        { "<", SELECTOR_TOKEN_LESS },
};

/* A NUL ends a word, as in Go's lexer; the text goes on behind it. */
static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c) {
        return c && strchr("=!(),><", c);
}

static bool take_symbol(struct selector_lexer *l) {
        for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
                size_t length = strlen(symbols[i].text);

                if ((size_t)(l->end - l->at) < length || memcmp(l->at, symbols[i].text, length) != 0)
                        continue;
                l->at += length;
                l->token = symbols[i].token;
                l->text = symbols[i].text;
                return true;
        }
        return false;
}

static void take_word(struct selector_lexer *l) {
        const char *begin = l->at;

        while (l->at < l->end && *l->at && !is_special(*l->at) && !is_blank(*l->at))
                l->at++;
        l->text = arena_strndup(l->arena, begin, (size_t)(l->at - begin));
        if (l->at < l->end && !*l->at)
                l->at++;
        if (!l->text)
                l->token = SELECTOR_TOKEN_END;
        else if (strcmp(l->text, "in") == 0)
                l->token = SELECTOR_TOKEN_IN;
        else if (strcmp(l->text, "notin") == 0)
                l->token = SELECTOR_TOKEN_NOT_IN;
        else
                l->token = SELECTOR_TOKEN_WORD;
}

void selector_lexer_next(struct selector_lexer *l) {
        while (l->at < l->end && is_blank(*l->at))
                l->at++;
        if (l->at == l->end || !*l->at) {
                l->at = l->end;
                l->token = SELECTOR_TOKEN_END;
                l->text = "";
        } else if (!take_symbol(l)) {
                take_word(l);
        }
}

void selector_lexer_init(struct selector_lexer *l, struct arena *arena, const char *text, size_t length) {
        *l = (struct selector_lexer){ .at = text, .end = text + length, .arena = arena };
        selector_lexer_next(l);
}
