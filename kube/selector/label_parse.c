/* The text of a label selector, by recursive descent as k8s.io/apimachinery's labels.Parse(). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/selector/label.h"
#include "kube/selector/lexer.h"
#include "kube/selector/text.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"
#include "lib/texts.h"

struct parser {
        struct selector_lexer lexer;
        struct arena *arena;
        struct selector_requirement *requirements;
        size_t n, room;
        const char **values; /* of the requirement that is being read */
        size_t n_values, values_room;
        struct err **err;
};

/* Where no operator is expected, "in" and "notin" are words. */
static enum selector_token peek(const struct parser *p) {
        enum selector_token token = p->lexer.token;

        return token == SELECTOR_TOKEN_IN || token == SELECTOR_TOKEN_NOT_IN ? SELECTOR_TOKEN_WORD : token;
}

static const char *take(struct parser *p) {
        const char *text = p->lexer.text;

        selector_lexer_next(&p->lexer);
        return text;
}

/* @text is what was found, NULL when there was no memory for it. */
static int unexpected(struct parser *p, const char *text, const char *expected) {
        if (!text)
                return -ENOMEM;
        return err_set(p->err, EINVAL, "found '%s', expected: %s", text, expected);
}

/* The same within a requirement. */
static int unexpected_within(struct parser *p, const char *text, const char *expected) {
        if (!text)
                return -ENOMEM;
        return err_set(p->err, EINVAL, "unable to parse requirement: found '%s', expected: %s", text, expected);
}

static int add_value(struct parser *p, const char *value) {
        int r = GROW(p->values, p->values_room, p->n_values + 1, GROW_NO_MAX);

        if (r == 0)
                p->values[p->n_values++] = value;
        return r;
}

/* Any number of words, some of which may be missing, up to the bracket that closes. */
static int parse_list(struct parser *p) {
        int r;

        for (;;) {
                enum selector_token token = peek(p);
                const char *text = take(p);

                if (token == SELECTOR_TOKEN_WORD) {
                        r = add_value(p, text);
                        if (r < 0)
                                return r;
                        if (peek(p) == SELECTOR_TOKEN_CLOSE)
                                return 0;
                        if (peek(p) != SELECTOR_TOKEN_COMMA)
                                return unexpected_within(p, p->lexer.text, "',' or ')'");
                } else if (token == SELECTOR_TOKEN_COMMA) {
                        bool closed = peek(p) == SELECTOR_TOKEN_CLOSE;

                        if (p->n_values == 0 || closed || peek(p) == SELECTOR_TOKEN_COMMA) {
                                r = add_value(p, "");
                                if (r < 0 || closed)
                                        return r;
                        }
                } else {
                        return unexpected_within(p, text, "',', or identifier");
                }
        }
}

static int parse_values(struct parser *p) {
        int r;

        if (peek(p) != SELECTOR_TOKEN_OPEN)
                return p->lexer.text ? err_set(p->err, EINVAL, "unable to parse requirement: found '%s' expected: '('",
                                               p->lexer.text) :
                                       -ENOMEM;
        take(p);
        switch (peek(p)) {
        case SELECTOR_TOKEN_CLOSE:
                r = add_value(p, "");
                break;
        case SELECTOR_TOKEN_WORD:
        case SELECTOR_TOKEN_COMMA:
                r = parse_list(p);
                break;
        default:
                return unexpected_within(p, p->lexer.text, "',', ')' or identifier");
        }
        if (r == 0)
                take(p); /* the bracket */
        return r;
}

static int parse_value(struct parser *p) {
        if (peek(p) == SELECTOR_TOKEN_END || peek(p) == SELECTOR_TOKEN_COMMA)
                return add_value(p, "");
        if (peek(p) != SELECTOR_TOKEN_WORD)
                return unexpected_within(p, p->lexer.text, "identifier");
        return add_value(p, take(p));
}

/* The values that were read, sorted, each once. */
static int settle_values(struct parser *p, struct selector_requirement *requirement) {
        const char **values = arena_alloc_array(p->arena, p->n_values + 1, sizeof(*values));
        uint32_t n = 0;

        if (!values)
                return -ENOMEM;
        if (p->n_values > 1)
                qsort(p->values, p->n_values, sizeof(*p->values), texts_order);
        for (size_t i = 0; i < p->n_values; i++)
                if (n == 0 || strcmp(values[n - 1], p->values[i]) != 0)
                        values[n++] = p->values[i];
        requirement->values = values;
        requirement->n = n;
        return 0;
}

