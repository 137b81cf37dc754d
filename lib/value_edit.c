/* A list or map whose `room` is not 0 belongs to the edit: it is the only one that points to the array, which has space
 * for so many. Everything above it belongs to the edit as well. The end of the edit takes the marks away. */
#include "lib/value_edit.h"

#include <assert.h>
#include <errno.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/pointer.h"
#include "lib/value_keys.h"

#define ROOM_FIRST 4

static bool is_parent(const struct value *value) {
        return value->kind == VALUE_LIST || value->kind == VALUE_MAP;
}

static size_t size_of(const struct value *parent) {
        return parent->kind == VALUE_MAP ? sizeof(struct value_member) : sizeof(struct value);
}

/* An array that belongs to the edit can be written. */
static void *array_of(const struct value *parent) {
        return parent->kind == VALUE_MAP ? (void *)(uintptr_t)parent->members : (void *)(uintptr_t)parent->items;
}

static struct value *child_of(const struct value *parent, uint32_t at) {
        if (parent->kind == VALUE_MAP)
                return &((struct value_member *)array_of(parent))[at].value;
        return &((struct value *)array_of(parent))[at];
}

static int move_to(struct value_edit *edit, struct value *parent, uint32_t room) {
        size_t size = room * size_of(parent);
        void *array;

        if (size > VALUE_EDIT_BYTES_MAX - edit->bytes)
                return -E2BIG;
        array = arena_alloc(edit->arena, size);
        if (!array)
                return -ENOMEM;
        edit->bytes += size;
        if (parent->count > 0)
                memcpy(array, array_of(parent), parent->count * size_of(parent));
        if (parent->kind == VALUE_MAP)
                parent->members = array;
        else
                parent->items = array;
        parent->room = room;
        return 0;
}

/* Makes it the edit's, with room for @more. */
static int own(struct value_edit *edit, struct value *parent, uint32_t more) {
        uint32_t wanted = parent->count + more;

        if (!is_parent(parent) || (parent->room > 0 && wanted <= parent->room))
                return 0;
        if (parent->room > 0 && wanted < parent->room * 2)
                wanted = parent->room * 2;
        return move_to(edit, parent, wanted > ROOM_FIRST ? wanted : ROOM_FIRST);
}

void value_edit_begin(struct value_edit *edit, struct arena *arena, const struct value *root) {
        *edit = (struct value_edit){ .arena = arena, .root = VALUE_EMPTY(VALUE_MAP) };
        if (root)
                edit->root = *root;
}

void value_edit_share(struct value *value) {
        if (!is_parent(value) || value->room == 0)
                return;
        value->room = 0;
        for (uint32_t i = 0; i < value->count; i++)
                value_edit_share(child_of(value, i));
}

const struct value *value_edit_end(struct value_edit *edit) {
        struct value *root = arena_new_of(edit->arena, struct value);

        if (!root)
                return NULL;
        value_edit_share(&edit->root);
        *root = edit->root;
        return root;
}

struct value *value_edit_root(struct value_edit *edit) {
        edit->error = own(edit, &edit->root, 0);
        return edit->error < 0 ? NULL : &edit->root;
}

struct value *value_edit_child(struct value_edit *edit, struct value *parent, uint32_t at) {
        struct value *child;

        assert(parent->room > 0 && at < parent->count);
        child = child_of(parent, at);
        edit->error = own(edit, child, 0);
        return edit->error < 0 ? NULL : child;
}

uint32_t value_edit_find(const struct value *map, const char *key) {
        for (uint32_t i = 0; i < map->count; i++)
                if (strcmp(map->members[i].key, key) == 0)
                        return i;
        return VALUE_NONE;
}

int value_edit_put(struct value_edit *edit, struct value *map, const char *key, const struct value *value) {
        uint32_t at = value_edit_find(map, key);
        struct value_member *members;
        int r;

        assert(map->room > 0 && value->room == 0);
        if (at != VALUE_NONE) {
                *child_of(map, at) = *value;
                return 0;
        }
        r = own(edit, map, 1);
        if (r < 0)
                return r;
        members = array_of(map);
        members[map->count++] = (struct value_member){ .key = key, .value = *value };
        return 0;
}

int value_edit_insert(struct value_edit *edit, struct value *list, uint32_t at, const struct value *value) {
        struct value *items;
        int r;

        assert(list->room > 0 && at <= list->count && value->room == 0);
        r = own(edit, list, 1);
        if (r < 0)
                return r;
        items = array_of(list);
        memmove(items + at + 1, items + at, (list->count - at) * sizeof(*items));
        items[at] = *value;
        list->count++;
        return 0;
}

