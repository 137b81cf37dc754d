#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kube/print/path.h"
#include "kube/print/path_nodes.h"
#include "kube/print/table.h"
#include "lib/arena.h"
#include "lib/err.h"

struct parser {
        const char *at, *end;
        struct arena *arena;
        unsigned depth;
        struct path_node **tail;
        struct err **err;
};

static int parse_steps(struct parser *p);

static int wrong(struct parser *p, const char *what) {
        return err_set(p->err, EINVAL, "JSONPath: %s", what);
}

static struct path_node *add(struct parser *p, enum path_node_kind kind) {
        struct path_node *node = arena_new_of(p->arena, struct path_node);

        if (!node) {
                err_set(p->err, ENOMEM, "JSONPath: out of memory");
                return NULL;
        }
        node->kind = kind;
        *p->tail = node;
        p->tail = &node->next;
        return node;
}

/* Reads @length bytes at @text as a path of their own. */
static int parse_inner(struct parser *p, const char *text, size_t length, struct print_path *ret_path) {
        struct parser inner = { text, text + length, p->arena, p->depth + 1, &ret_path->first, p->err };

        ret_path->first = NULL;
        if (inner.depth > PRINT_PATH_DEPTH)
                return err_set(p->err, E2BIG, "JSONPath: filters and unions nested deeper than %d", PRINT_PATH_DEPTH);
        return parse_steps(&inner);
}

static bool is_terminator(char c) {
        return strchr(" \t\r\n.,[]$@{}", c) || !c;
}

/* The name behind a dot, up to what cannot be in one unless a backslash stands before it. */
static int parse_field(struct parser *p) {
        const char *begin = p->at;
        struct path_node *node;
        char *name, *to;

        while (p->at < p->end && !is_terminator(*p->at))
                p->at += *p->at == '\\' && p->end - p->at > 1 ? 2 : 1;
        if (p->at - begin == 1 && *begin == '*')
                return add(p, PATH_WILDCARD) ? 0 : -ENOMEM;
        node = add(p, PATH_FIELD);
        name = to = arena_alloc(p->arena, (size_t)(p->at - begin) + 1);
        if (!node || !name)
                return -ENOMEM;
        for (const char *c = begin; c < p->at; c++)
                if (*c != '\\')
                        *to++ = *c;
        node->name = name;
        return 0;
}

/* A part of "1:3:2"; @text is the number alone. */
static int parse_bound(struct parser *p, const char *text, size_t length, struct path_bound *bound) {
        char number[24], *end;

        if (length >= sizeof(number))
                return wrong(p, "an array index is not a number");
        memcpy(number, text, length);
        number[length] = '\0';
        errno = 0;
        *bound = (struct path_bound){ .known = true, .value = strtoll(number, &end, 10) };
        if (errno || *end || end == number)
                return wrong(p, "an array index is not a number");
        return 0;
}

static size_t bound_length(const char *p, const char *end) {
        const char *begin = p;

        p += p < end && *p == '-';
        while (p < end && isdigit((unsigned char)*p))
                p++;
        return (size_t)(p - begin);
}

static int parse_slice(struct parser *p, const char *text, size_t length) {
        const char *end = text + length;
        struct path_node *node = add(p, PATH_SLICE);
        int r;

        if (!node)
                return -ENOMEM;
        for (int i = 0; i < 3; i++) {
                bool colon = i > 0 && text < end && *text == ':';
                size_t n = i > 0 && !colon ? 0 : bound_length(text + colon, end);

                text += colon;
                if (n > 0) {
                        r = parse_bound(p, text, n, &node->bound[i]);
                        if (r < 0)
                                return r;
                } else if (i == 1 && !colon) {
                        node->bound[1] = (struct path_bound){ true, true, node->bound[0].value + 1 };
                }
                text += n;
        }
        return text == end ? 0 : wrong(p, "invalid array index");
}

