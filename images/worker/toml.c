#include "images/worker/toml.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define LIST_DEPTH_MAX 4

struct parser {
        const char *p;
        unsigned line;
        struct arena *arena;
        const char *table[TOML_KEYS_MAX];
        size_t n_table;
        struct toml_entry entry;
        struct err **err;
};

static int fail(struct parser *s, const char *what) {
        return err_set(s->err, EINVAL, "line %u: %s", s->line, what);
}

static void skip_blanks(struct parser *s) {
        while (*s->p == ' ' || *s->p == '\t')
                s->p++;
}

/* Blanks, comments and newlines. */
static void skip_space(struct parser *s) {
        for (;;) {
                skip_blanks(s);
                if (*s->p == '#')
                        s->p += strcspn(s->p, "\n");
                if (*s->p == '\r' && s->p[1] == '\n')
                        s->p++;
                if (*s->p != '\n')
                        return;
                s->line++;
                s->p++;
        }
}

static int parse_escape(struct parser *s, char *ret) {
        static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
        const char *found = *s->p ? strchr(from, *s->p) : NULL;

        if (!found)
                return fail(s, "an unknown escape in a string");
        *ret = to[found - from];
        s->p++;
        return 0;
}

static int parse_string(struct parser *s, const char **ret) {
        char quote = *s->p++, *text;
        size_t n = 0;

        if (s->p[0] == quote && s->p[1] == quote)
                return fail(s, "strings of several lines are not supported");
        text = arena_alloc(s->arena, strcspn(s->p, "\n") + 1);
        if (!text)
                return err_set(s->err, ENOMEM, "out of memory");
        while (*s->p != quote) {
                if (*s->p == '\0' || *s->p == '\n')
                        return fail(s, "a string without its end");
                if (*s->p == '\\' && quote == '"') {
                        s->p++;
                        if (parse_escape(s, &text[n++]) < 0)
                                return -EINVAL;
                } else {
                        text[n++] = *s->p++;
                }
        }
        s->p++;
        *ret = text;
        return 0;
}

static int parse_bare(struct parser *s, const char *allowed, const char **ret) {
        size_t n = 0;

        while (isalnum((unsigned char)s->p[n]) || (s->p[n] && strchr(allowed, s->p[n])))
                n++;
        if (n == 0)
                return fail(s, "a key or a value is missing");
        *ret = arena_strndup(s->arena, s->p, n);
        s->p += n;
        return *ret ? 0 : err_set(s->err, ENOMEM, "out of memory");
}

/* A dotted key, appended to @keys. */
static int parse_key(struct parser *s, const char **keys, size_t *n) {
        for (;;) {
                int r;

                skip_blanks(s);
                if (*n == TOML_KEYS_MAX)
                        return fail(s, "a key of too many parts");
                r = *s->p == '"' || *s->p == '\'' ? parse_string(s, &keys[*n]) : parse_bare(s, "_-", &keys[*n]);
                if (r < 0)
                        return r;
                ++*n;
                skip_blanks(s);
                if (*s->p != '.')
                        return 0;
                s->p++;
        }
}

static int parse_value(struct parser *s, unsigned depth);

static int parse_list(struct parser *s, unsigned depth) {
        s->entry.list = true;
        s->entry.nested |= depth > 0;
        s->p++;
        for (;;) {
                int r;

                skip_space(s);
                if (*s->p == ']')
                        break;
                r = parse_value(s, depth + 1);
                if (r < 0)
                        return r;
                skip_space(s);
                if (*s->p == ',')
                        s->p++;
                else if (*s->p != ']')
                        return fail(s, "a list needs ',' or ']' here");
        }
        s->p++;
        return 0;
}

static int parse_value(struct parser *s, unsigned depth) {
        if (*s->p == '[')
                return depth < LIST_DEPTH_MAX ? parse_list(s, depth) : fail(s, "lists are nested too deep");
        if (*s->p == '{')
                return fail(s, "inline tables are not supported; use a [table]");
        if (s->entry.n_values == TOML_VALUES_MAX)
                return fail(s, "a list of too many items");
        const char **value = &s->entry.values[s->entry.n_values++];

        return *s->p == '"' || *s->p == '\'' ? parse_string(s, value) : parse_bare(s, "_+-", value);
}

static int parse_table(struct parser *s) {
        s->p++;
        if (*s->p == '[')
                return fail(s, "lists of tables are not supported");
        s->n_table = 0;
        int r = parse_key(s, s->table, &s->n_table);

        if (r < 0)
                return r;
        if (*s->p != ']')
                return fail(s, "a table's name needs ']' here");
        s->p++;
        return 0;
}

static int parse_entry(struct parser *s) {
        struct toml_entry *e = &s->entry;
        int r;

        *e = (struct toml_entry){ .line = s->line, .n_keys = s->n_table };
        memcpy(e->keys, s->table, s->n_table * sizeof(*s->table));
        r = parse_key(s, e->keys, &e->n_keys);
        if (r < 0)
                return r;
        if (*s->p != '=')
                return fail(s, "a key needs '=' behind it");
        s->p++;
        skip_blanks(s);
        return parse_value(s, 0);
}

static int parse_one(struct parser *s, int (*each)(void *data, const struct toml_entry *entry, struct err **err),
                     void *data, struct err **err) {
        int r;

        if (*s->p == '[')
                return parse_table(s);
        r = parse_entry(s);
        return r < 0 ? r : each(data, &s->entry, err);
}

int toml_parse(const char *text, int (*each)(void *data, const struct toml_entry *entry, struct err **err), void *data,
               struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct parser s = { .p = text, .line = 1, .arena = arena, .err = err };
        int r = 0;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        for (skip_space(&s); *s.p && r == 0; skip_space(&s)) {
                r = parse_one(&s, each, data, err);
                skip_blanks(&s);
                if (r == 0 && *s.p && *s.p != '\n' && *s.p != '\r' && *s.p != '#')
                        r = fail(&s, "something stands behind the value");
        }
        return r;
}
