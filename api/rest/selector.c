#include "api/rest/selector.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/object.h"
#include "kube/kinds.h"
#include "kube/names.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* --- the lexer of label selectors --- */

enum token { TOKEN_END, TOKEN_WORD, TOKEN_COMMA, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_NOT, TOKEN_OPERATOR };

struct lexer {
        struct arena *arena;
        const char *at;
        enum token token;
        const char *text; /* of the token */
        struct err **err;
};

static bool is_special(char c) {
        return c && strchr("=!(),<>", c);
}

static enum token kind_of(const char *text) {
        return strcmp(text, ",") == 0 ? TOKEN_COMMA :
               strcmp(text, "(") == 0 ? TOKEN_OPEN :
               strcmp(text, ")") == 0 ? TOKEN_CLOSE :
               strcmp(text, "!") == 0 ? TOKEN_NOT :
                                        TOKEN_OPERATOR;
}

static int next_token(struct lexer *l) {
        const char *from;

        while (isspace((unsigned char)*l->at))
                l->at++;
        from = l->at;
        if (!*from) {
                l->token = TOKEN_END;
                l->text = "";
                return 0;
        }
        if (is_special(*from)) {
                bool two = (from[0] == '=' || from[0] == '!') && from[1] == '=';

                l->at += two ? 2 : 1;
        } else
                while (*l->at && !is_special(*l->at) && !isspace((unsigned char)*l->at))
                        l->at++;
        l->text = arena_strndup(l->arena, from, (size_t)(l->at - from));
        l->token = l->text && is_special(*from) ? kind_of(l->text) : TOKEN_WORD;
        return l->text ? 0 : -ENOMEM;
}

static int expected(struct lexer *l, const char *what) {
        return err_set(l->err, EINVAL, "unable to parse requirement: found '%s', expected: %s", l->text, what);
}

/* "(a,b,)": the values up to the bracket. */
static int read_values(struct lexer *l, const char *const **ret_values) {
        const char **values = arena_alloc_array(l->arena, API_SELECTOR_VALUES_MAX + 1, sizeof(*values));
        unsigned n = 0;
        int r = values ? next_token(l) : -ENOMEM;

        if (r == 0 && l->token != TOKEN_OPEN)
                return err_set(l->err, EINVAL, "unable to parse requirement: found '%s' expected: '('", l->text);
        while (r == 0 && l->token != TOKEN_CLOSE) {
                r = next_token(l);
                if (r < 0)
                        return r;
                if (n == API_SELECTOR_VALUES_MAX)
                        return err_set(l->err, EINVAL, "a selector has %u values at most", API_SELECTOR_VALUES_MAX);
                values[n++] = l->token == TOKEN_WORD ? l->text : "";
                if (l->token == TOKEN_WORD)
                        r = next_token(l);
                if (r == 0 && l->token != TOKEN_CLOSE && l->token != TOKEN_COMMA)
                        return expected(l, "',' or ')'");
        }
        *ret_values = values;
        return r ?: next_token(l);
}

static int read_one_value(struct lexer *l, const char *const **ret_values) {
        const char **values = arena_alloc_array(l->arena, 2, sizeof(*values));
        int r = values ? next_token(l) : -ENOMEM;

        if (r < 0)
                return r;
        values[0] = l->token == TOKEN_WORD ? l->text : "";
        *ret_values = values;
        return l->token == TOKEN_WORD ? next_token(l) : 0;
}

static const struct {
        const char *text;
        enum api_operator operator;
        bool several;
} operators[] = {
        { "=", API_EQUALS, false }, { "==", API_EQUALS, false },   { "!=", API_DIFFERS, false },
        { "in", API_IN, true },     { "notin", API_NOT_IN, true }, { ">", API_GREATER, false },
        { "<", API_LESS, false },
};

static int read_operator(struct lexer *l, struct api_requirement *requirement) {
        if (l->token == TOKEN_END || l->token == TOKEN_COMMA) {
                requirement->operator= API_EXISTS;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTS(operators); i++)
                if (strcmp(operators[i].text, l->text) == 0) {
                        requirement->operator= operators[i].operator;
                        return operators[i].several ? read_values(l, &requirement->values) :
                                                      read_one_value(l, &requirement->values);
                }
        return expected(l, "in, notin, =, ==, !=, gt, lt");
}

