/* JSON Patch: each operation finds the places of its paths in the tree as it is by then, and only then makes what is on
 * the way its own, so that a "test" and the source of a "copy" copy nothing. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kube/patch/go_text.h"
#include "kube/patch/patch.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_text.h"
#include "lib/pointer.h"
#include "lib/value_edit.h"
#include "lib/value_keys.h"

#define MISSING "missing value"
#define BAD_INDEX "invalid index referenced"

static const struct value null_value = VALUE_EMPTY(VALUE_NULL);

struct operation {
        const struct value *members;
        const char *path, *from;
        const struct value *value; /* null where there is none */
};

struct patching {
        struct value_edit edit;
        size_t copied;
        uint64_t steps; /* values that were looked at or moved */
        struct err **err;
};

/* Where a path ends: the last list or map on it, and the token that names what is in there. */
struct place {
        const struct value *parent; /* NULL: the path leads nowhere */
        const char *token;
        uint32_t on_the_way[VALUE_DEPTH_MAX]; /* of the root's children, theirs, ... */
        uint32_t depth;
};

__attribute__((format(printf, 2, 3))) static int unfit(struct patching *p, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = err_setv(p->err, PATCH_UNFIT, format, ap);
        va_end(ap);
        return r;
}

static int no_memory(struct patching *p) {
        return err_set(p->err, ENOMEM, "out of memory");
}

static int edit_failed(struct patching *p, int error) {
        if (error == -ENOMEM)
                return no_memory(p);
        return err_set(p->err, PATCH_TOO_LARGE, "the patch makes a document that is too large or too deep");
}

static bool is_parent(const struct value *value) {
        return value_is(value, VALUE_MAP) || value_is(value, VALUE_LIST);
}

/* Few operations on a large document may take long: what they look at is counted. */
static int take_steps(struct patching *p, uint64_t steps) {
        p->steps += steps;
        if (p->steps <= PATCH_STEPS_MAX)
                return 0;
        return err_set(p->err, PATCH_TOO_LARGE,
                       "the operations look at more than %d values of the document, all together", PATCH_STEPS_MAX);
}

/* Whether @value may stand below @depth lists and maps. Recursion is bounded by VALUE_DEPTH_MAX. */
static bool fits(struct patching *p, const struct value *value, uint32_t depth) {
        uint32_t n = value_count(value);

        p->steps++;
        if (is_parent(value) && ++depth > VALUE_DEPTH_MAX)
                return false;
        for (uint32_t i = 0; i < n; i++)
                if (!fits(p, value->kind == VALUE_MAP ? &value->members[i].value : &value->items[i], depth))
                        return false;
        return depth <= VALUE_DEPTH_MAX;
}

static int check_depth(struct patching *p, const struct value *value, const struct place *place) {
        if (!fits(p, value, place->depth + 1))
                return edit_failed(p, -E2BIG);
        return take_steps(p, place->parent->count);
}

/* ---- indexes ---- */

/* As Go's Atoi. @ret_why gets its words. */
static bool to_number(struct arena *arena, const char *token, int64_t *ret_number, const char **ret_why) {
        const char *digits = token + (*token == '-' || *token == '+');

        *ret_why = NULL;
        if (!*digits || digits[strspn(digits, "0123456789")]) {
                *ret_why = arena_printf(arena, "strconv.Atoi: parsing \"%.200s\": invalid syntax", token);
                return false;
        }
        errno = 0;
        *ret_number = strtoll(token, NULL, 10);
        if (errno == 0)
                return true;
        *ret_why = arena_printf(arena, "strconv.Atoi: parsing \"%.200s\": value out of range", token);
        return false;
}

/* The place in a list that @token names, below @end; from the end where it is negative. */
static bool to_place(struct arena *arena, const char *token, uint32_t end, uint32_t *ret_at, const char **ret_why) {
        int64_t at;

        if (!to_number(arena, token, &at, ret_why))
                return false;
        if (at >= (int64_t)end || at < -(int64_t)end) {
                *ret_why = arena_printf(arena, "Unable to access invalid index: %lld: " BAD_INDEX, (long long)at);
                return false;
        }
        *ret_at = (uint32_t)(at < 0 ? at + end : at);
        return true;
}

