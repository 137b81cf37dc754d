#include "images/strings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/store.h"

static int add_owned(struct string_list *list, char *text) {
        char **items;

        if (!text)
                return -ENOMEM;
        /* room doubles at powers of two, so that no capacity need be kept */
        if ((list->count & (list->count + 1)) == 0) {
                items = realloc(list->items, 2 * (list->count + 1) * sizeof(*items));
                if (!items) {
                        free(text);
                        return -ENOMEM;
                }
                list->items = items;
        }
        list->items[list->count++] = text;
        list->items[list->count] = NULL;
        return 0;
}

int image_string_list_add(struct string_list *list, const char *text) {
        return add_owned(list, strdup(text));
}

int image_string_list_addf(struct string_list *list, const char *format, ...) {
        va_list ap;
        char *text;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        return n < 0 ? -ENOMEM : add_owned(list, text);
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void image_string_list_sort(struct string_list *list) {
        size_t kept = 0;

        if (list->count < 2)
                return;
        qsort(list->items, list->count, sizeof(*list->items), compare);
        for (size_t i = 0; i < list->count; i++)
                if (kept > 0 && strcmp(list->items[kept - 1], list->items[i]) == 0)
                        free(list->items[i]);
                else
                        list->items[kept++] = list->items[i];
        for (size_t i = kept; i < list->count; i++)
                list->items[i] = NULL;
        list->count = kept;
}

char **image_string_list_take(struct string_list *list) {
        char **items = list->items ? list->items : calloc(1, sizeof(*items));

        *list = (struct string_list){ 0 };
        return items;
}

void image_strings_free(char **strings) {
        for (char **s = strings; s && *s; s++)
                free(*s);
        free(strings);
}

void image_string_list_clear(struct string_list *list) {
        image_strings_free(list->items);
        *list = (struct string_list){ 0 };
}
