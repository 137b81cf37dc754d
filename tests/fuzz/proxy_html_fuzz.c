/* Pages of any bytes: taken in one piece and in many, what comes out is the same, and what went in is in it, in its
 * order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/proxy/html.h"
#include "api/proxy/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
        char *bytes;
        size_t n, room;
};

static void append(void *data, const void *bytes, size_t n) {
        struct text *text = data;

        if (n > text->room - text->n)
                abort();
        memcpy(text->bytes + text->n, bytes, n);
        text->n += n;
}

static void rewrite(const char *page, size_t size, size_t step, struct text *text) {
        static const struct proxy_here here = { "/prefix", "api:6443", "10.0.0.1:80", "" };
        struct proxy_html *html = proxy_html_new(&here);

        text->n = 0;
        for (size_t i = 0; i < size; i += step)
                proxy_html_feed(html, page + i, size - i < step ? size - i : step, append, text);
        proxy_html_end(html, append, text);
        proxy_html_free(html);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t room = size * 8 + 1, kept = 0;
        struct text whole = { malloc(room), 0, room }, parts = { malloc(room), 0, room };

        rewrite((const char *)data, size, size + 1, &whole);
        for (size_t step = 1; step < 5; step++) {
                rewrite((const char *)data, size, step, &parts);
                if (parts.n != whole.n || memcmp(parts.bytes, whole.bytes, whole.n) != 0)
                        abort();
        }
        /* A host that is left out may be missing; without one nothing is. */
        for (size_t i = 0; i < whole.n && kept < size; i++)
                kept += whole.bytes[i] == (char)data[kept];
        if (kept < size && !memmem(data, size, "//", 2))
                abort();
        free(whole.bytes);
        free(parts.bytes);
        return 0;
}