/* VALUE_NONE for a member that is not there; false, with Go's words, for an item that is not. */
static bool child_place(struct arena *arena, const struct value *parent, const char *token, uint32_t *ret_at,
                        const char **ret_why) {
        if (parent->kind == VALUE_LIST)
                return to_place(arena, token, parent->count, ret_at, ret_why);
        *ret_at = value_edit_find(parent, token);
        return true;
}

static const struct value *child(const struct value *parent, uint32_t at) {
        if (at == VALUE_NONE)
                return NULL;
        return parent->kind == VALUE_MAP ? &parent->members[at].value : &parent->items[at];
}

/* ---- places ---- */

static int find(struct patching *p, const char *path, struct place *ret_place) {
        const struct value *value = &p->edit.root;
        const char *token = strchr(path, '/');
        const char *why;
        char *text;

        *ret_place = (struct place){ 0 };
        if (!token)
                return 0;
        for (;;) {
                size_t n = strcspn(++token, "/");

                text = pointer_unescape(p->edit.arena, token, n);
                if (!text)
                        return no_memory(p);
                token += n;
                if (!*token)
                        break;
                if (value_is(value, VALUE_MAP) && take_steps(p, value->count) < 0)
                        return -PATCH_TOO_LARGE;
                if (!is_parent(value) ||
                    !child_place(p->edit.arena, value, text, &ret_place->on_the_way[ret_place->depth], &why))
                        return 0;
                value = child(value, ret_place->on_the_way[ret_place->depth++]);
        }
        ret_place->token = text;
        ret_place->parent = is_parent(value) ? value : NULL;
        return value_is(value, VALUE_MAP) ? take_steps(p, value->count) : 0;
}

/* The parent at @place, to be changed. */
static int own(struct patching *p, const struct place *place, struct value **ret_parent) {
        struct value *value = value_edit_root(&p->edit);

        for (uint32_t i = 0; value && i < place->depth; i++)
                value = value_edit_child(&p->edit, value, place->on_the_way[i]);
        if (!value)
                return edit_failed(p, p->edit.error);
        *ret_parent = value;
        return 0;
}

/* Puts @value to @place. *@ret_why gets Go's words when the token is no place there. */
static int put_in(struct patching *p, const struct place *place, const struct value *value, const char **ret_why) {
        uint32_t at = place->parent->count;
        struct value *parent;
        int r;

        *ret_why = NULL;
        r = check_depth(p, value, place);
        if (r < 0)
                return r;
        if (place->parent->kind == VALUE_LIST && strcmp(place->token, "-") != 0 &&
            !to_place(p->edit.arena, place->token, at + 1, &at, ret_why)) {
                int64_t number;
                const char *why;

                if (!to_number(p->edit.arena, place->token, &number, &why))
                        *ret_why = arena_printf(p->edit.arena, "value was not a proper array index: '%.200s': %s",
                                                place->token, why);
                return *ret_why ? -PATCH_UNFIT : no_memory(p);
        }
        r = own(p, place, &parent);
        if (r < 0)
                return r;
        r = parent->kind == VALUE_MAP ? value_edit_put(&p->edit, parent, place->token, value) :
                                        value_edit_insert(&p->edit, parent, at, value);
        return r < 0 ? edit_failed(p, r) : 0;
}

/* Takes what is at @place away. *@ret_why as above. */
static int take_out(struct patching *p, const struct place *place, struct value *ret_value, const char **ret_why) {
        struct value *parent;
        uint32_t at;
        int r;

        if (!child_place(p->edit.arena, place->parent, place->token, &at, ret_why))
                return *ret_why ? -PATCH_UNFIT : no_memory(p);
        if (at == VALUE_NONE) {
                *ret_why =
                        arena_printf(p->edit.arena, "Unable to remove nonexistent key: %.200s: " MISSING, place->token);
                return *ret_why ? -PATCH_UNFIT : no_memory(p);
        }
        *ret_why = NULL;
        if ((r = take_steps(p, place->parent->count)) < 0 || (r = own(p, place, &parent)) < 0)
                return r;
        value_edit_take(parent, at, ret_value);
        return 0;
}

/* ---- operations ---- */

static int add(struct patching *p, const struct operation *o) {
        struct place place;
        const char *why;
        int r;

        if (!o->path)
                return unfit(p, "add operation failed to decode path: " MISSING);
        r = find(p, o->path, &place);
        if (r < 0)
                return r;
        if (!place.parent)
                return unfit(p, "add operation does not apply: doc is missing path: \"%s\": " MISSING, o->path);
        r = put_in(p, &place, o->value, &why);
        return r < 0 && why ? unfit(p, "error in add for path: '%s': %s", o->path, why) : r;
}

