#include "api/auth/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/utf8.h"

static char escape_of(unsigned char c) {
        static const char escapes[256] = { ['\a'] = 'a', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r',
                                           ['\t'] = 't', ['\v'] = 'v', ['"'] = '"',  ['\\'] = '\\' };

        return escapes[c];
}

/* Writes the quoted @text to @to where it is not NULL; gives the bytes it takes. */
static size_t quote(const char *text, char *to) {
        const char *end = text + strlen(text);
        size_t size = 0;
        char piece[8];

        for (const char *at = text; at < end;) {
                unsigned char c = (unsigned char)*at;
                size_t n = c < 0x80 ? 1 : utf8_character(at, (size_t)(end - at)), took = n ? n : 1;

                if (escape_of(c))
                        n = (size_t)snprintf(piece, sizeof(piece), "\\%c", escape_of(c));
                else if (n == 0 || c < ' ' || c == 0x7f)
                        n = (size_t)snprintf(piece, sizeof(piece), "\\x%02x", c);
                else
                        memcpy(piece, at, n);
                if (to)
                        memcpy(to + size, piece, n);
                size += n;
                at += took;
        }
        return size;
}

char *auth_quote(struct arena *arena, const char *text) {
        size_t size = quote(text, NULL);
        char *quoted = arena_alloc(arena, size + 3);

        if (!quoted)
                return NULL;
        quoted[0] = quoted[size + 1] = '"';
        quote(text, quoted + 1);
        return quoted;
}

char *auth_join(struct arena *arena, const string_list *list, const char *separator) {
        size_t size = 1, between = strlen(separator);
        char *text, *at;

        list_for_each (item, list)
                size += strlen(*item) + between;
        text = at = arena_alloc(arena, size);
        if (!text)
                return NULL;
        list_for_each (item, list) {
                if (item != list->items)
                        at = stpcpy(at, separator);
                at = stpcpy(at, *item);
        }
        return text;
}

char *auth_quote_list(struct arena *arena, const string_list *list) {
        string_list quoted = { .count = list->count };
        char *joined;

        quoted.items = arena_alloc_array(arena, list->count + 1, sizeof(*quoted.items));
        if (!quoted.items)
                return NULL;
        for (uint32_t i = 0; i < list->count; i++) {
                quoted.items[i] = auth_quote(arena, list->items[i]);
                if (!quoted.items[i])
                        return NULL;
        }
        joined = auth_join(arena, &quoted, " ");
        return joined ? arena_printf(arena, "[%s]", joined) : NULL;
}

bool auth_list_has(const string_list *list, const char *text) {
        list_for_each (item, list) {
                if (strcmp(*item, text) == 0)
                        return true;
        }
        return false;
}

int auth_list_add(struct arena *arena, string_list *list, const char *text) {
        const char **items = arena_alloc_array(arena, list->count + 1, sizeof(*items));

        if (!items || !text)
                return -ENOMEM;
        if (list->count > 0)
                memcpy(items, list->items, list->count * sizeof(*items));
        items[list->count++] = text;
        list->items = items;
        return 0;
}

int auth_list_copy(struct arena *arena, const string_list *list, string_list *ret_copy) {
        string_list copy = { .count = list->count };

        if (list->items) {
                copy.items = arena_alloc_array(arena, list->count + 1, sizeof(*copy.items));
                if (!copy.items)
                        return -ENOMEM;
        }
        for (uint32_t i = 0; i < list->count; i++) {
                copy.items[i] = arena_strdup(arena, list->items[i] ?: "");
                if (!copy.items[i])
                        return -ENOMEM;
        }
        *ret_copy = copy;
        return 0;
}

int auth_list_of(struct arena *arena, const char *const *texts, string_list *ret_list) {
        string_list list = { 0 };

        while (texts && texts[list.count])
                list.count++;
        list.items = arena_alloc_array(arena, list.count + 1, sizeof(*list.items));
        if (!list.items)
                return -ENOMEM;
        for (uint32_t i = 0; i < list.count; i++)
                list.items[i] = texts[i];
        *ret_list = list;
        return 0;
}
