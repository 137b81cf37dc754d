#include "kube/selector/field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kube/project.h"
#include "kube/selector/text.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/texts.h"
#include "lib/utf8.h"
#include "lib/value.h"

struct field_parser {
        struct arena *arena;
        const struct selector_field_kind *kind;
        const char *version;
        char *text; /* the whole selector */
        struct err **err;
};

static int no_memory(struct err **err) {
        return err_set(err, ENOMEM, "field selector: out of memory");
}

/* Cuts @text at commas that no backslash stands before, in place. Returns the number of parts, of which @parts, unless
 * it is NULL, gets all. */
static size_t split(char *text, char **parts) {
        size_t n = 0;
        char *begin = text, *p = text;

        for (;; p++) {
                if (*p == '\\' && p[1]) {
                        p++;
                        continue;
                }
                if (*p != ',' && *p)
                        continue;
                if (parts) {
                        parts[n] = begin;
                        begin = p + 1;
                }
                n++;
                if (!*p)
                        return n;
                if (parts)
                        *p = '\0';
        }
}

/* What @label stands for: its place among the kind's fields, or an error in the kind's words. */
static int find_field(const struct field_parser *p, const char *label, uint32_t *ret_place) {
        const struct selector_field_kind *kind = p->kind;
        struct selector_words quoted = { 0 };

        for (uint32_t i = 0; i < kind->n; i++)
                if (strcmp(kind->fields[i].label, label) == 0) {
                        *ret_place = i;
                        return 0;
                }
        selector_words_quote(&quoted, label, strlen(label));
        switch (kind->unknown) {
        case SELECTOR_UNKNOWN_FOR_KIND:
                return err_set(p->err, EINVAL, "field label %s not supported for %s", quoted.text, kind->kind);
        case SELECTOR_UNKNOWN_FOR_GROUP:
                return err_set(p->err, EINVAL, "field label not supported for %s/%s, Kind=%s: %s", kind->group,
                               p->version, kind->kind, label);
        case SELECTOR_UNKNOWN_FIELD:
                return err_set(p->err, EINVAL, "field label not supported: %s", label);
        default:
                return err_set(p->err, EINVAL,
                               "%s is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                               quoted.text);
        }
}

/* Takes the backslashes out of @value, in place. */
static int unescape(char *value, struct err **err) {
        char *to = value;

        for (const char *p = value; *p;) {
                if (*p == ',' || *p == '=')
                        return err_set(err, EINVAL, "invalid field selector: unescaped character in value: %d", *p);
                if (*p == '\\') {
                        p++;
                        if (!*p || !strchr("\\,=", *p))
                                return err_set(err, EINVAL, "invalid field selector: invalid escape sequence: \\%.*s",
                                               *p ? (int)utf8_character(p, strlen(p)) : 0, p);
                }
                *to++ = *p++;
        }
        *to = '\0';
        return 0;
}

/* Divides "a!=b", "a==b", "a=b" in place. False when there is no operator. */
static bool divide(char *part, struct selector_term *term, char **ret_value) {
        char *equals = strchr(part, '=');
        bool unequal = equals && equals > part && equals[-1] == '!';

        if (!equals)
                return false;
        *ret_value = equals + 1 + (!unequal && equals[1] == '=');
        equals[unequal ? -1 : 0] = '\0';
        term->field = part;
        term->differs = unequal;
        return true;
}

static int read_term(const struct field_parser *p, char *part, const char *whole, struct selector_term *term) {
        char *value;
        int r;

        if (!divide(part, term, &value))
                return err_set(p->err, EINVAL, "invalid selector: '%s'; can't understand '%s'", whole, part);
        r = unescape(value, p->err);
        if (r < 0)
                return r;
        term->value = value;
        return 0;
}

/* Labels are looked at when all is read, as Go does. */
static int settle_terms(const struct field_parser *p, struct selector_term *terms, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int r = find_field(p, terms[i].field, &terms[i].place);

                if (r < 0)
                        return r;
                if (p->kind->fields[terms[i].place].means)
                        terms[i].field = p->kind->fields[terms[i].place].means;
        }
        return 0;
}

static int parse_parts(const struct field_parser *p, const char *whole, char **parts, size_t n,
                       struct selector_fields *ret_selector) {
        struct selector_term *terms = arena_alloc_array(p->arena, n, sizeof(*terms));
        size_t taken = 0;
        int r;

        if (!terms)
                return no_memory(p->err);
        for (size_t i = 0; i < n; i++) {
                if (!*parts[i])
                        continue;
                r = read_term(p, parts[i], whole, &terms[taken]);
                if (r < 0)
                        return r;
                taken++;
        }
        r = settle_terms(p, terms, taken);
        if (r < 0)
                return r;
        *ret_selector = (struct selector_fields){ terms, (uint32_t)taken };
        return 0;
}

