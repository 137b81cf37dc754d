#include "api/auth/text.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"

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
                quoted.items[i] = go_text_quote(arena, list->items[i]);
                if (!quoted.items[i])
                        return NULL;
        }
        joined = auth_join(arena, &quoted, " ");
        return joined ? arena_printf(arena, "[%s]", joined) : NULL;
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
