/* JSON Patch: each operation finds the places of its paths in the tree as it is by then, and only then makes what is on
 * the way its own, so that a "test" and the source of a "copy" copy nothing. */
#include <stdarg.h>
#include <string.h>

#include "kube/patch/go_text.h"
#include "kube/patch/patch.h"
#include "kube/patch/place.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_text.h"

static const struct value null_value = VALUE_EMPTY(VALUE_NULL);

struct operation {
        const struct value *members;
        const char *path, *from;
        const struct value *value; /* null where there is none */
};

__attribute__((format(printf, 2, 3))) static int unfit(struct patching *p, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = err_setv(p->err, PATCH_UNFIT, format, ap);
        va_end(ap);
        return r;
}

static int add(struct patching *p, const struct operation *o) {
        struct patch_place place;
        const char *why;
        int r;

        if (!o->path)
                return unfit(p, "add operation failed to decode path: " PATCH_MISSING);
        r = patch_place_find(p, o->path, &place);
        if (r < 0)
                return r;
        if (!place.parent)
                return unfit(p, "add operation does not apply: doc is missing path: \"%s\": " PATCH_MISSING, o->path);
        r = patch_place_put(p, &place, o->value, &why);
        return r < 0 && why ? unfit(p, "error in add for path: '%s': %s", o->path, why) : r;
}

static int remove_(struct patching *p, const struct operation *o) {
        struct patch_place place;
        const char *why;
        int r;

        if (!o->path)
                return unfit(p, "remove operation failed to decode path: " PATCH_MISSING);
        r = patch_place_find(p, o->path, &place);
        if (r < 0)
                return r;
        if (!place.parent)
                return unfit(p, "remove operation does not apply: doc is missing path: \"%s\": " PATCH_MISSING,
                             o->path);
        r = patch_place_take(p, &place, NULL, &why);
        return r < 0 && why ? unfit(p, "error in remove for path: '%s': %s", o->path, why) : r;
}

/* The words for a path or from that is not there, or no string. */
static const char *undecoded(const struct operation *o, const char *name) {
        const struct value *member = value_get(o->members, name);

        if (!value_is_null(member))
                return "json: cannot unmarshal a value that is no string into Go value of type string";
        return strcmp(name, "path") == 0 ? "operation missing path field: " PATCH_MISSING :
                                           "operation, missing from field: " PATCH_MISSING;
}

static int replace_root(struct patching *p, const struct operation *o) {
        if (!patch_is_parent(o->value))
                return unfit(p, "replace operation value must be object or array");
        p->edit.root = *o->value;
        return 0;
}

static int replace(struct patching *p, const struct operation *o) {
        struct patch_place place;
        struct value *parent;
        const char *why;
        uint32_t at;
        int r;

        if (!o->path)
                return unfit(p, "replace operation failed to decode path: %s", undecoded(o, "path"));
        if (!*o->path)
                return replace_root(p, o);
        r = patch_place_find(p, o->path, &place);
        if (r < 0)
                return r;
        if (!place.parent)
                return unfit(p, "replace operation does not apply: doc is missing path: %s: " PATCH_MISSING, o->path);
        if (!patch_place_at(p, &place, &at, &why))
                return unfit(p, "replace operation does not apply: doc is missing key: %s: " PATCH_MISSING, o->path);
        if (place.parent->kind == VALUE_MAP)
                return patch_place_put(p, &place, o->value, &why);
        if ((r = patch_place_check(p, o->value, &place)) < 0 || (r = patch_place_own(p, &place, &parent)) < 0)
                return r;
        value_edit_take(parent, at, NULL);
        r = value_edit_insert(&p->edit, parent, at, o->value);
        return r < 0 ? patch_place_failed(p, r) : 0;
}

