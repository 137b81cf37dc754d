#include "lib/yaml_text.h"

#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

static char *as_utf8(struct arena *arena, const char *bytes, size_t length) {
        char *text = arena_alloc(arena, 3 * length + 1);
        size_t n = 0, size;

        for (size_t i = 0; text && i < length; i += size ? size : 1) {
                size = utf8_character(bytes + i, length - i);
                memcpy(text + n, size ? bytes + i : REPLACEMENT, size ? size : 3);
                n += size ? size : 3;
        }
        return text;
}

char *yaml_binary_decode(struct arena *arena, const char *text) {
        struct base64_decoder decoder = { 0 };
        _cleanup_free_ char *plain = malloc(strlen(text) + 1);
        size_t n = 0, padding = 0;
        int64_t length;

        if (!plain)
                return NULL;
        for (; *text; text++)
                if (*text != '\n' && *text != '\r')
                        plain[n++] = *text;
        while (padding < n && plain[n - 1 - padding] == '=')
                padding++;
        if (n % 4 != 0 || padding > 2)
                return NULL;
        length = base64_decode(&decoder, plain, n, plain);
        if (length < 0 || memchr(plain, '\0', (size_t)length))
                return NULL;
        return as_utf8(arena, plain, (size_t)length);
}

size_t yaml_escape_offset(const char *text, size_t length, size_t index) {
        size_t at = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

        for (; at < length && index > 0; index--)
                for (at++; at < length && ((unsigned char)text[at] & 0xc0) == 0x80; at++)
                        ;
        return at;
}

size_t yaml_escape_mend(char *text, size_t length, size_t at) {
        size_t to = at, from = at;

        while (from < length && text[from] != '"') {
                if (text[from] == '\\' && from + 1 < length) {
                        if (text[from + 1] != '\'')
                                text[to++] = text[from];
                        from++;
                }
                text[to++] = text[from++];
        }
        memmove(text + to, text + from, length - from);
        return to + length - from;
}
