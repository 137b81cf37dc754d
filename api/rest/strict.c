#include "api/rest/strict.h"

#include <errno.h>
#include <string.h>

#include "api/server/request.h"
#include "kube/codec/codec.h"
#include "kube/problem.h"
#include "kube/codec/strict.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/value.h"

struct oddities {
        struct api_request *request;
        const char *text; /* of all, for Strict */
};

static void on_odd(void *data, const char *text) {
        struct oddities *o = data;
        struct arena *arena = o->request->arena;

        if (strcmp(o->request->options.field_validation, "Warn") == 0)
                api_warn(o->request, text);
        else
                o->text = o->text ? arena_printf(arena, "%s, %s", o->text, text) : arena_strdup(arena, text);
}

/* What the reader without words has refused: the first that is wrong. */
static int explain(struct api_request *r, const struct value *tree, const char **ret_problem) {
        _cleanup_arena_ struct arena *scratch = arena_new();
        void *object = scratch ? arena_alloc(scratch, r->type->size) : NULL;
        struct problems problems;
        int error;

        if (!object)
                return -ENOMEM;
        problems_init(&problems, r->arena, NULL, NULL);
        error = kube_value_read(scratch, r->type, tree, "", &problems, object);
        for (uint32_t i = 0; error == 0 && i < problems.count && !*ret_problem; i++)
                if (!problems.items[i].warning)
                        *ret_problem = problems.items[i].text;
        return error;
}

static int look_at_odd(struct api_request *r, const char *json, size_t length, const char **ret_problem) {
        const char *how = r->options.field_validation;
        struct oddities o = { .request = r };

        /* Warnings are what a client gets that says nothing. */
        if (!how || !*how)
                r->options.field_validation = "Warn";
        else if (strcmp(how, "Ignore") == 0)
                return 0;
        if (kube_json_strict(r->type, json, length, on_odd, &o) == -ENOMEM)
                return -ENOMEM;
        if (o.text)
                *ret_problem = arena_printf(r->arena, "strict decoding error: %s", o.text);
        return o.text && !*ret_problem ? -ENOMEM : 0;
}

int api_look(struct api_request *r, const char *json, size_t length, const struct value *tree,
             const char **ret_problem) {
        _cleanup_arena_ struct arena *scratch = arena_new();
        _cleanup_free_ char *made = NULL;
        bool odd = false;
        void *object;
        int error = scratch ? 0 : -ENOMEM;

        *ret_problem = NULL;
        if (r->type->size == 0)
                return 0;
        if (error == 0 && !json)
                error = json_format(tree, false, &made, &length);
        object = error == 0 ? arena_alloc(scratch, r->type->size) : NULL;
        if (!object)
                return error ?: -ENOMEM;
        error = kube_json_read(scratch, r->type, json ?: made, length, &odd, object);
        if (error == -ENOMEM)
                return error;
        if (error < 0 && (error = explain(r, tree, ret_problem)) < 0)
                return error;
        return odd && !*ret_problem ? look_at_odd(r, json ?: made, length, ret_problem) : 0;
}
