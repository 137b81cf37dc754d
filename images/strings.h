/* Lists of texts that grow and end with NULL. */
#pragma once

#include <stddef.h>

struct string_list {
        char **items; /* NULL while empty, else NULL-terminated; each is the list's */
        size_t count;
};

/* Appends a copy of @text, or the formatted text. Returns 0 or -ENOMEM. */
int image_string_list_add(struct string_list *list, const char *text);
int image_string_list_addf(struct string_list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sorts by bytes, and drops what occurs twice. */
void image_string_list_sort(struct string_list *list);

/* Hands the array over, never NULL unless without memory; the list is empty then. */
char **image_string_list_take(struct string_list *list);

void image_string_list_clear(struct string_list *list);
#define _cleanup_strings_ __attribute__((cleanup(image_string_list_clear)))
