#include <errno.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define IN "In"
#define NOT_IN "NotIn"

/* Where the text up to an unescaped comma ends. */
static const char *end_of_term(const char *text) {
        while (*text && *text != ',')
                text += *text == '\\' && text[1] ? 2 : 1;
        return text;
}

/* A value between @text and @end, with its escapes (of \ , and =) undone; NULL where it is none. */
static const char *unescape(struct arena *arena, const char *text, const char *end) {
        char *value = arena_strndup(arena, text, (size_t)(end - text)), *out = value;

        for (; value && text < end; text++) {
                bool escaped = *text == '\\';

                text += escaped;
                if (escaped ? text == end || !strchr("\\,=", *text) : *text == '=')
                        return NULL;
                *out++ = *text;
        }
        if (value)
                *out = '\0';
        return value;
}

static int read_term(struct arena *arena, const char *text, const char *end,
                     struct kube_field_selector_requirement *ret_requirement) {
        const char **values = arena_alloc_array(arena, 1, sizeof(*values)), *at = text;
        struct kube_field_selector_requirement requirement = { .operator= IN };
        size_t n = 1;

        while (at < end && *at != '=' && !(*at == '!' && at[1] == '='))
                at += *at == '\\' && at + 1 < end ? 2 : 1;
        if (at >= end)
                return -EINVAL;
        if (*at == '!')
                requirement.operator= NOT_IN;
        if (at[1] == '=')
                n = 2;
        requirement.key = arena_strndup(arena, text, (size_t)(at - text));
        if (!values || !requirement.key)
                return -ENOMEM;
        values[0] = unescape(arena, at + n, end);
        if (!values[0])
                return -EINVAL;
        requirement.values.items = values;
        requirement.values.count = 1;
        *ret_requirement = requirement;
        return 0;
}

int auth_attributes_select(struct arena *arena, const char *text, struct auth_attributes *attributes) {
        struct kube_field_selector_requirement *items;
        uint32_t n = 0;

        items = arena_alloc_array(arena, AUTH_FIELDS_MAX, sizeof(*items));
        if (!items)
                return -ENOMEM;
        while (*text) {
                const char *end = end_of_term(text);
                int r = end == text ? 0 : n == AUTH_FIELDS_MAX ? -E2BIG : read_term(arena, text, end, &items[n]);

                if (r < 0)
                        return r;
                n += end > text;
                text = *end ? end + 1 : end;
        }
        attributes->fields.items = items;
        attributes->fields.count = n;
        return 0;
}

const char *auth_attributes_exact(const struct auth_attributes *attributes, const char *field) {
        const char *first = NULL;

        /* Of several the first in the order in which Go has them, sorted. */
        list_for_each (wanted, &attributes->fields)
                if (strcmp(wanted->key, field) == 0 && strcmp(wanted->operator, IN) == 0 &&
                    (!first || strcmp(wanted->values.items[0], first) < 0))
                        first = wanted->values.items[0];
        return first;
}
