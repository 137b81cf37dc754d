#include "lib/pointer.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/value.h"

char *pointer_unescape(struct arena *arena, const char *token, size_t length) {
        char *text = arena_strndup(arena, token, length), *to = text;

        if (!text)
                return NULL;
        for (const char *from = text; *from; from++)
                if (from[0] == '~' && (from[1] == '0' || from[1] == '1'))
                        *to++ = *++from == '0' ? '~' : '/';
                else
                        *to++ = *from;
        *to = '\0';
        return text;
}

char *pointer_escape(struct arena *arena, const char *token) {
        size_t n = strlen(token);
        char *text, *to;

        for (const char *p = token; *p; p++)
                n += *p == '~' || *p == '/';
        text = to = arena_alloc(arena, n + 1);
        if (!text)
                return NULL;
        for (const char *p = token; *p; p++) {
                *to++ = *p == '/' ? '~' : *p;
                if (*p == '~' || *p == '/')
                        *to++ = *p == '~' ? '0' : '1';
        }
        return text;
}

static int check(const char *text, uint32_t *ret_n, struct err **err) {
        uint32_t n = 0;

        if (*text && *text != '/')
                return err_set(err, EINVAL, "the JSON pointer \"%.100s\" does not begin with \"/\"", text);
        for (const char *p = text; *p; p++) {
                n += *p == '/';
                if (*p == '~' && p[1] != '0' && p[1] != '1')
                        return err_set(err, EINVAL, "the JSON pointer \"%.100s\" has a \"~\" that is not ~0 or ~1",
                                       text);
        }
        if (n > VALUE_DEPTH_MAX)
                return err_set(err, E2BIG, "the JSON pointer \"%.100s\" has more than %d tokens", text,
                               VALUE_DEPTH_MAX);
        *ret_n = n;
        return 0;
}

int pointer_parse(struct arena *arena, const char *text, struct pointer *ret_pointer, struct err **err) {
        const char **tokens;
        uint32_t n = 0;
        int r = check(text, &n, err);

        if (r < 0)
                return r;
        tokens = arena_alloc_array(arena, n, sizeof(*tokens));
        if (!tokens)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < n; i++) {
                size_t length = strcspn(++text, "/");

                tokens[i] = pointer_unescape(arena, text, length);
                if (!tokens[i])
                        return err_set(err, ENOMEM, "out of memory");
                text += length;
        }
        *ret_pointer = (struct pointer){ tokens, n };
        return 0;
}

bool pointer_index(const char *token, uint32_t *ret_index) {
        uint32_t index = 0;

        if (!*token || (token[0] == '0' && token[1]))
                return false;
        for (const char *p = token; *p; p++)
                if (*p < '0' || *p > '9' || __builtin_mul_overflow(index, 10u, &index) ||
                    __builtin_add_overflow(index, (uint32_t)(*p - '0'), &index))
                        return false;
        *ret_index = index;
        return true;
}

const struct value *pointer_get(const struct value *root, const struct pointer *pointer) {
        const struct value *value = root;

        for (uint32_t i = 0; value && i < pointer->n; i++) {
                uint32_t at;

                if (!value_is(value, VALUE_LIST))
                        value = value_get(value, pointer->tokens[i]);
                else
                        value = pointer_index(pointer->tokens[i], &at) ? value_at(value, at) : NULL;
        }
        return value;
}