static int parse_operator(struct parser *p, enum selector_operator *ret_operator) {
        static const struct {
                enum selector_token token;
                enum selector_operator op;
        } operators[] = {
                { SELECTOR_TOKEN_IN, SELECTOR_IN },
                { SELECTOR_TOKEN_NOT_IN, SELECTOR_NOT_IN },
                { SELECTOR_TOKEN_EQUALS, SELECTOR_EQUALS },
                { SELECTOR_TOKEN_DOUBLE_EQUALS, SELECTOR_DOUBLE_EQUALS },
                { SELECTOR_TOKEN_NOT_EQUALS, SELECTOR_NOT_EQUALS },
                { SELECTOR_TOKEN_GREATER, SELECTOR_GREATER },
                { SELECTOR_TOKEN_LESS, SELECTOR_LESS },
        };

        for (size_t i = 0; i < ELEMENTS(operators); i++)
                if (operators[i].token == p->lexer.token) {
                        *ret_operator = operators[i].op;
                        take(p);
                        return 0;
                }
        return unexpected_within(p, p->lexer.text, "in, notin, =, ==, !=, gt, lt");
}

static int parse_key(struct parser *p, struct selector_requirement *requirement) {
        struct selector_words words = { 0 };
        bool negated = peek(p) == SELECTOR_TOKEN_NOT;

        if (negated)
                take(p);
        if (peek(p) != SELECTOR_TOKEN_WORD)
                return unexpected_within(p, p->lexer.text, "identifier");
        requirement->key = take(p);
        if (!requirement->key)
                return -ENOMEM;
        if (!selector_key_check(requirement->key, &words))
                return err_set(p->err, EINVAL, "unable to parse requirement: %s", words.text);
        requirement->op = negated ? SELECTOR_DOES_NOT_EXIST : SELECTOR_EXISTS;
        return 0;
}

/* Everything but what is wrong with keys and values. */
static int read_requirement(struct parser *p, struct selector_requirement *requirement) {
        int r = parse_key(p, requirement);

        if (r < 0 || requirement->op == SELECTOR_DOES_NOT_EXIST || peek(p) == SELECTOR_TOKEN_END ||
            peek(p) == SELECTOR_TOKEN_COMMA)
                return r;
        r = parse_operator(p, &requirement->op);
        if (r < 0)
                return r;
        p->n_values = 0;
        r = requirement->op == SELECTOR_IN || requirement->op == SELECTOR_NOT_IN ? parse_values(p) : parse_value(p);
        return r < 0 ? r : settle_values(p, requirement);
}

static int parse_requirement(struct parser *p) {
        struct selector_requirement requirement = { 0 };
        struct selector_words words = { 0 };
        int r = read_requirement(p, &requirement);

        if (r < 0)
                return r;
        if (!selector_requirement_check(&requirement, &words))
                return err_set(p->err, EINVAL, "unable to parse requirement: %s", words.text);
        if (requirement.n > 0)
                selector_number(requirement.values[0], &requirement.number);
        r = GROW(p->requirements, p->room, p->n + 1, GROW_NO_MAX);
        if (r == 0)
                p->requirements[p->n++] = requirement;
        return r;
}

static bool begins_requirement(const struct parser *p) {
        return peek(p) == SELECTOR_TOKEN_WORD || peek(p) == SELECTOR_TOKEN_NOT;
}

static int parse(struct parser *p) {
        int r;

        if (peek(p) == SELECTOR_TOKEN_END)
                return 0;
        if (!begins_requirement(p))
                return unexpected(p, p->lexer.text, "!, identifier, or 'end of string'");
        for (;;) {
                r = parse_requirement(p);
                if (r < 0 || peek(p) == SELECTOR_TOKEN_END)
                        return r;
                if (peek(p) != SELECTOR_TOKEN_COMMA)
                        return unexpected(p, p->lexer.text, "',' or 'end of string'");
                take(p);
                if (!begins_requirement(p))
                        return unexpected(p, p->lexer.text, "identifier after ','");
        }
}

static int keep(struct parser *p, struct selector_labels *ret_selector) {
        struct selector_requirement *kept = arena_alloc_array(p->arena, p->n + 1, sizeof(*kept));

        if (!kept)
                return -ENOMEM;
        if (p->n > 0)
                memcpy(kept, p->requirements, p->n * sizeof(*kept));
        selector_sort(kept, p->n);
        *ret_selector = (struct selector_labels){ .requirements = kept, .n = (uint32_t)p->n };
        return 0;
}

int selector_label_parse(struct arena *arena, const char *text, size_t length, struct selector_labels *ret_selector,
                         struct err **err) {
        struct parser p = { .arena = arena, .err = err };
        int r;

        if (length > SELECTOR_TEXT_MAX)
                return err_set(err, E2BIG, "label selector: %zu bytes, more than the %zu allowed", length,
                               SELECTOR_TEXT_MAX);
        selector_lexer_init(&p.lexer, arena, text, length);
        r = parse(&p);
        if (!p.lexer.text)
                r = -ENOMEM;
        if (r == 0)
                r = keep(&p, ret_selector);
        free(p.requirements);
        free(p.values);
        return r == -ENOMEM ? err_set(err, ENOMEM, "label selector: out of memory") : r;
}
