#include "kube/patch/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/patch/patch.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/pointer.h"

#define BAD_INDEX "invalid index referenced"

int patch_place_no_memory(struct patching *p) {
        return err_set(p->err, ENOMEM, "out of memory");
}

int patch_place_failed(struct patching *p, int error) {
        if (error == -ENOMEM)
                return patch_place_no_memory(p);
        return err_set(p->err, PATCH_TOO_LARGE, "the patch makes a document that is too large or too deep");
}

bool patch_is_parent(const struct value *value) {
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
        if (patch_is_parent(value) && ++depth > VALUE_DEPTH_MAX)
                return false;
        for (uint32_t i = 0; i < n; i++)
                if (!fits(p, value->kind == VALUE_MAP ? &value->members[i].value : &value->items[i], depth))
                        return false;
        return depth <= VALUE_DEPTH_MAX;
}

int patch_place_check(struct patching *p, const struct value *value, const struct patch_place *place) {
        if (!fits(p, value, place->depth + 1))
                return patch_place_failed(p, -E2BIG);
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

const struct value *patch_child(const struct value *parent, uint32_t at) {
        if (at == VALUE_NONE)
                return NULL;
        return parent->kind == VALUE_MAP ? &parent->members[at].value : &parent->items[at];
}

/* ---- places ---- */

bool patch_place_at(struct patching *p, const struct patch_place *place, uint32_t *ret_at, const char **ret_why) {
        return child_place(p->edit.arena, place->parent, place->token, ret_at, ret_why);
}

int patch_place_find(struct patching *p, const char *path, struct patch_place *ret_place) {
        const struct value *value = &p->edit.root;
        const char *token = strchr(path, '/');
        const char *why;
        char *text;

        *ret_place = (struct patch_place){ 0 };
        if (!token)
                return 0;
        for (;;) {
                size_t n = strcspn(++token, "/");

                text = pointer_unescape(p->edit.arena, token, n);
                if (!text)
                        return patch_place_no_memory(p);
                token += n;
                if (!*token)
                        break;
                if (value_is(value, VALUE_MAP) && take_steps(p, value->count) < 0)
                        return -PATCH_TOO_LARGE;
                if (!patch_is_parent(value) ||
                    !child_place(p->edit.arena, value, text, &ret_place->on_the_way[ret_place->depth], &why))
                        return 0;
                value = patch_child(value, ret_place->on_the_way[ret_place->depth++]);
        }
        ret_place->token = text;
        ret_place->parent = patch_is_parent(value) ? value : NULL;
        return value_is(value, VALUE_MAP) ? take_steps(p, value->count) : 0;
}

int patch_place_own(struct patching *p, const struct patch_place *place, struct value **ret_parent) {
        struct value *value = value_edit_root(&p->edit);

        for (uint32_t i = 0; value && i < place->depth; i++)
                value = value_edit_child(&p->edit, value, place->on_the_way[i]);
        if (!value)
                return patch_place_failed(p, p->edit.error);
        *ret_parent = value;
        return 0;
}

int patch_place_put(struct patching *p, const struct patch_place *place, const struct value *value,
                    const char **ret_why) {
        uint32_t at = place->parent->count;
        struct value *parent;
        int r;

        *ret_why = NULL;
        r = patch_place_check(p, value, place);
        if (r < 0)
                return r;
        if (place->parent->kind == VALUE_LIST && strcmp(place->token, "-") != 0 &&
            !to_place(p->edit.arena, place->token, at + 1, &at, ret_why)) {
                int64_t number;
                const char *why;

                if (!to_number(p->edit.arena, place->token, &number, &why))
                        *ret_why = arena_printf(p->edit.arena, "value was not a proper array index: '%.200s': %s",
                                                place->token, why);
                return *ret_why ? -PATCH_UNFIT : patch_place_no_memory(p);
        }
        r = patch_place_own(p, place, &parent);
        if (r < 0)
                return r;
        r = parent->kind == VALUE_MAP ? value_edit_put(&p->edit, parent, place->token, value) :
                                        value_edit_insert(&p->edit, parent, at, value);
        return r < 0 ? patch_place_failed(p, r) : 0;
}

int patch_place_take(struct patching *p, const struct patch_place *place, struct value *ret_value,
                     const char **ret_why) {
        struct value *parent;
        uint32_t at;
        int r;

        if (!patch_place_at(p, place, &at, ret_why))
                return *ret_why ? -PATCH_UNFIT : patch_place_no_memory(p);
        if (at == VALUE_NONE) {
                *ret_why = arena_printf(p->edit.arena, "Unable to remove nonexistent key: %.200s: " PATCH_MISSING,
                                        place->token);
                return *ret_why ? -PATCH_UNFIT : patch_place_no_memory(p);
        }
        *ret_why = NULL;
        if ((r = take_steps(p, place->parent->count)) < 0 || (r = patch_place_own(p, place, &parent)) < 0)
                return r;
        value_edit_take(parent, at, ret_value);
        return 0;
}