int selector_field_parse(struct arena *arena, const struct selector_field_kind *kind,
                         const struct selector_query *query, struct selector_fields *ret_selector, struct err **err) {
        struct field_parser p = { .arena = arena, .kind = kind, .version = query->version, .err = err };
        _cleanup_free_ char **parts = NULL;
        const char *whole;
        size_t n;

        if (query->length > SELECTOR_TEXT_MAX)
                return err_set(err, E2BIG, "field selector: %zu bytes, more than the %zu allowed", query->length,
                               SELECTOR_TEXT_MAX);
        if (memchr(query->text, '\0', query->length))
                return err_set(err, EINVAL, "invalid selector: it holds a NUL character");
        whole = arena_strndup(arena, query->text, query->length);
        p.text = arena_strndup(arena, query->text, query->length);
        if (!whole || !p.text)
                return no_memory(err);
        n = split(p.text, NULL);
        parts = calloc(n, sizeof(*parts));
        if (!parts)
                return no_memory(err);
        split(p.text, parts);
        qsort(parts, n, sizeof(*parts), texts_order);
        return parse_parts(&p, whole, parts, n, ret_selector);
}

int selector_field_want(struct arena *arena, const struct selector_field_kind *kind, struct kube_wanted *wanted) {
        for (size_t i = 0; i < kind->n; i++) {
                const char *const paths[] = { kind->fields[i].path, kind->fields[i].also };

                for (size_t j = 0; j < ELEMENTS(paths); j++) {
                        int r = paths[j] ? kube_wanted_add(arena, wanted, paths[j]) : 0;

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* Follows keys divided by dots. */
static const struct value *find(const struct value *value, const char *path) {
        while (path && *path && value && value->kind == VALUE_MAP) {
                const struct value *below = NULL;
                size_t length = strcspn(path, ".");

                for (uint32_t i = 0; i < value->count && !below; i++)
                        if (strncmp(value->members[i].key, path, length) == 0 && !value->members[i].key[length])
                                below = &value->members[i].value;
                value = below;
                path += length + (path[length] == '.');
        }
        return path && !*path ? value : NULL;
}

/* "" when there is none; NULL without memory. */
static const char *text_of(struct arena *arena, const struct value *value) {
        if (value_is(value, VALUE_BOOL))
                return value->boolean ? "true" : "false";
        if (value_is(value, VALUE_INT))
                return arena_printf(arena, "%" PRId64, value->integer);
        return value_string_or(value, "");
}

int selector_field_values(struct arena *arena, const struct selector_field_kind *kind, const struct value *object,
                          const char **ret_values) {
        for (size_t i = 0; i < kind->n; i++) {
                const struct selector_field *field = &kind->fields[i];
                const char *text = text_of(arena, find(object, field->path));

                if (text && !*text && field->also)
                        text = text_of(arena, find(object, field->also));
                if (!text)
                        return -ENOMEM;
                ret_values[i] = *text || !field->fallback ? text : field->fallback;
        }
        return 0;
}

bool selector_field_matches(const struct selector_fields *selector, const char *const *values) {
        for (uint32_t i = 0; i < selector->n; i++) {
                const struct selector_term *term = &selector->terms[i];

                if ((strcmp(values[term->place], term->value) == 0) == term->differs)
                        return false;
        }
        return true;
}

const char *selector_field_exact(const struct selector_fields *selector, const char *label) {
        for (uint32_t i = 0; i < selector->n; i++)
                if (!selector->terms[i].differs && strcmp(selector->terms[i].field, label) == 0)
                        return selector->terms[i].value;
        return NULL;
}

static char *put_escaped(char *to, const char *value) {
        for (; *value; value++) {
                if (strchr("\\,=", *value))
                        *to++ = '\\';
                *to++ = *value;
        }
        *to = '\0';
        return to;
}

int selector_field_format(struct arena *arena, const struct selector_fields *selector, const char **ret_text) {
        size_t size = 1;
        char *text, *to;

        for (uint32_t i = 0; i < selector->n; i++)
                size += strlen(selector->terms[i].field) + 2 * strlen(selector->terms[i].value) + 3;
        text = to = arena_alloc(arena, size);
        if (!text)
                return -ENOMEM;
        for (uint32_t i = 0; i < selector->n; i++) {
                const struct selector_term *term = &selector->terms[i];

                to = stpcpy(stpcpy(stpcpy(to, i ? "," : ""), term->field), term->differs ? "!=" : "=");
                to = put_escaped(to, term->value);
        }
        *ret_text = text;
        return 0;
}
