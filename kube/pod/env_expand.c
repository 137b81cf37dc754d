/* $(VAR) references: the rules of third_party/forked/golang/expansion. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "kube/pod/env.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/path.h"

/* One piece of a text: what is written as it is, or a variable's name. */
struct piece {
        const char *text;
        size_t length;
        bool variable;
};

/* Cuts the next piece off *@p: up to a "$", or what the "$" begins. */
static struct piece next_piece(const char **p) {
        const char *begin = *p, *end = strchrnul(begin, '$');

        if (end > begin || !*end) {
                *p = end;
                return (struct piece){ begin, (size_t)(end - begin), false };
        }
        if (begin[1] == '$') {
                *p = begin + 2;
                return (struct piece){ begin, 1, false };
        }
        if (begin[1] == '(') {
                const char *close = strchr(begin + 2, ')');

                if (close) {
                        *p = close + 1;
                        return (struct piece){ begin + 2, (size_t)(close - begin - 2), true };
                }
        }
        *p = begin + (begin[1] ? 2 : 1);
        return (struct piece){ begin, (size_t)(*p - begin), false };
}

/* Writes the expansion to @out, if that is not NULL, and returns its length. A reference to nothing stays as it is and
 * goes to *@ret_missing. */
static size_t write_expansion(const char *text, const struct env_index *variables, char *out,
                              struct piece *ret_missing) {
        size_t total = 0;

        while (*text) {
                const char *begin = text;
                struct piece piece = next_piece(&text);

                if (piece.variable) {
                        const struct string_pair *variable = env_index_find(variables, piece.text, piece.length);

                        if (!variable) {
                                *ret_missing = piece;
                                piece.text = begin;
                                piece.length = (size_t)(text - begin);
                        } else {
                                piece.text = variable->value;
                                piece.length = strlen(variable->value);
                        }
                }
                if (out)
                        memcpy(out + total, piece.text, piece.length);
                total += piece.length;
        }
        return total;
}

static const char *expand(struct arena *arena, const char *text, const struct env_index *variables,
                          struct piece *ret_missing) {
        size_t length;
        char *out;

        if (!strchr(text, '$'))
                return text;
        length = write_expansion(text, variables, NULL, ret_missing);
        if (length > ENV_VALUE_MAX)
                return NULL;
        out = arena_alloc(arena, length + 1);
        if (out)
                write_expansion(text, variables, out, ret_missing);
        return out;
}

const char *env_expand(struct arena *arena, const char *text, const struct env_index *variables) {
        struct piece missing;

        return expand(arena, text, variables, &missing);
}

int env_expand_list(struct arena *arena, const string_list *words, const string_map *variables,
                    string_list *ret_words) {
        const char **items = arena_alloc_array(arena, words->count, sizeof(*items));
        _cleanup_env_index_ struct env_index index = { .arena = arena };
        size_t total = 0;

        if (!items || env_index_add_all(&index, variables) < 0)
                return -ENOMEM;
        for (uint32_t i = 0; i < words->count; i++) {
                items[i] = env_expand(arena, words->items[i], &index);
                if (!items[i])
                        return -ENOMEM;
                total += strlen(items[i]);
                if (total > ENV_TOTAL_MAX)
                        return -E2BIG;
        }
        ret_words->items = items;
        ret_words->count = words->count;
        return 0;
}

int env_expand_sub_path(struct arena *arena, const char *expression, const struct env_index *variables,
                        const char **ret_path, struct err **err) {
        struct piece missing = { .text = NULL };
        const char *path = expand(arena, expression, variables, &missing);

        if (!path)
                return err_set(err, ENOMEM, "subPathExpr: out of memory");
        if (missing.text)
                return err_set(err, EINVAL, "missing value for %.*s, which subPathExpr \"%.256s\" names",
                               (int)missing.length, missing.text, expression);
        if (strlen(path) >= PATH_MAX)
                return err_set(err, ENAMETOOLONG, "subPathExpr: longer than %d bytes", PATH_MAX - 1);
        if (*path == '/')
                return err_set(err, EINVAL, "error SubPath `%.256s` must not be an absolute path", path);
        if (path_steps_back(path))
                return err_set(err, EINVAL, "unable to provision SubPath `%.256s`: must not contain '..'", path);
        *ret_path = path;
        return 0;
}
