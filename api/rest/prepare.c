/* What an object gets once everybody has been at it, by its kind; and whether it is another generation. */
#include <errno.h>
#include <string.h>

#include "api/rest/rest.h"
#include "api/rest/strategy.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/value_edit.h"

/* --- generations --- */

static bool is_outside_spec(const char *key) {
        static const char *const outside[] = { "kind", "apiVersion", "metadata", "status" };

        for (size_t i = 0; i < ELEMENTS(outside); i++)
                if (strcmp(outside[i], key) == 0)
                        return true;
        return false;
}

static bool contains_all(const struct value *a, const struct value *b) {
        for (uint32_t i = 0; i < value_count(a); i++)
                if (!is_outside_spec(a->members[i].key) &&
                    !value_equal(&a->members[i].value, value_get(b, a->members[i].key)))
                        return false;
        return true;
}

/* None, and an empty one, are the same. */
static bool same_map(const struct value *a, const struct value *b) {
        return (value_count(a) == 0 && value_count(b) == 0) || (a && b && value_equal(a, b));
}

static bool same_meta(const struct api_request *r, const char *key) {
        return same_map(value_get(value_get(r->current_tree, "metadata"), key),
                        value_get(value_get(r->next, "metadata"), key));
}

bool api_is_next_generation(const struct api_request *r) {
        unsigned flags = api_strategy_of(r->kind)->flags;
        bool status = r->sub && strcmp(r->sub->name, "status") == 0;

        if (!(flags & API_GENERATION) || flags & API_COUNTS_NEVER)
                return false;
        if (flags & API_COUNTS_ANNOTATIONS && !status && !same_meta(r, "annotations"))
                return true;
        if (flags & API_COUNTS_LABELS && !same_meta(r, "labels"))
                return true;
        return !contains_all(r->current_tree, r->next) || !contains_all(r->next, r->current_tree);
}

/* --- the rest --- */

int api_order(struct api_request *r) {
        struct problems problems;
        struct api_json json = { 0 };
        int error;

        problems_init(&problems, r->arena, NULL, NULL);
        error = api_settle(r->arena, r->resource->kind->type, r->next, false, &problems, &json);
        error = error ?: json.text ? 0 : -EINVAL;
        return error ?: json_parse(r->arena, json.text, json.length, NULL, &r->next, NULL);
}

enum api_step api_prepare(struct api_request *r) {
        const struct api_strategy *strategy = api_strategy_of(r->kind);
        int (*shape)(struct api_request *, struct value_edit *) = r->creates ? strategy->create : strategy->update;
        const struct value *next;
        struct value_edit edit;
        int error;

        if (!shape)
                return API_NEXT;
        value_edit_begin(&edit, r->arena, r->next);
        error = shape(r, &edit);
        next = value_edit_end(&edit);
        if (error == 0 && next && next->members == r->next->members)
                return API_NEXT; /* nothing was changed, and empty lists are still seen by validation */
        r->next = next;
        error = error ?: r->next ? api_order(r) : -ENOMEM;
        error = error ?: r->creates ? 0 : api_count_generation(r); /* what was dropped is nothing new */
        return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
}