void value_edit_take(struct value *parent, uint32_t at, struct value *ret_value) {
        size_t size = size_of(parent);
        char *array = array_of(parent);

        assert(parent->room > 0 && at < parent->count);
        if (ret_value) {
                *ret_value = *child_of(parent, at);
                value_edit_share(ret_value);
        }
        memmove(array + at * size, array + (at + 1) * size, (parent->count - at - 1) * size);
        parent->count--;
}

/* ---- by pointer ---- */

static int fail(struct err **err, int code, const char *pointer) {
        return err_set(err, code, "%.200s: %s", pointer,
                       code == ENOENT ? "nothing is there" :
                       code == E2BIG  ? "the document grows too large or too deep" :
                                        "out of memory");
}

/* The place of @token in @parent: at most its count for a list, where "-" is behind the last, VALUE_NONE for a member
 * that is not there. */
static int place_of(const struct value *parent, const char *token, uint32_t *ret_at) {
        uint32_t at = parent->count;

        if (parent->kind == VALUE_MAP) {
                *ret_at = value_edit_find(parent, token);
                return 0;
        }
        if (parent->kind != VALUE_LIST || (strcmp(token, "-") != 0 && !pointer_index(token, &at)) || at > parent->count)
                return -ENOENT;
        *ret_at = at;
        return 0;
}

/* The parent of what @pointer names, to be changed. Maps that are not there are made where @make is true. */
static int descend(struct value_edit *edit, const struct pointer *pointer, bool make, struct value **ret_parent) {
        static const struct value empty = VALUE_EMPTY(VALUE_MAP);
        struct value *value = value_edit_root(edit);

        for (uint32_t i = 0; value && i + 1 < pointer->n; i++) {
                uint32_t at;
                int r = place_of(value, pointer->tokens[i], &at);

                if (r < 0)
                        return r;
                if (at == VALUE_NONE && make) {
                        r = value_edit_put(edit, value, pointer->tokens[i], &empty);
                        if (r < 0)
                                return r;
                        at = value->count - 1;
                }
                if (at >= value->count)
                        return -ENOENT;
                value = value_edit_child(edit, value, at);
        }
        if (!value)
                return edit->error;
        *ret_parent = value;
        return 0;
}

static int put(struct value_edit *edit, struct value *parent, const char *token, const struct value *value,
               bool insert) {
        uint32_t at;
        int r = place_of(parent, token, &at);

        if (r < 0)
                return r;
        if (parent->kind == VALUE_MAP)
                return value_edit_put(edit, parent, token, value);
        if (insert || at == parent->count)
                return value_edit_insert(edit, parent, at, value);
        *child_of(parent, at) = *value;
        return 0;
}

static int set_or_add(struct value_edit *edit, const char *text, const struct value *value, bool insert,
                      struct err **err) {
        struct pointer pointer;
        struct value *parent;
        int r = pointer_parse(edit->arena, text, &pointer, err);

        if (r < 0)
                return r;
        if (pointer.n + value_depth(value) > VALUE_DEPTH_MAX)
                return fail(err, E2BIG, text);
        if (pointer.n == 0) {
                edit->root = *value;
                return 0;
        }
        if ((r = descend(edit, &pointer, !insert, &parent)) < 0 ||
            (r = put(edit, parent, pointer.tokens[pointer.n - 1], value, insert)) < 0)
                return fail(err, -r, text);
        return 0;
}

int value_edit_set(struct value_edit *edit, const char *pointer, const struct value *value, struct err **err) {
        return set_or_add(edit, pointer, value, false, err);
}

int value_edit_add(struct value_edit *edit, const char *pointer, const struct value *value, struct err **err) {
        return set_or_add(edit, pointer, value, true, err);
}

int value_edit_remove(struct value_edit *edit, const char *text, struct err **err) {
        struct pointer pointer;
        struct value *parent;
        uint32_t at;
        int r = pointer_parse(edit->arena, text, &pointer, err);

        if (r < 0)
                return r;
        if ((r = pointer.n > 0 ? descend(edit, &pointer, false, &parent) : -ENOENT) < 0 ||
            (r = place_of(parent, pointer.tokens[pointer.n - 1], &at)) < 0)
                return fail(err, -r, text);
        if (at >= parent->count)
                return fail(err, ENOENT, text);
        value_edit_take(parent, at, NULL);
        return 0;
}
