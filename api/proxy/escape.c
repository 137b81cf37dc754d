/* Percent-encoding as Go's net/url writes it, and paths as its path.Join() cleans them. */
#include <string.h>

#include "api/proxy/internal.h"
#include "api/server/request.h"
#include "lib/arena.h"
#include "lib/http/message.h"

static bool is_plain(unsigned char c, const char *others) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(others, c));
}

static const char *escape(struct arena *arena, const char *text, const char *others, bool plus) {
        static const char digits[] = "0123456789ABCDEF";
        char *out = text ? arena_alloc_array(arena, strlen(text) + 1, 3) : NULL, *to = out;

        if (!out)
                return NULL;
        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;

                if (is_plain(c, others)) {
                        *to++ = (char)c;
                } else if (plus && c == ' ') {
                        *to++ = '+';
                } else {
                        *to++ = '%';
                        *to++ = digits[c >> 4];
                        *to++ = digits[c & 15];
                }
        }
        return out;
}

const char *proxy_escape_path(struct arena *arena, const char *text) {
        return escape(arena, text, "-_.~$&+,/:;=@", false);
}

const char *proxy_escape_query(struct arena *arena, const char *text) {
        return escape(arena, text, "-_.~", true);
}

/* Takes "//", "." and ".." out of an absolute path, in place; no slash stays at its end. */
static void clean(char *path) {
        char *to = path;

        for (const char *from = path; *from;) {
                const char *begin = from + strspn(from, "/");
                size_t n = strcspn(begin, "/");

                from = begin + n;
                if (n == 0 || (n == 1 && *begin == '.'))
                        continue;
                if (n == 2 && begin[0] == '.' && begin[1] == '.') {
                        while (to > path && *--to != '/')
                                ;
                        continue;
                }
                *to++ = '/';
                memmove(to, begin, n);
                to += n;
        }
        *to = '\0';
}

const char *proxy_rest(struct api_request *r) {
        const char *whole = r->path.whole, *rest = r->path.rest ?: "";
        bool slash = whole[strlen(whole) - 1] == '/';
        char *path = http_decode(r->arena, rest, strlen(rest), false);

        path = path ? arena_printf(r->arena, "/%s", path) : NULL;
        if (!path)
                return "/";
        clean(path);
        return proxy_escape_path(r->arena, arena_printf(r->arena, "%s%s", path, slash ? "/" : "")) ?: "/";
}
