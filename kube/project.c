#include "kube/project.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/json_scan.h"

struct kube_wanted {
        const char *key;
        size_t length;
        bool whole, counted;
        struct kube_wanted *first, *next; /* first of those below; the next beside it */
};

struct projector {
        struct json_scan scan;
        struct arena *arena;
        unsigned depth;
        int error;
};

struct kube_wanted *kube_wanted_new(struct arena *arena) {
        return arena_new_of(arena, struct kube_wanted);
}

static struct kube_wanted *find(const struct kube_wanted *wanted, const char *key, size_t length) {
        struct kube_wanted *at = wanted->first;

        while (at && (at->length != length || memcmp(at->key, key, length) != 0))
                at = at->next;
        return at;
}

struct kube_wanted *kube_wanted_below(struct arena *arena, struct kube_wanted *wanted, const char *key, size_t length) {
        struct kube_wanted *at = find(wanted, key, length);

        if (at)
                return at;
        at = arena_new_of(arena, struct kube_wanted);
        if (!at)
                return NULL;
        at->key = arena_strndup(arena, key, length);
        if (!at->key)
                return NULL;
        at->length = length;
        at->next = wanted->first;
        wanted->first = at;
        return at;
}

static int add_path(struct arena *arena, struct kube_wanted *wanted, const char *path, size_t length) {
        bool counted = length > 0 && path[length - 1] == '#';
        const char *end = path + length - counted;

        while (path < end && wanted) {
                const char *dot = memchr(path, '.', (size_t)(end - path));

                dot = dot ? dot : end;
                wanted = kube_wanted_below(arena, wanted, path, (size_t)(dot - path));
                path = dot < end ? dot + 1 : end;
        }
        if (!wanted)
                return -ENOMEM;
        if (counted)
                wanted->counted = true;
        else
                wanted->whole = true;
        return 0;
}

int kube_wanted_add(struct arena *arena, struct kube_wanted *wanted, const char *paths) {
        do {
                size_t length = strcspn(paths, " ");
                int r = add_path(arena, wanted, paths, length);

                if (r < 0)
                        return r;
                paths += length + (paths[length] == ' ');
        } while (*paths);
        return 0;
}

void kube_wanted_whole(struct kube_wanted *wanted) {
        wanted->whole = true;
}

static bool fail(struct projector *p, int error) {
        if (p->error == 0)
                p->error = error;
        return false;
}

static bool read_value(struct projector *p, const struct kube_wanted *wanted, struct value *ret);

static bool skip(struct projector *p) {
        return json_scan_skip(&p->scan, KUBE_PROJECT_DEPTH - p->depth) || fail(p, -EINVAL);
}

/* @items of @size bytes with room for one behind @count of them; NULL without memory. */
static void *make_room(struct projector *p, void *items, uint32_t count, uint32_t *room, size_t size) {
        void *more;

        if (count < *room)
                return items;
        *room = *room ? *room * 2 : 4;
        more = arena_alloc_array(p->arena, *room, size);
        if (!more)
                fail(p, -ENOMEM);
        else if (count > 0)
                memcpy(more, items, count * size);
        return more;
}

static const char *copy_text(struct projector *p, const struct json_text *text, size_t *ret_length) {
        char *copy = arena_alloc_uncleared(p->arena, (size_t)text->length + 1);

        if (!copy) {
                fail(p, -ENOMEM);
                return NULL;
        }
        *ret_length = json_text_copy(text, copy);
        copy[*ret_length] = '\0';
        return copy;
}

static bool read_string(struct projector *p, struct value *ret) {
        struct json_text text;
        size_t length = 0;

        if (!json_scan_string(&p->scan, &text))
                return fail(p, -EINVAL);
        ret->text = copy_text(p, &text, &length);
        ret->kind = VALUE_STRING;
        ret->count = (uint32_t)length;
        return ret->text;
}

static bool read_number(struct projector *p, struct value *ret) {
        struct json_scan before = p->scan;
        const char *text;
        size_t length;
        bool whole;

        ret->kind = VALUE_INT;
        if (json_scan_int(&p->scan, &ret->integer))
                return true;
        p->scan = before;
        if (!json_scan_number(&p->scan, &text, &length, &whole))
                return fail(p, -EINVAL);
        ret->kind = VALUE_NUMBER;
        ret->count = (uint32_t)length;
        ret->text = arena_strndup(p->arena, text, length);
        return ret->text || fail(p, -ENOMEM);
}