static int move(struct patching *p, const struct operation *o) {
        struct patch_place place;
        struct value value;
        const char *why;
        int r;

        if (!o->from)
                return unfit(p, "move operation failed to decode from: %s", undecoded(o, "from"));
        r = patch_place_find(p, o->from, &place);
        if (r < 0)
                return r;
        if (!place.parent)
                return unfit(p, "move operation does not apply: doc is missing from path: %s: " PATCH_MISSING, o->from);
        r = patch_place_take(p, &place, &value, &why);
        if (r < 0)
                return why ? unfit(p, "error in move for path: '%s': %s", place.token, why) : r;
        if (!o->path)
                return unfit(p, "move operation failed to decode path: %s", undecoded(o, "path"));
        r = patch_place_find(p, o->path, &place);
        if (r < 0)
                return r;
        if (!place.parent)
                return unfit(p, "move operation does not apply: doc is missing destination path: %s: " PATCH_MISSING,
                             o->path);
        r = patch_place_put(p, &place, &value, &why);
        return r < 0 && why ? unfit(p, "error in move for path: '%s': %s", o->path, why) : r;
}

/* What is to be copied, shared from now on. */
static int share(struct patching *p, const struct patch_place *from, uint32_t at, struct value *ret_value) {
        struct value *parent;
        int r;

        *ret_value = null_value;
        if (at == VALUE_NONE)
                return 0;
        p->copied += patch_json_size(patch_child(from->parent, at));
        if (p->copied > PATCH_COPY_BYTES_MAX)
                return unfit(p,
                             "Unable to complete the copy, the accumulated size increase of copy is %zu, exceeding the "
                             "limit %zu",
                             p->copied, PATCH_COPY_BYTES_MAX);
        if (patch_child(from->parent, at)->room > 0) {
                r = patch_place_own(p, from, &parent);
                if (r < 0)
                        return r;
                value_edit_share(value_edit_child(&p->edit, parent, at));
        }
        *ret_value = *patch_child(from->parent, at);
        return 0;
}

static int copy(struct patching *p, const struct operation *o) {
        struct patch_place from, to;
        struct value value;
        const char *why;
        uint32_t at;
        int r;

        if (!o->from)
                return unfit(p, "copy operation failed to decode from: %s", undecoded(o, "from"));
        r = patch_place_find(p, o->from, &from);
        if (r < 0)
                return r;
        if (!from.parent)
                return unfit(p, "copy operation does not apply: doc is missing from path: %s: " PATCH_MISSING, o->from);
        if (!patch_place_at(p, &from, &at, &why))
                return unfit(p, "error in copy for from: '%s': %s", o->from, why ?: "out of memory");
        if (!o->path)
                return unfit(p, "copy operation failed to decode path: " PATCH_MISSING);
        r = patch_place_find(p, o->path, &to);
        if (r < 0)
                return r;
        if (!to.parent)
                return unfit(p, "copy operation does not apply: doc is missing destination path: %s: " PATCH_MISSING,
                             o->path);
        r = share(p, &from, at, &value);
        if (r >= 0)
                r = patch_place_put(p, &to, &value, &why);
        else
                why = NULL;
        return r < 0 && why ? unfit(p, "error while adding value during copy: %s", why) : r;
}

static int test(struct patching *p, const struct operation *o) {
        const struct value *value;
        struct patch_place place;
        const char *why;
        uint32_t at;
        int r;

        if (!o->path)
                return unfit(p, "test operation failed to decode path: %s", undecoded(o, "path"));
        r = patch_place_find(p, o->path, &place);
        if (r < 0)
                return r;
        if (!*o->path) {
                value = &p->edit.root;
        } else {
                if (!place.parent)
                        return unfit(p, "test operation does not apply: is missing path: %s: " PATCH_MISSING, o->path);
                if (!patch_place_at(p, &place, &at, &why))
                        return unfit(p, "error in test for path: '%s': %s", o->path, why ?: "out of memory");
                value = patch_child(place.parent, at) ?: &null_value;
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
        if (!patch_is_parent(document))
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
                return patch_place_no_memory(&p);
        *ret_value = result;
        return 0;
}