static int check_requirement(struct lexer *l, const struct api_requirement *requirement) {
        const char *problem = name_problem(NAME_QUALIFIED, requirement->key);

        if (problem)
                return err_set(l->err, EINVAL, "unable to parse requirement: <nil>: Invalid value: \"%s\": %s",
                               requirement->key, problem);
        for (const char *const *v = requirement->values; v && *v; v++)
                if ((problem = name_problem(NAME_LABEL_VALUE, *v)))
                        return err_set(l->err, EINVAL,
                                       "unable to parse requirement: values[0][%s]: Invalid value: \"%s\": %s",
                                       requirement->key, *v, problem);
        return 0;
}

static int read_requirement(struct lexer *l, struct api_requirement *requirement) {
        bool not = l->token == TOKEN_NOT;
        int r = not ? next_token(l) : 0;

        if (r < 0)
                return r;
        if (l->token != TOKEN_WORD)
                return err_set(l->err, EINVAL, "found '%s', expected: !, identifier, or 'end of string'", l->text);
        requirement->key = l->text;
        r = next_token(l);
        if (r == 0 && not )
                requirement->operator= API_EXISTS_NOT;
        else if (r == 0)
                r = read_operator(l, requirement);
        return r ?: check_requirement(l, requirement);
}

static int parse_labels(struct arena *arena, const char *text, struct api_selector *selector, struct err **err) {
        struct api_requirement *all = arena_alloc_array(arena, API_REQUIREMENTS_MAX, sizeof(*all));
        struct lexer l = { .arena = arena, .at = text, .err = err };
        unsigned n = 0;
        int r = all ? next_token(&l) : -ENOMEM;

        while (r == 0 && l.token != TOKEN_END) {
                if (n == API_REQUIREMENTS_MAX)
                        return err_set(err, EINVAL, "a selector has %u requirements at most", API_REQUIREMENTS_MAX);
                r = read_requirement(&l, &all[n++]);
                if (r < 0)
                        return r;
                if (l.token != TOKEN_END && l.token != TOKEN_COMMA)
                        return err_set(err, EINVAL, "found '%s', expected: ',' or 'end of string'", l.text);
                if (l.token == TOKEN_COMMA) {
                        r = next_token(&l);
                        if (r == 0 && l.token == TOKEN_END)
                                return err_set(err, EINVAL, "found '', expected: identifier after ','");
                }
        }
        selector->labels = all;
        selector->n_labels = n;
        return r;
}

/* --- field selectors: name=value, name==value, name!=value, divided by commas; a backslash takes the next as it is ---
 */

static char *unescape(struct arena *arena, const char *from, size_t length) {
        char *text = arena_strndup(arena, from, length), *to = text;

        for (size_t i = 0; text && i < length; i++) {
                if (from[i] == '\\' && i + 1 < length)
                        i++;
                *to++ = from[i];
        }
        if (text)
                *to = '\0';
        return text;
}

static int unknown_field(const struct api_resource *resource, struct arena *arena, const char *key, struct err **err) {
        const char *known =
                resource->kind->namespaced ? "\"metadata.name\", \"metadata.namespace\"" : "\"metadata.name\"";

        for (uint16_t i = 0; known && i < resource->n_fields; i++)
                known = arena_printf(arena, "%s, \"%s\"", known, resource->fields[i].name);
        return err_set(err, EINVAL,
                       resource->n_fields > 0 ? "field label not supported: %s" :
                                                "\"%s\" is not a known field selector: only %s",
                       key, known ?: "");
}

static void take_place(const char **place, const char *value, struct api_selector *selector) {
        if (*place && strcmp(*place, value) != 0)
                selector->nothing = true;
        *place = value;
}

static int take_term(struct arena *arena, const struct api_resource *resource, struct api_requirement *requirement,
                     struct api_selector *selector, struct err **err) {
        const char *key = requirement->key;
        const char **place = strcmp(key, "metadata.name") == 0      ? &selector->name :
                             strcmp(key, "metadata.namespace") == 0 ? &selector->namespace :
                                                                      NULL;

        requirement->field = place ? -1 : api_resource_field(resource, key);
        if (!place && requirement->field < 0)
                return unknown_field(resource, arena, key, err);
        if (place && requirement->operator== API_EQUALS)
                take_place(place, requirement->values[0], selector);
        return 0;
}

