/* Walks a JSONPath through a tree as k8s.io/client-go does, with missing keys allowed. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "kube/print/path.h"
#include "kube/print/path_nodes.h"
#include "kube/project.h"
#include "lib/arena.h"

/* What a step has found. */
struct found {
        const struct value **values;
        size_t n, size;
};

struct walk {
        struct arena *arena;
        size_t left; /* that may still be found */
};

static int keep(struct walk *w, struct found *found, const struct value *value) {
        if (w->left == 0)
                return -E2BIG;
        w->left--;
        if (found->n == found->size) {
                size_t size = found->size ? found->size * 2 : 8;
                const struct value **values = arena_alloc_array(w->arena, size, sizeof(*values));

                if (!values)
                        return -ENOMEM;
                if (found->n > 0)
                        memcpy(values, found->values, found->n * sizeof(*values));
                found->values = values;
                found->size = size;
        }
        found->values[found->n++] = value;
        return 0;
}

static int walk_path(struct walk *w, const struct print_path *path, struct found in, struct found *ret);

static int walk_field(struct walk *w, const struct path_node *node, const struct found *in, struct found *out) {
        int r = 0;

        for (size_t i = 0; i < in->n && r == 0; i++) {
                const struct value *value = value_get(in->values[i], node->name);

                if (value)
                        r = keep(w, out, value);
        }
        return r;
}

/* The items or members of @value. */
static int keep_all(struct walk *w, const struct value *value, struct found *out) {
        int r = 0;

        for (uint32_t i = 0; i < value_count(value) && r == 0; i++)
                r = keep(w, out, value->kind == VALUE_MAP ? &value->members[i].value : &value->items[i]);
        return r;
}

static bool has_parts(const struct value *value) {
        return value->kind == VALUE_MAP || value->kind == VALUE_LIST;
}

static int walk_wildcard(struct walk *w, const struct found *in, struct found *out) {
        int r = 0;

        for (size_t i = 0; i < in->n && r == 0; i++)
                if (has_parts(in->values[i]))
                        r = keep_all(w, in->values[i], out);
        return r;
}

/* @value, and all below it that has parts. */
static int descend(struct walk *w, const struct value *value, struct found *out) {
        struct found parts = { 0 };
        int r;

        if (!has_parts(value) || value->count == 0)
                return 0;
        if ((r = keep(w, out, value)) < 0 || (r = keep_all(w, value, &parts)) < 0)
                return r;
        for (size_t i = 0; i < parts.n; i++)
                if ((r = descend(w, parts.values[i], out)) < 0)
                        return r;
        return 0;
}

static int walk_descent(struct walk *w, const struct found *in, struct found *out) {
        int r = 0;

        for (size_t i = 0; i < in->n && r == 0; i++)
                r = descend(w, in->values[i], out);
        return r;
}

/* The part of a list of @length that a slice is. False when it reaches out of it. */
static bool settle_slice(const struct path_node *node, int64_t length, int64_t *ret_start, int64_t *ret_end) {
        int64_t start = node->bound[0].known ? node->bound[0].value : 0, end = node->bound[1].value;

        if (start < 0)
                start += length;
        if (!node->bound[1].known)
                end = length;
        else if (end < 0 || (end == 0 && node->bound[1].derived))
                end += length;
        *ret_start = start;
        *ret_end = end;
        return start == end || (start >= 0 && start < length && end >= 0 && end <= length && start <= end);
}

