#include "kube/codec/strict.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"
#include "lib/json_scan.h"
#include "lib/table.h"
#include "lib/trail.h"

struct walk {
        struct json_scan scan;
        struct arena *arena;
        unsigned depth;
        int error;
        kube_strict_report report;
        void *data;
        struct table told; /* what was reported, by its text */
        char path[KUBE_STRICT_PATH_MAX];
        size_t length;
};

static bool fail(struct walk *w, int error) {
        if (w->error == 0)
                w->error = error;
        return false;
}

static size_t enter_key(struct walk *w, const char *key) {
        return TRAIL_ENTER(w, "%s%s", w->length > 0 ? "." : "", key);
}

/* Adds @text to @seen; false when it is in it already, or without memory. */
static bool is_new(struct walk *w, struct table *seen, const char *text) {
        struct table_node *node;
        const char *copy;
        int r;

        if (table_find(seen, text))
                return false;
        node = arena_new_of(w->arena, struct table_node);
        copy = arena_strdup(w->arena, text);
        r = node && copy ? table_add(seen, node, copy) : -ENOMEM;
        return r == 0 || fail(w, r);
}

static void tell(struct walk *w, const char *what) {
        char text[KUBE_STRICT_PATH_MAX * 4 + 32];

        go_text_quote_to(text + sprintf(text, "%s field ", what), w->path);
        if (w->told.n < KUBE_STRICT_MAX && is_new(w, &w->told, text))
                w->report(w->data, text);
}

static const char *read_key(struct walk *w) {
        struct json_text text;
        char *key;

        if (!json_scan_string(&w->scan, &text) || !json_scan_is(&w->scan, ':')) {
                fail(w, -EINVAL);
                return NULL;
        }
        key = arena_strndup(w->arena, text.text, text.length);
        if (key)
                key[json_text_copy(&text, key)] = '\0';
        else
                fail(w, -ENOMEM);
        return key;
}

static bool skip(struct walk *w) {
        return json_scan_skip(&w->scan, w->depth) || fail(w, -EINVAL);
}

typedef bool (*walk_member)(struct walk *w, const void *what, struct table *seen, const char *key);

/* The members of a map, each by @member. */
static bool walk_map(struct walk *w, walk_member member, const void *what) {
        struct table seen = { 0 };
        bool good = true;

        if (json_scan_peek(&w->scan) != '{')
                return skip(w);
        if (w->depth == 0)
                return fail(w, -EINVAL);
        w->scan.at++;
        w->depth--;
        if (!json_scan_is(&w->scan, '}')) {
                do {
                        const char *key = read_key(w);

                        good = key && member(w, what, &seen, key);
                } while (good && json_scan_is(&w->scan, ','));
                good = good && (json_scan_is(&w->scan, '}') || fail(w, -EINVAL));
        }
        w->depth++;
        table_clear(&seen);
        return good;
}

static bool walk_field(struct walk *w, const struct kube_field *field);

/* Of a field that has no row it does not matter how often it stands there. */
static bool walk_object_member(struct walk *w, const void *what, struct table *seen, const char *key) {
        const struct kube_type *type = what;
        const struct kube_field *field = kube_type_field(type, key, strlen(key));
        size_t before = enter_key(w, key);
        bool good;

        if (!field)
                tell(w, "unknown");
        else if (!is_new(w, seen, key))
                tell(w, "duplicate");
        good = w->error == 0 && (field ? walk_field(w, field) : skip(w));
        TRAIL_LEAVE(w, before);
        return good;
}

static bool walk_object(struct walk *w, const struct kube_type *type) {
        return type->flags & KUBE_EITHER ? skip(w) : walk_map(w, walk_object_member, type);
}

static bool walk_entry(struct walk *w, const void *what, struct table *seen, const char *key) {
        const struct kube_field *field = what;
        size_t before = enter_key(w, key);
        bool good;

        if (!is_new(w, seen, key))
                tell(w, "duplicate");
        good = w->error == 0 && (field->type ? walk_object(w, field->type) : skip(w));
        TRAIL_LEAVE(w, before);
        return good;
}