static int parse_term(struct arena *arena, const char *term, size_t length, struct api_requirement *requirement,
                      struct err **err) {
        const char *equals = memchr(term, '=', length), *end = term + length;
        const char **values = arena_alloc_array(arena, 2, sizeof(*values));
        size_t n;

        if (!equals)
                return err_set(err, EINVAL, "invalid selector: '%.*s'; can't understand '%.*s'", (int)length, term,
                               (int)length, term);
        n = (size_t)(equals - term);
        requirement->operator= n> 0 && term[n - 1] == '!' ? API_DIFFERS : API_EQUALS;
        n -= requirement->operator== API_DIFFERS;
        equals++;
        if (requirement->operator== API_EQUALS && equals<end && * equals == '=')
                equals++;
        requirement->key = arena_strndup(arena, term, n);
        if (!values || !requirement->key)
                return -ENOMEM;
        values[0] = unescape(arena, equals, (size_t)(end - equals));
        requirement->values = values;
        return values[0] ? 0 : -ENOMEM;
}

static size_t term_length(const char *text) {
        size_t n = 0;

        for (; text[n] && text[n] != ','; n++)
                if (text[n] == '\\' && text[n + 1])
                        n++;
        return n;
}

static int parse_fields(struct arena *arena, const struct api_resource *resource, const char *text,
                        struct api_selector *selector, struct err **err) {
        struct api_requirement *all = arena_alloc_array(arena, API_REQUIREMENTS_MAX, sizeof(*all));
        unsigned n = 0;
        int r = all ? 0 : -ENOMEM;

        while (r == 0 && *text) {
                size_t length = term_length(text);

                if (n == API_REQUIREMENTS_MAX)
                        return err_set(err, EINVAL, "a selector has %u requirements at most", API_REQUIREMENTS_MAX);
                if (length > 0) {
                        r = parse_term(arena, text, length, &all[n], err) ?:
                                    take_term(arena, resource, &all[n], selector, err);
                        n++;
                }
                text += length + (text[length] == ',');
        }
        selector->fields = all;
        selector->n_fields = n;
        return r;
}

int api_selector_parse(struct arena *arena, const struct api_resource *resource, const char *labels, const char *fields,
                       struct api_selector *ret_selector, struct err **err) {
        struct api_selector selector = { 0 };
        int r = labels ? parse_labels(arena, labels, &selector, err) : 0;

        r = r ?: fields ? parse_fields(arena, resource, fields, &selector, err) : 0;
        if (r == 0)
                *ret_selector = selector;
        return r;
}

/* --- matching --- */

static bool is_in(const char *const *values, const char *value) {
        for (; *values; values++)
                if (strcmp(*values, value) == 0)
                        return true;
        return false;
}

static bool compares(const char *a, const char *b, int sign) {
        char *end_a, *end_b;
        long long x = strtoll(a, &end_a, 10), y = strtoll(b, &end_b, 10);

        return *a && *b && !*end_a && !*end_b && (sign > 0 ? x > y : x < y);
}

static bool meets(const struct api_requirement *requirement, const char *value) {
        switch (requirement->operator) {
        case API_EXISTS:
                return value;
        case API_EXISTS_NOT:
                return !value;
        case API_EQUALS:
        case API_IN:
                return value && is_in(requirement->values, value);
        case API_DIFFERS:
        case API_NOT_IN:
                return !value || !is_in(requirement->values, value);
        case API_GREATER:
                return value && compares(value, requirement->values[0], 1);
        case API_LESS:
                return value && compares(value, requirement->values[0], -1);
        }
        return false;
}

static const char *field_of(const struct api_requirement *requirement, const struct object *object) {
        if (requirement->field >= 0)
                return object->fields[requirement->field];
        return strcmp(requirement->key, "metadata.name") == 0 ? object->name : object->namespace;
}

bool api_selector_matches(void *data, const struct object *object) {
        const struct api_selector *selector = data;

        if (selector->nothing)
                return false;
        for (unsigned i = 0; i < selector->n_labels; i++)
                if (!meets(&selector->labels[i], object_label(object, selector->labels[i].key)))
                        return false;
        for (unsigned i = 0; i < selector->n_fields; i++)
                if (!meets(&selector->fields[i], field_of(&selector->fields[i], object)))
                        return false;
        return true;
}

bool api_selector_looks(const struct api_selector *selector) {
        bool looks = selector->n_labels > 0 || selector->nothing;

        for (unsigned i = 0; i < selector->n_fields; i++)
                looks |= selector->fields[i].field >= 0 || selector->fields[i].operator!= API_EQUALS;
        return looks;
}

int api_selector_topic(const struct api_selector *selector, const char **ret_value) {
        for (unsigned i = 0; i < selector->n_fields; i++)
                if (selector->fields[i].field >= 0 && selector->fields[i].operator== API_EQUALS) {
                        *ret_value = selector->fields[i].values[0];
                        return selector->fields[i].field;
                }
        return -1;
}