static bool read_items(struct projector *p, const struct kube_wanted *wanted, bool counted, struct value *ret) {
        struct value *items = NULL;
        uint32_t n = 0, room = 0;

        p->scan.at++;
        *ret = (struct value){ .kind = VALUE_LIST };
        if (json_scan_is(&p->scan, ']'))
                return true;
        do {
                if (counted) {
                        if (!skip(p))
                                return false;
                } else {
                        items = make_room(p, items, n, &room, sizeof(*items));
                        if (!items || !read_value(p, wanted, &items[n]))
                                return false;
                }
                n++;
        } while (json_scan_is(&p->scan, ','));
        ret->items = items;
        ret->count = n;
        return json_scan_is(&p->scan, ']') || fail(p, -EINVAL);
}

static bool skip_member(struct projector *p) {
        struct json_text key;

        return (json_scan_string(&p->scan, &key) && json_scan_is(&p->scan, ':')) ? skip(p) : fail(p, -EINVAL);
}

/* One member; *ret_taken: it is in @member. */
static bool read_member(struct projector *p, const struct kube_wanted *wanted, struct value_member *member,
                        bool *ret_taken) {
        const struct kube_wanted *below = NULL;
        struct json_text key;
        size_t length;

        if (!json_scan_string(&p->scan, &key) || !json_scan_is(&p->scan, ':'))
                return fail(p, -EINVAL);
        if (wanted && !wanted->whole) {
                below = find(wanted, key.text, key.length); /* no key that is asked for has anything to escape */
                *ret_taken = below;
                if (!below)
                        return skip(p);
                member->key = below->key;
        } else {
                *ret_taken = true;
                member->key = copy_text(p, &key, &length);
                if (!member->key)
                        return false;
        }
        return read_value(p, below, &member->value);
}

static bool read_members(struct projector *p, const struct kube_wanted *wanted, bool counted, struct value *ret) {
        struct value_member *members = NULL;
        uint32_t n = 0, room = 0;
        bool taken;

        p->scan.at++;
        *ret = (struct value){ .kind = VALUE_MAP };
        if (json_scan_is(&p->scan, '}'))
                return true;
        do {
                taken = true;
                if (counted) {
                        if (!skip_member(p))
                                return false;
                } else {
                        members = make_room(p, members, n, &room, sizeof(*members));
                        if (!members || !read_member(p, wanted, &members[n], &taken))
                                return false;
                }
                n += taken;
        } while (json_scan_is(&p->scan, ','));
        ret->members = members;
        ret->count = n;
        return json_scan_is(&p->scan, '}') || fail(p, -EINVAL);
}

/* @wanted NULL: all that is there. */
static bool read_value(struct projector *p, const struct kube_wanted *wanted, struct value *ret) {
        bool counted = wanted && wanted->counted && !wanted->whole && !wanted->first, good;

        *ret = (struct value){ .kind = VALUE_NULL };
        switch (json_scan_peek(&p->scan)) {
        case '"':
                return read_string(p, ret);
        case '{':
        case '[':
                if (p->depth == KUBE_PROJECT_DEPTH)
                        return fail(p, -E2BIG);
                p->depth++;
                good = *p->scan.at == '{' ? read_members(p, wanted, counted, ret) : read_items(p, wanted, counted, ret);
                p->depth--;
                return good;
        case 't':
        case 'f':
                ret->kind = VALUE_BOOL;
                return json_scan_bool(&p->scan, &ret->boolean) || fail(p, -EINVAL);
        case 'n':
                return json_scan_null(&p->scan) || fail(p, -EINVAL);
        default:
                return read_number(p, ret);
        }
}

int kube_project(struct arena *arena, const struct kube_wanted *wanted, const char *text, size_t length,
                 struct value *ret_object) {
        struct projector p = { .scan = { text, text + length }, .arena = arena };
        struct value object;

        if (json_scan_peek(&p.scan) != '{')
                return -EINVAL;
        if (!read_value(&p, wanted, &object))
                return p.error;
        if (json_scan_peek(&p.scan) != '\0' || p.scan.at != p.scan.end)
                return -EINVAL;
        *ret_object = object;
        return 0;
}