static int remove_(struct patching *p, const struct operation *o) {
        struct place place;
        const char *why;
        int r;

        if (!o->path)
                return unfit(p, "remove operation failed to decode path: " MISSING);
        r = find(p, o->path, &place);
        if (r < 0)
                return r;
        if (!place.parent)
                return unfit(p, "remove operation does not apply: doc is missing path: \"%s\": " MISSING, o->path);
        r = take_out(p, &place, NULL, &why);
        return r < 0 && why ? unfit(p, "error in remove for path: '%s': %s", o->path, why) : r;
}

/* The words for a path or from that is not there, or no string. */
static const char *undecoded(const struct operation *o, const char *name) {
        const struct value *member = value_get(o->members, name);

        if (!value_is_null(member))
                return "json: cannot unmarshal a value that is no string into Go value of type string";
        return strcmp(name, "path") == 0 ? "operation missing path field: " MISSING :
                                           "operation, missing from field: " MISSING;
}

static int replace_root(struct patching *p, const struct operation *o) {
        if (!is_parent(o->value))
                return unfit(p, "replace operation value must be object or array");
        p->edit.root = *o->value;
        return 0;
}

static int replace(struct patching *p, const struct operation *o) {
        struct place place;
        struct value *parent;
        const char *why;
        uint32_t at;
        int r;

        if (!o->path)
                return unfit(p, "replace operation failed to decode path: %s", undecoded(o, "path"));
        if (!*o->path)
                return replace_root(p, o);
        r = find(p, o->path, &place);
        if (r < 0)
                return r;
        if (!place.parent)
                return unfit(p, "replace operation does not apply: doc is missing path: %s: " MISSING, o->path);
        if (!child_place(p->edit.arena, place.parent, place.token, &at, &why))
                return unfit(p, "replace operation does not apply: doc is missing key: %s: " MISSING, o->path);
        if (place.parent->kind == VALUE_MAP)
                return put_in(p, &place, o->value, &why);
        if ((r = check_depth(p, o->value, &place)) < 0 || (r = own(p, &place, &parent)) < 0)
                return r;
        value_edit_take(parent, at, NULL);
        r = value_edit_insert(&p->edit, parent, at, o->value);
        return r < 0 ? edit_failed(p, r) : 0;
}

static int move(struct patching *p, const struct operation *o) {
        struct place place;
        struct value value;
        const char *why;
        int r;

        if (!o->from)
                return unfit(p, "move operation failed to decode from: %s", undecoded(o, "from"));
        r = find(p, o->from, &place);
        if (r < 0)
                return r;
        if (!place.parent)
                return unfit(p, "move operation does not apply: doc is missing from path: %s: " MISSING, o->from);
        r = take_out(p, &place, &value, &why);
        if (r < 0)
                return why ? unfit(p, "error in move for path: '%s': %s", place.token, why) : r;
        if (!o->path)
                return unfit(p, "move operation failed to decode path: %s", undecoded(o, "path"));
        r = find(p, o->path, &place);
        if (r < 0)
                return r;
        if (!place.parent)
                return unfit(p, "move operation does not apply: doc is missing destination path: %s: " MISSING,
                             o->path);
        r = put_in(p, &place, &value, &why);
        return r < 0 && why ? unfit(p, "error in move for path: '%s': %s", o->path, why) : r;
}

/* What is to be copied, shared from now on. */
static int share(struct patching *p, const struct place *from, uint32_t at, struct value *ret_value) {
        struct value *parent;
        int r;

        *ret_value = null_value;
        if (at == VALUE_NONE)
                return 0;
        p->copied += patch_json_size(child(from->parent, at));
        if (p->copied > PATCH_COPY_BYTES_MAX)
                return unfit(p,
                             "Unable to complete the copy, the accumulated size increase of copy is %zu, exceeding the "
                             "limit %zu",
                             p->copied, PATCH_COPY_BYTES_MAX);
        if (child(from->parent, at)->room > 0) {
                r = own(p, from, &parent);
                if (r < 0)
                        return r;
                value_edit_share(value_edit_child(&p->edit, parent, at));
        }
        *ret_value = *child(from->parent, at);
        return 0;
}

