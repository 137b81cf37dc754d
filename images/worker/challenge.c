#include "images/worker/challenge.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"
#define TOKEN                                                                                                          \
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"                                               \
        "!#$%&'*+-.^_`|~"
#define TOKEN68 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"

/* A place in the lines, and where the next text is put: names and values, which are shorter than what they came in. */
struct reader {
        const char *p;
        char *out;
};

static bool is_end(char c) {
        return c == '\0' || c == '\n';
}

/* Whether something ends at @c: an element of the list, or the line. */
static bool is_border(char c) {
        return is_end(c) || c == ',' || c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *p) {
        return p + strspn(p, BLANKS);
}

static const char *put(struct reader *r, const char *text, size_t n) {
        char *begin = r->out;

        memcpy(begin, text, n);
        begin[n] = '\0';
        r->out += n + 1;
        return begin;
}

/* A quoted-string, whose first quote is at r->p. NULL when it has no end; then r->p stays. */
static const char *read_quoted(struct reader *r) {
        char *begin = r->out, *out = begin;
        const char *p = r->p + 1;

        for (; *p != '"'; p++) {
                if (*p == '\\')
                        p++;
                if (is_end(*p))
                        return NULL;
                *out++ = *p;
        }
        *out++ = '\0';
        r->out = out;
        r->p = p + 1;
        return begin;
}

static const char **place_of(struct challenge *c, const char *name, size_t n) {
        const struct {
                const char *name;
                const char **place;
        } places[] = { { "realm", &c->realm }, { "service", &c->service }, { "scope", &c->scope } };

        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
                if (n == strlen(places[i].name) && strncasecmp(name, places[i].name, n) == 0)
                        return places[i].place;
        return NULL;
}

/* `name = value`, of which @n bytes are the name. False at what is none. */
static bool read_parameter(struct reader *r, size_t n, struct challenge *c) {
        const char **place = place_of(c, r->p, n), *value = NULL;

        r->p = skip_blanks(skip_blanks(r->p + n) + 1);
        if (*r->p == '"') {
                value = read_quoted(r);
                if (!value)
                        return false;
        } else if ((n = strcspn(r->p, BLANKS ",\"\n")) > 0) {
                value = put(r, r->p, n);
                r->p += n;
        }
        if (!is_border(*r->p))
                return false;
        if (place && value)
                *place = value;
        return true;
}

/* The bytes of a token68 at @p; 0 when there is none, but a parameter or another challenge. */
static size_t token68_length(const char *p) {
        size_t n = strspn(p, TOKEN68);

        if (n == 0)
                return 0;
        n += strspn(p + n, "=");
        p = skip_blanks(p + n);
        return is_end(*p) || *p == ',' ? n : 0;
}

static void read_line(struct reader *r, struct challenges *list) {
        struct challenge *c = NULL;

        for (;;) {
                size_t n;

                r->p += strspn(r->p, BLANKS ",");
                n = strspn(r->p, TOKEN);
                if (n == 0)
                        return;
                if (*skip_blanks(r->p + n) == '=') {
                        if (!c || !read_parameter(r, n, c))
                                return;
                        continue;
                }
                if (!is_border(r->p[n]) || list->count == CHALLENGES_MAX)
                        return;
                c = &list->items[list->count++];
                *c = (struct challenge){ .scheme = put(r, r->p, n) };
                r->p = skip_blanks(r->p + n);
                r->p += token68_length(r->p);
        }
}

int challenges_parse(const char *lines, struct challenges *ret) {
        struct reader r = { .p = lines };

        *ret = (struct challenges){ .text = malloc(strlen(lines) + 1) };
        if (!ret->text)
                return -ENOMEM;
        r.out = ret->text;
        for (; *r.p; r.p += *r.p == '\n') {
                read_line(&r, ret);
                r.p += strcspn(r.p, "\n");
        }
        return 0;
}

void challenges_clear(struct challenges *list) {
        free(list->text);
        *list = (struct challenges){ .count = 0 };
}
