#include "api/server/path.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/http/message.h"

#define SEGMENTS_MAX 16

struct segments {
        const char *items[SEGMENTS_MAX]; /* decoded */
        size_t begins[SEGMENTS_MAX];     /* where it begins in the path, as it was sent */
        unsigned count, next;
};

/* Empty segments ("//", a slash at the end) count for nothing, as in kube-apiserver. */
static int split(struct arena *arena, const char *path, size_t length, struct segments *s) {
        const char *begin = path, *end = path + length;

        while (path < end && s->count < SEGMENTS_MAX) {
                const char *slash = memchr(path, '/', (size_t)(end - path)) ?: end;

                if (slash > path) {
                        s->items[s->count] = http_decode(arena, path, (size_t)(slash - path), false);
                        if (!s->items[s->count])
                                return -EINVAL;
                        s->begins[s->count++] = (size_t)(path - begin);
                }
                path = slash + 1;
        }
        return 0;
}

static const char *take(struct segments *s) {
        return s->next < s->count ? s->items[s->next++] : NULL;
}

static bool is_next(const struct segments *s, const char *text) {
        return s->next < s->count && strcmp(s->items[s->next], text) == 0;
}

/* "namespaces/x/finalize" and "namespaces/x/status" are of the namespace itself, whatever follows, all others in it. */
static void take_namespace(struct segments *s, struct api_path *p) {
        unsigned left = s->count - s->next;
        const char *third = left > 2 ? s->items[s->next + 2] : "";

        if (!is_next(s, "namespaces") || left < 2)
                return;
        p->namespace = s->items[s->next + 1];
        if (left > 2 && strcmp(third, "status") != 0 && strcmp(third, "finalize") != 0)
                s->next += 2;
}

/* A verb that stands before what it is done to. */
static void take_verb(struct segments *s, struct api_path *p) {
        p->watch = is_next(s, "watch");
        p->proxy = is_next(s, "proxy");
        s->next += p->watch || p->proxy;
}

static void take_resource(struct segments *s, struct api_path *p) {
        p->resource = take(s);
        p->name = take(s);
        p->sub = p->proxy ? NULL : take(s);
        p->rest = s->next < s->count ? p->whole + s->begins[s->next] : NULL;
}

int api_path_parse(struct arena *arena, const char *path, size_t length, struct api_path *ret_path) {
        struct segments s = { 0 };
        struct api_path p = { .whole = arena_strndup(arena, path, length), .group = "" };
        int r = p.whole ? split(arena, path, length, &s) : -ENOMEM;
        bool core;

        if (r < 0)
                return r;
        core = is_next(&s, "api");
        if (s.count < (core ? 3 : 4) || (!core && !is_next(&s, "apis"))) {
                *ret_path = p;
                return 0;
        }
        s.next++;
        p.is_resource = true;
        if (!core)
                p.group = take(&s);
        p.version = take(&s);
        take_verb(&s, &p);
        take_namespace(&s, &p);
        take_resource(&s, &p);
        *ret_path = p.resource ? p : (struct api_path){ .whole = p.whole, .group = "" };
        return p.resource ? 0 : -EDOM;
}