static int walk_slice(struct walk *w, const struct path_node *node, const struct found *in, struct found *out) {
        for (size_t i = 0; i < in->n; i++) {
                const struct value *list = in->values[i];
                int64_t start, end, step = node->bound[2].known ? node->bound[2].value : 1;
                int r;

                if (list->kind == VALUE_NULL)
                        continue;
                if (list->kind != VALUE_LIST || !settle_slice(node, list->count, &start, &end))
                        return -EINVAL;
                if (start == end)
                        return 0;
                if (step <= 0)
                        return -EINVAL;
                for (; start < end; start += step) {
                        r = keep(w, out, &list->items[start]);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int walk_union(struct walk *w, const struct path_node *node, const struct found *in, struct found *out) {
        int r = 0;

        for (size_t i = 0; i < node->n && r == 0; i++) {
                struct found part = { 0 };

                r = walk_path(w, &node->paths[i], *in, &part);
                for (size_t j = 0; j < part.n && r == 0; j++)
                        r = keep(w, out, part.values[j]);
        }
        return r;
}

static bool is_number(const struct value *value) {
        return value->kind == VALUE_NUMBER;
}

/* How @a is to @b: less, equal or more than 0. -EINVAL: they are not to be compared; @ordered: not only for equality.
 */
static int compare(const struct value *a, const struct value *b, bool ordered, int *ret_order) {
        double left, right;

        if (a->kind != b->kind || a->kind == VALUE_NULL || has_parts(a) || (ordered && a->kind == VALUE_BOOL))
                return -EINVAL;
        if (a->kind == VALUE_BOOL) {
                *ret_order = a->boolean != b->boolean;
        } else if (a->kind == VALUE_INT) {
                *ret_order = (a->integer > b->integer) - (a->integer < b->integer);
        } else if (is_number(a)) {
                if (!value_double(a, &left) || !value_double(b, &right))
                        return -EINVAL;
                *ret_order = (left > right) - (left < right);
        } else {
                *ret_order = strcmp(a->text, b->text);
        }
        return 0;
}

static int passes(const char *op, const struct value *left, const struct value *right) {
        static const struct {
                const char *op;
                bool ordered, less, equal, more;
        } ops[] = {
                { "==", false, false, true, false }, { "!=", false, true, false, true },
                { "<", true, true, false, false },   { "<=", true, true, true, false },
                { ">", true, false, false, true },   { ">=", true, false, true, true },
        };

        for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
                int order, r;

                if (strcmp(ops[i].op, op) != 0)
                        continue;
                r = compare(left, right, ops[i].ordered, &order);
                if (r < 0)
                        return r;
                return order == 0 ? ops[i].equal : order < 0 ? ops[i].less : ops[i].more;
        }
        return -EINVAL;
}

/* Whether an item passes a filter: 1, 0, or an error. */
static int filter(struct walk *w, const struct path_node *node, const struct value *item) {
        struct found self = { &item, 1, 1 }, left = { 0 }, right = { 0 };
        int r = walk_path(w, &node->paths[0], self, &left);

        if (strcmp(node->op, "exists") == 0)
                return r == -ENOMEM || r == -E2BIG ? r : left.n > 0 || r < 0; /* Go takes what failed for there */
        if (r < 0 || left.n == 0)
                return r;
        if (left.n > 1)
                return -EINVAL;
        r = walk_path(w, &node->paths[1], self, &right);
        if (r < 0 || right.n == 0)
                return r;
        return right.n > 1 ? -EINVAL : passes(node->op, left.values[0], right.values[0]);
}

static int walk_filter(struct walk *w, const struct path_node *node, const struct found *in, struct found *out) {
        for (size_t i = 0; i < in->n; i++) {
                const struct value *list = in->values[i];

                if (list->kind != VALUE_LIST)
                        return -EINVAL;
                for (uint32_t j = 0; j < list->count; j++) {
                        int r = filter(w, node, &list->items[j]);

                        if (r > 0)
                                r = keep(w, out, &list->items[j]);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int walk_literal(struct walk *w, const struct path_node *node, const struct found *in, struct found *out) {
        size_t n = node->literal.kind == VALUE_STRING ? 1 : in->n;
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++)
                r = keep(w, out, &node->literal);
        return r;
}

static int walk_node(struct walk *w, const struct path_node *node, const struct found *in, struct found *out) {
        switch (node->kind) {
        case PATH_FIELD:
                return walk_field(w, node, in, out);
        case PATH_SLICE:
                return walk_slice(w, node, in, out);
        case PATH_WILDCARD:
                return walk_wildcard(w, in, out);
        case PATH_DESCENT:
                return walk_descent(w, in, out);
        case PATH_UNION:
                return walk_union(w, node, in, out);
        case PATH_FILTER:
                return walk_filter(w, node, in, out);
        case PATH_LITERAL:
                return walk_literal(w, node, in, out);
        case PATH_UNKNOWN:
                break;
        }
        return -EINVAL;
}

static int walk_path(struct walk *w, const struct print_path *path, struct found in, struct found *ret) {
        for (const struct path_node *node = path->first; node; node = node->next) {
                struct found out = { 0 };
                int r = walk_node(w, node, &in, &out);

                if (r < 0)
                        return r;
                in = out;
        }
        *ret = in;
        return 0;
}

int print_path_first(struct arena *arena, const struct print_path *path, const struct value *object,
                     const struct value **ret_value) {
        struct walk walk = { arena, PRINT_PATH_RESULTS_MAX };
        struct found root = { &object, 1, 1 }, found = { 0 };
        int r = walk_path(&walk, path, root, &found);

        if (r == -ENOMEM)
                return r;
        *ret_value = r == 0 && found.n > 0 ? found.values[0] : NULL;
        return 0;
}

int print_path_want(struct arena *arena, struct kube_wanted *wanted, const struct print_path *path) {
        for (const struct path_node *node = path->first; node && node->kind == PATH_FIELD && wanted; node = node->next)
                wanted = kube_wanted_below(arena, wanted, node->name, strlen(node->name));
        if (!wanted)
                return -ENOMEM;
        kube_wanted_whole(wanted);
        return 0;
}