static bool walk_list(struct walk *w, const struct kube_type *type) {
        unsigned index = 0;

        if (!json_scan_is(&w->scan, '['))
                return skip(w);
        if (json_scan_is(&w->scan, ']'))
                return true;
        do {
                size_t before = TRAIL_ENTER(w, "[%u]", index++);
                bool good = walk_object(w, type);

                TRAIL_LEAVE(w, before);
                if (!good)
                        return false;
        } while (json_scan_is(&w->scan, ','));
        return json_scan_is(&w->scan, ']') || fail(w, -EINVAL);
}

static bool walk_field(struct walk *w, const struct kube_field *field) {
        if (field->form == KUBE_MAP || field->form == KUBE_MAP_OF_LISTS)
                return walk_map(w, walk_entry, field);
        if (!field->type)
                return skip(w);
        return field->form == KUBE_LIST ? walk_list(w, field->type) : walk_object(w, field->type);
}

/* --- of no type --- */

static bool walk_any(struct walk *w);

static bool walk_any_member(struct walk *w, const void *what, struct table *seen, const char *key) {
        size_t before = enter_key(w, key);
        bool good;

        if (!is_new(w, seen, key))
                tell(w, "duplicate");
        good = w->error == 0 && walk_any(w);
        TRAIL_LEAVE(w, before);
        return good;
}

static bool walk_operation_member(struct walk *w, const void *what, struct table *seen, const char *key) {
        static const char *const known[] = { "op", "path", "from", "value" };
        size_t before;
        bool good;

        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (strcmp(known[i], key) == 0)
                        return walk_any_member(w, what, seen, key);
        before = enter_key(w, key);
        tell(w, "unknown");
        good = w->error == 0 && skip(w);
        TRAIL_LEAVE(w, before);
        return good;
}

/* The items of a list, maps by @member. */
static bool walk_items(struct walk *w, walk_member member) {
        unsigned index = 0;
        bool good = true;

        if (w->depth == 0 || !json_scan_is(&w->scan, '['))
                return fail(w, -EINVAL);
        if (json_scan_is(&w->scan, ']'))
                return true;
        w->depth--;
        do {
                size_t before = TRAIL_ENTER(w, "[%u]", index++);

                good = member ? walk_map(w, member, NULL) : walk_any(w);
                TRAIL_LEAVE(w, before);
        } while (good && json_scan_is(&w->scan, ','));
        w->depth++;
        return good && (json_scan_is(&w->scan, ']') || fail(w, -EINVAL));
}

static bool walk_any(struct walk *w) {
        return json_scan_peek(&w->scan) == '[' ? walk_items(w, NULL) : walk_map(w, walk_any_member, NULL);
}

static bool walk_patch(struct walk *w) {
        return json_scan_peek(&w->scan) == '[' ? walk_items(w, walk_operation_member) : skip(w);
}

static int walk_all(const struct walk *of, bool (*walk)(struct walk *w)) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct walk w = *of;

        if (!arena)
                return -ENOMEM;
        w.arena = arena;
        w.depth = KUBE_DEPTH_MAX;
        walk(&w);
        table_clear(&w.told);
        return w.error;
}

int kube_json_twice(const char *text, size_t length, kube_strict_report report, void *data) {
        return walk_all(&(struct walk){ .scan = { text, text + length }, .report = report, .data = data }, walk_any);
}

int kube_patch_strict(const char *text, size_t length, kube_strict_report report, void *data) {
        return walk_all(&(struct walk){ .scan = { text, text + length }, .report = report, .data = data }, walk_patch);
}

int kube_json_strict(const struct kube_type *type, const char *text, size_t length, kube_strict_report report,
                     void *data) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct walk w = {
                .scan = { text, text + length }, .arena = arena, .depth = KUBE_DEPTH_MAX, .report = report, .data = data
        };

        if (!arena)
                return -ENOMEM;
        walk_object(&w, type);
        table_clear(&w.told);
        return w.error;
}