static int parse_union(struct parser *p, const char *text, size_t length) {
        const char *end = text + length;
        struct path_node *node = add(p, PATH_UNION);
        size_t n = 1;

        for (const char *c = text; c < end; c++)
                n += *c == ',';
        if (!node)
                return -ENOMEM;
        node->paths = arena_alloc_array(p->arena, n, sizeof(*node->paths));
        if (!node->paths)
                return -ENOMEM;
        for (; node->n < n; node->n++) {
                const char *comma = memchr(text, ',', (size_t)(end - text)), *last = comma ? comma : end;
                char *inner;
                int r;

                while (text < last && *text == ' ')
                        text++;
                while (last > text && last[-1] == ' ')
                        last--;
                inner = arena_printf(p->arena, "[%.*s]", (int)(last - text), text);
                if (!inner)
                        return -ENOMEM;
                r = parse_inner(p, inner, strlen(inner), &node->paths[node->n]);
                if (r < 0)
                        return r;
                text = comma ? comma + 1 : end;
        }
        return 0;
}

/* "[...]", behind the bracket. */
static int parse_array(struct parser *p) {
        const char *begin = p->at, *close = memchr(begin, ']', (size_t)(p->end - begin));
        struct parser inner;
        size_t length;
        int r;

        if (!close || memchr(begin, '\n', (size_t)(close - begin)))
                return wrong(p, "unterminated array");
        length = (size_t)(close - begin);
        p->at = close + 1;
        if (length == 1 && *begin == '*')
                return parse_slice(p, ":", 1);
        if (memchr(begin, ',', length))
                return parse_union(p, begin, length);
        if (length < 2 || begin[0] != '\'' || begin[length - 1] != '\'' || memchr(begin + 1, '\'', length - 2))
                return parse_slice(p, begin, length);
        inner = (struct parser){ begin + 1, close - 1, p->arena, p->depth, p->tail, p->err };
        r = parse_field(&inner); /* what follows a dot in it are fields of their own, as for Go */
        if (r == 0)
                r = parse_steps(&inner);
        p->tail = inner.tail;
        return r;
}

/* The text of a filter up to its bracket; quotes may stand once, around all of one side. */
static const char *filter_end(const struct parser *p) {
        bool begun = false, ended = false;
        char pair = '\0';

        for (const char *c = p->at; c < p->end && *c != '\n'; c++) {
                if (*c == '"' || *c == '\'') {
                        if (!begun)
                                pair = *c;
                        else if (c[-1] != '\\' && *c == pair)
                                ended = true;
                        begun = true;
                } else if (*c == ')' && begun == ended) {
                        return c;
                }
        }
        return NULL;
}

static int parse_filter(struct parser *p) {
        const char *begin = p->at, *end = filter_end(p), *op, *right;
        struct path_node *node;
        int r;

        if (!end)
                return wrong(p, "unterminated filter");
        if (end + 1 >= p->end || end[1] != ']')
                return wrong(p, "unclosed array expect ]");
        p->at = end + 2;
        node = add(p, PATH_FILTER);
        if (!node)
                return -ENOMEM;
        node->paths = arena_alloc_array(p->arena, 2, sizeof(*node->paths));
        if (!node->paths)
                return -ENOMEM;
        for (op = begin; op < end && !strchr("!<>=", *op);)
                op++;
        for (right = op; right < end && strchr("!<>=", *right);)
                right++;
        if (right == end && right - op > 1)
                right--; /* something has to be left to compare with */
        if (op == begin || op == right || right == end) {
                node->op = "exists";
                return parse_inner(p, begin, (size_t)(end - begin), &node->paths[0]);
        }
        node->op = arena_strndup(p->arena, op, (size_t)(right - op));
        if (!node->op)
                return -ENOMEM;
        r = parse_inner(p, begin, (size_t)(op - begin), &node->paths[0]);
        return r < 0 ? r : parse_inner(p, right, (size_t)(end - right), &node->paths[1]);
}

