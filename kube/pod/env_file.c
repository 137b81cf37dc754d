#include "kube/pod/env_file.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/err.h"

struct reader {
        const char *at;
        unsigned line; /* of @at, from 1 */
};

/* One variable; @value is not terminated. */
struct variable {
        const char *name, *value;
        size_t name_length, value_length;
};

static const char *skip_blanks(const char *p) {
        return p + strspn(p, " \t");
}

static void next_line(struct reader *r) {
        r->at = strchrnul(r->at, '\n');
        if (*r->at) {
                r->at++;
                r->line++;
        }
}

static int refuse(const struct reader *r, struct err **err, const char *what) {
        return err_set(err, EINVAL, "invalid environment variable format at line %u: %s", r->line, what);
}

/* From the opening quote on: the value, and nothing but a comment behind it. */
static int read_value(struct reader *r, struct variable *v, struct err **err) {
        const char *begin = r->at + 1, *end = strchr(begin, '\'');

        if (!end)
                return refuse(r, err, "unclosed single quote");
        v->value = begin;
        v->value_length = (size_t)(end - begin);
        for (const char *p = begin; p < end; p++)
                r->line += *p == '\n';
        r->at = skip_blanks(end + 1);
        if (*r->at && *r->at != '\n' && *r->at != '#')
                return refuse(r, err, "unexpected content after closing quote");
        next_line(r);
        return 0;
}

/* 1 with the next variable, 0 at the end. */
static int read_variable(struct reader *r, struct variable *ret, struct err **err) {
        const char *equals;
        int q;

        for (r->at = skip_blanks(r->at); *r->at == '\n' || *r->at == '#'; r->at = skip_blanks(r->at))
                next_line(r);
        if (!*r->at)
                return 0;
        equals = r->at + strcspn(r->at, "=\n");
        if (*equals != '=')
                return refuse(r, err, "missing '='");
        if (equals == r->at)
                return refuse(r, err, "empty variable name");
        if (equals[-1] == ' ' || equals[-1] == '\t')
                return refuse(r, err, "whitespace before '=' is not allowed");
        *ret = (struct variable){ .name = r->at, .name_length = (size_t)(equals - r->at) };
        r->at = equals + 1;
        if (*r->at == ' ' || *r->at == '\t') {
                next_line(r);
                return 1;
        }
        if (*r->at != '\'')
                return refuse(r, err, "value must be enclosed in single quotes");
        q = read_value(r, ret, err);
        return q < 0 ? q : 1;
}

int env_file_find(struct arena *arena, const char *text, const char *key, const char **ret_value, struct err **err) {
        struct reader reader = { .at = text, .line = 1 };
        struct variable v = { 0 };
        int r;

        while ((r = read_variable(&reader, &v, err)) > 0) {
                if (strlen(key) != v.name_length || memcmp(key, v.name, v.name_length) != 0)
                        continue;
                if (v.value_length == 0)
                        break;
                *ret_value = arena_strndup(arena, v.value, v.value_length);
                return *ret_value ? 0 : err_set(err, ENOMEM, "out of memory");
        }
        return r < 0 ? r : err_set(err, ENOENT, "environment variable key \"%.128s\" not found", key);
}
