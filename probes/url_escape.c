#include "probes/url_escape.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/hex.h"

/* What stands as it is beside letters, digits and what is always so. */
static const char *const plain[] = {
        [URL_PATH] = "$&+,/:;=@",          [URL_USER] = "$&+,;=",
        [URL_HOST] = "!\"$&'()*+,:;<=>[]", [URL_ZONE] = "!\"$&'()*+,:;<=>[]",
        [URL_FRAGMENT] = "!$&()*+,/:;=?@",
};

static bool is_plain(unsigned char c, enum url_part part) {
        return c < 0x80 && c && (isalnum(c) || strchr("-_.~", c) || strchr(plain[part], c));
}

static size_t write_byte(char *at, unsigned char c, enum url_part part) {
        static const char digits[] = "0123456789ABCDEF";

        if (is_plain(c, part)) {
                *at = (char)c;
                return 1;
        }
        at[0] = '%';
        at[1] = digits[c >> 4];
        at[2] = digits[c & 15];
        return 3;
}

const char *probe_url_escape(struct arena *arena, const char *text, enum url_part part) {
        char *escaped = arena_alloc(arena, 3 * strlen(text) + 1);
        size_t n = 0;

        for (; escaped && *text; text++)
                n += write_byte(escaped + n, (unsigned char)*text, part);
        return escaped;
}

static unsigned char byte_at(const char *p) {
        return (unsigned char)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
}

/* Hosts may only escape what is no ASCII, and a zone's "%" and blanks. */
static bool may_be_escaped(const char *p, enum url_part part) {
        if (strncmp(p, "%25", 3) == 0)
                return true;
        if (part == URL_HOST)
                return byte_at(p) >= 0x80;
        return part != URL_ZONE || byte_at(p) == ' ' || is_plain(byte_at(p), URL_HOST);
}

static int check(const char *text, enum url_part part, bool *ret_any, struct err **err) {
        bool host = part == URL_HOST || part == URL_ZONE;

        *ret_any = false;
        for (const char *p = text; *p; p++) {
                if (*p != '%') {
                        if (host && !is_plain((unsigned char)*p, part) && (unsigned char)*p < 0x80)
                                return err_set(err, EINVAL, "invalid character \"%c\" in host name", *p);
                        continue;
                }
                if (!isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]) || !may_be_escaped(p, part))
                        return err_set(err, EINVAL, "invalid URL escape \"%.3s\"", p);
                *ret_any = true;
                p += 2;
        }
        return 0;
}

int probe_url_unescape(struct arena *arena, const char *text, enum url_part part, const char **ret_text,
                       struct err **err) {
        char *decoded;
        size_t n = 0;
        bool any;
        int r = check(text, part, &any, err);

        if (r < 0)
                return r;
        if (!any) {
                *ret_text = text;
                return 0;
        }
        if (!(decoded = arena_strdup(arena, text)))
                return err_set(err, ENOMEM, "out of memory");
        for (const char *p = text; *p; p++) {
                decoded[n++] = *p == '%' ? (char)byte_at(p) : *p;
                p += *p == '%' ? 2 : 0;
        }
        decoded[n] = '\0';
        *ret_text = decoded;
        return 0;
}

static bool is_valid_path(const char *text) {
        for (; *text; text++)
                if (!is_plain((unsigned char)*text, URL_PATH) && !strchr("!'()*[]%", *text))
                        return false;
        return true;
}

int probe_url_spell_path(struct arena *arena, const char *text, const char **ret_text, struct err **err) {
        char *spelled;
        size_t n = 0;
        bool any;
        int r = check(text, URL_PATH, &any, err);

        if (r < 0)
                return r;
        if (is_valid_path(text)) {
                *ret_text = text;
                return 0;
        }
        if (!(spelled = arena_alloc(arena, 3 * strlen(text) + 1)))
                return err_set(err, ENOMEM, "out of memory");
        for (const char *p = text; *p; p++) {
                n += write_byte(spelled + n, *p == '%' ? byte_at(p) : (unsigned char)*p, URL_PATH);
                p += *p == '%' ? 2 : 0;
        }
        *ret_text = spelled;
        return 0;
}