static int parse_number(struct parser *p) {
        const char *begin = p->at;
        struct path_node *node;
        char *text, *end;

        p->at++;
        while (p->at < p->end && (*p->at == '.' || isdigit((unsigned char)*p->at)))
                p->at++;
        node = add(p, PATH_LITERAL);
        text = arena_strndup(p->arena, begin, (size_t)(p->at - begin));
        if (!node || !text)
                return -ENOMEM;
        errno = 0;
        node->literal = (struct value){ .kind = VALUE_INT, .integer = strtoll(text, &end, 10) };
        if (!errno && !*end && end > text)
                return 0;
        strtod(text, &end);
        if (*end || end == text)
                return wrong(p, "cannot parse a number");
        node->literal = (struct value){ .kind = VALUE_NUMBER, .text = text, .count = (uint32_t)strlen(text) };
        return 0;
}

static int parse_quote(struct parser *p, char quote) {
        const char *begin = p->at;
        struct path_node *node = add(p, PATH_LITERAL);
        char *text = arena_alloc(p->arena, (size_t)(p->end - begin) + 1), *to = text;

        if (!node || !text)
                return -ENOMEM;
        for (; p->at < p->end && *p->at != quote && *p->at != '\n'; p->at++) {
                if (*p->at == '\\' && p->end - p->at > 1)
                        p->at++;
                *to++ = *p->at;
        }
        if (p->at == p->end || *p->at != quote)
                return wrong(p, "unterminated quoted string");
        p->at++;
        node->literal = (struct value){ .kind = VALUE_STRING, .text = text, .count = (uint32_t)(to - text) };
        return 0;
}

static int parse_word(struct parser *p) {
        const char *begin = p->at;
        struct path_node *node;
        size_t length;
        bool is_bool;

        while (p->at < p->end && !is_terminator(*p->at))
                p->at++;
        length = (size_t)(p->at - begin);
        is_bool = (length == 4 && memcmp(begin, "true", 4) == 0) || (length == 5 && memcmp(begin, "false", 5) == 0);
        node = add(p, is_bool ? PATH_LITERAL : PATH_UNKNOWN);
        if (!node)
                return -ENOMEM;
        node->literal = (struct value){ .kind = VALUE_BOOL, .boolean = *begin == 't' };
        return 0;
}

static int parse_descent(struct parser *p) {
        p->at += 2;
        if (p->end - p->at >= 2 && p->at[0] == '.' && p->at[1] == '.')
                return wrong(p, "invalid multiple recursive descent");
        if (!add(p, PATH_DESCENT))
                return -ENOMEM;
        return p->at < p->end && (isalnum((unsigned char)*p->at) || *p->at == '_') ? parse_field(p) : 0;
}

static bool starts(const struct parser *p, const char *with) {
        return (size_t)(p->end - p->at) >= strlen(with) && memcmp(p->at, with, strlen(with)) == 0;
}

static int parse_step(struct parser *p) {
        char c = *p->at;

        if (starts(p, "[?(")) {
                p->at += 3;
                return parse_filter(p);
        }
        if (starts(p, ".."))
                return parse_descent(p);
        if (c == '+' || c == '-' || isdigit((unsigned char)c))
                return parse_number(p);
        if (isalpha((unsigned char)c) || c == '_')
                return parse_word(p);
        p->at++;
        switch (c) {
        case ' ':
        case '@':
        case '$':
                return 0;
        case '[':
                return parse_array(p);
        case '"':
        case '\'':
                return parse_quote(p, c);
        case '.':
                return parse_field(p);
        default:
                return wrong(p, "unrecognized character");
        }
}

static int parse_steps(struct parser *p) {
        int r = 0;

        while (p->at < p->end && r == 0)
                r = parse_step(p);
        return r;
}

int print_path_parse(struct arena *arena, const char *text, const struct print_path **ret_path, struct err **err) {
        struct print_path *path = arena_new_of(arena, struct print_path);
        size_t length = strlen(text);
        struct parser p = { text, text + length, arena, 0, path ? &path->first : NULL, err };
        int r;

        if (!path)
                return err_set(err, ENOMEM, "JSONPath: out of memory");
        if (length > PRINT_JSON_PATH_MAX)
                return err_set(err, E2BIG, "JSONPath: %zu bytes, more than the %d allowed", length,
                               PRINT_JSON_PATH_MAX);
        r = parse_steps(&p);
        if (r == 0)
                *ret_path = path;
        return r == -ENOMEM ? err_set(err, ENOMEM, "JSONPath: out of memory") : r;
}
