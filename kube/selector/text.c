#include "kube/selector/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/go_text.h"

void selector_words_add(struct selector_words *w, const char *format, ...) {
        size_t room = sizeof(w->text) - w->length;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(w->text + w->length, room, format, ap);
        va_end(ap);
        if (n > 0)
                w->length += (size_t)n < room ? (size_t)n : room - 1;
}

void selector_words_quote(struct selector_words *w, const char *text, size_t length) {
        char one[GO_TEXT_CHARACTER_MAX];
        size_t took;

        selector_words_add(w, "\"");
        for (; length > 0; text += took, length -= took) {
                size_t n = go_text_quote_one(one, text, length, &took);

                selector_words_add(w, "%.*s", (int)n, one);
        }
        selector_words_add(w, "\"");
}

bool selector_number(const char *text, int64_t *ret_number) {
        const char *digits = text + (*text == '+' || *text == '-');
        char *end;
        long long n;

        if (!*digits || digits[strspn(digits, "0123456789")])
                return false;
        errno = 0;
        n = strtoll(text, &end, 10);
        if (errno)
                return false;
        *ret_number = n;
        return true;
}

static int by_key(const void *a, const void *b) {
        const struct selector_requirement *left = a, *right = b;
        int order = strcmp(left->key, right->key);

        return order ? order : (left->place > right->place) - (left->place < right->place);
}

void selector_sort(struct selector_requirement *requirements, size_t n) {
        for (size_t i = 0; i < n; i++)
                requirements[i].place = (uint32_t)i;
        if (n > 1)
                qsort(requirements, n, sizeof(*requirements), by_key);
}