static int copy(struct patching *p, const struct operation *o) {
        struct place from, to;
        struct value value;
        const char *why;
        uint32_t at;
        int r;

        if (!o->from)
                return unfit(p, "copy operation failed to decode from: %s", undecoded(o, "from"));
        r = find(p, o->from, &from);
        if (r < 0)
                return r;
        if (!from.parent)
                return unfit(p, "copy operation does not apply: doc is missing from path: %s: " MISSING, o->from);
        if (!child_place(p->edit.arena, from.parent, from.token, &at, &why))
                return unfit(p, "error in copy for from: '%s': %s", o->from, why ?: "out of memory");
        if (!o->path)
                return unfit(p, "copy operation failed to decode path: " MISSING);
        r = find(p, o->path, &to);
        if (r < 0)
                return r;
        if (!to.parent)
                return unfit(p, "copy operation does not apply: doc is missing destination path: %s: " MISSING,
                             o->path);
        r = share(p, &from, at, &value);
        if (r >= 0)
                r = put_in(p, &to, &value, &why);
        else
                why = NULL;
        return r < 0 && why ? unfit(p, "error while adding value during copy: %s", why) : r;
}

static int test(struct patching *p, const struct operation *o) {
        const struct value *value;
        struct place place;
        const char *why;
        uint32_t at;
        int r;

        if (!o->path)
                return unfit(p, "test operation failed to decode path: %s", undecoded(o, "path"));
        r = find(p, o->path, &place);
        if (r < 0)
                return r;
        if (!*o->path) {
                value = &p->edit.root;
        } else {
                if (!place.parent)
                        return unfit(p, "test operation does not apply: is missing path: %s: " MISSING, o->path);
                if (!child_place(p->edit.arena, place.parent, place.token, &at, &why))
                        return unfit(p, "error in test for path: '%s': %s", o->path, why ?: "out of memory");
                value = child(place.parent, at) ?: &null_value;
        }
        if (!value_equal(value, o->value))
                return unfit(p, "testing value %s failed: test failed", o->path);
        return 0;
}

static const struct {
        const char *name;
        int (*apply)(struct patching *p, const struct operation *o);
} operations[] = {
        { "add", add },   { "remove", remove_ }, { "replace", replace },
        { "move", move }, { "test", test },      { "copy", copy },
};

static int apply(struct patching *p, const struct value *members) {
        const char *name = value_string_or(value_get(members, "op"), "unknown");
        const struct operation o = {
                .members = members,
                .path = value_string(value_get(members, "path")),
                .from = value_string(value_get(members, "from")),
                .value = value_get(members, "value") ?: &null_value,
        };

        for (size_t i = 0; i < ELEMENTS(operations); i++)
                if (strcmp(operations[i].name, name) == 0)
                        return operations[i].apply(p, &o);
        return unfit(p, "Unexpected kind: %s", name);
}

static int check(const struct value *patch, struct err **err) {
        if (!value_is_null(patch) && patch->kind != VALUE_LIST)
                return err_set(err, PATCH_MALFORMED, "json: cannot unmarshal %s into Go value of type jsonpatch.Patch",
                               go_text_kind(patch));
        for (uint32_t i = 0; i < value_count(patch); i++)
                if (!value_is_null(&patch->items[i]) && patch->items[i].kind != VALUE_MAP)
                        return err_set(err, PATCH_MALFORMED,
                                       "json: cannot unmarshal %s into Go value of type jsonpatch.Operation",
                                       go_text_kind(&patch->items[i]));
        if (value_count(patch) > PATCH_OPERATIONS_MAX)
                return err_set(err, PATCH_TOO_LARGE, "The allowed maximum operations in a JSON patch is %d, got %u",
                               PATCH_OPERATIONS_MAX, value_count(patch));
        return 0;
}

int patch_json(struct arena *arena, const struct value *document, const struct value *patch,
               const struct value **ret_value, struct err **err) {
        struct patching p = { .err = err };
        const struct value *result;
        int r = check(patch, err);

        if (r < 0)
                return r;
        if (!is_parent(document))
                return err_set(err, PATCH_MALFORMED,
                               "json: cannot unmarshal %s into Go value of type jsonpatch.partialDoc",
                               go_text_kind(document));
        value_edit_begin(&p.edit, arena, document);
        for (uint32_t i = 0; i < value_count(patch); i++) {
                r = apply(&p, &patch->items[i]);
                if (r < 0)
                        return r;
        }
        result = value_edit_end(&p.edit);
        if (!result)
                return no_memory(&p);
        *ret_value = result;
        return 0;
}
