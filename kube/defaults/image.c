/* Names of images as github.com/distribution/reference parses and normalizes them, as far as their tag goes. */
#include <stddef.h>
#include <string.h>

#include "kube/defaults/rules.h"

#define NAME_MAX_ 255 /* of the repository, with its domain */
#define TAG_MAX 128
#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define WORD LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Letters and digits with separators in between: ".", "_", "__", or any number of "-". */
static bool is_component(const char *text, size_t length) {
        size_t at = 0;

        for (;;) {
                size_t run = strspn(text + at, LOWER), separator;

                run = run < length - at ? run : length - at;
                at += run;
                if (run == 0 || at == length)
                        return run > 0;
                separator = text[at] == '-' ? strspn(text + at, "-") :
                            text[at] == '_' ? (strncmp(text + at, "__", 2) == 0 ? 2 : 1) :
                                              text[at] == '.';
                if (separator == 0 || at + separator >= length)
                        return false;
                at += separator;
        }
}

static bool is_path(const char *text, size_t length) {
        while (length > 0) {
                const char *slash = memchr(text, '/', length);
                const size_t part = slash ? (size_t)(slash - text) : length;

                if (!is_component(text, part))
                        return false;
                if (!slash)
                        return true;
                text += part + 1;
                length -= part + 1;
        }
        return false;
}

/* What is before the first "/", where it looks like a host: with a dot or a port, or in capitals. */
static bool is_domain(const char *text, size_t length) {
        const size_t word = strspn(text, WORD ".-");

        if (length == strlen("localhost") && strncmp(text, "localhost", length) == 0)
                return true;
        if (text[0] == '[' || memchr(text, '.', length) || memchr(text, ':', length))
                return word >= length || text[0] == '[' ||
                       (text[word] == ':' && word + 1 + strspn(text + word + 1, "0123456789") == length);
        for (size_t i = 0; i < length; i++)
                if (text[i] >= 'A' && text[i] <= 'Z')
                        return word >= length;
        return false;
}

static bool is_tag(const char *text, size_t length) {
        return length > 0 && length <= TAG_MAX && text[0] != '.' && text[0] != '-' &&
               strspn(text, WORD "_.-") >= length;
}

static bool is_digest(const char *text) {
        const char *colon = strchr(text, ':');

        return colon && colon > text && strspn(colon + 1, "0123456789abcdefABCDEF") >= 32 &&
               colon[1 + strspn(colon + 1, "0123456789abcdefABCDEF")] == '\0';
}

static bool is_name(const char *image, size_t length) {
        const char *slash = memchr(image, '/', length);
        const size_t head = slash ? (size_t)(slash - image) : 0;

        if (length == 64 && strspn(image, "0123456789abcdef") >= length) /* an identifier, not a name */
                return false;
        if (slash && is_domain(image, head))
                return length <= NAME_MAX_ && is_path(slash + 1, length - head - 1);
        return length <= NAME_MAX_ && is_path(image, length);
}

bool defaults_image_is_latest(const char *image) {
        const char *digest = strchr(image, '@'), *end = digest ?: image + strlen(image), *colon = NULL;

        for (const char *p = image; p < end; p++)
                colon = *p == ':' ? p : *p == '/' ? NULL : colon;
        if (!is_name(image, (size_t)((colon ?: end) - image)) || (digest && !is_digest(digest + 1)))
                return false;
        if (!colon)
                return !digest;
        return is_tag(colon + 1, (size_t)(end - colon - 1)) && end - colon == (ptrdiff_t)sizeof("latest") &&
               strncmp(colon + 1, "latest", strlen("latest")) == 0;
}
