#include "api/rest/strict.h"

#include <errno.h>
#include <string.h>

#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/codec/codec.h"
#include "kube/codec/strict.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/scalar.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/value_sort.h"

#define YAML_ERRORS "yaml: unmarshal errors:"

struct oddities {
        struct api_request *request;
        struct arena_text text; /* of all, for Strict */
};

/* Each of YAML's errors is a warning of its own. */
static void warn_of_each(struct api_request *r, const char *text) {
        const char *line = strchr(text, '\n'), *end;

        if (strncmp(text, YAML_ERRORS, strlen(YAML_ERRORS)) != 0)
                line = NULL;
        for (; line; line = end) {
                const char *begin = line + 1 + strspn(line + 1, " ");
                const char *copy;

                end = strchr(begin, '\n');
                copy = arena_strndup(r->arena, begin, end ? (size_t)(end - begin) : strlen(begin));
                if (copy)
                        api_warn(r, copy);
        }
        if (!strchr(text, '\n'))
                api_warn(r, text);
}

static void on_odd(void *data, const char *text) {
        struct oddities *o = data;

        if (strcmp(o->request->options.field_validation, "Warn") == 0)
                warn_of_each(o->request, text);
        else
                arena_text_add(&o->text, "%s%s", o->text.length > 0 ? ", " : "", text);
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
                        *ret_problem = problems.items[i].in_go ?: problems.items[i].text;
        return error;
}

const char *api_from_json(const char *problem) {
        return strncmp(problem, KUBE_BAD_BASE64, strlen(KUBE_BAD_BASE64)) == 0 ? "error decoding from json: " : "";
}

static void on_odd_operation(void *data, const char *text) {
        struct oddities *o = data;

        on_odd(o, arena_printf(o->request->arena, "json patch %s", text) ?: text);
}

/* Of a patch itself. */
static int look_at_patch(struct api_request *r, struct oddities *o) {
        if (r->body_form == API_PATCH_JSON)
                return kube_patch_strict(r->body, r->body_size, on_odd_operation, o);
        return r->sent_twice ? kube_json_twice(r->body, r->body_size, on_odd, o) : 0;
}

/* Of what it has made, whose members are in the order in which Go has a map's. */
static int look_at_made(struct api_request *r, const struct value *tree, struct oddities *o) {
        _cleanup_arena_ struct arena *scratch = arena_new();
        const struct value *sorted = scratch ? value_sorted(scratch, tree) : NULL;
        _cleanup_free_ char *json = NULL;
        size_t length = 0;

        if (!sorted || json_format(sorted, false, &json, &length) < 0)
                return -ENOMEM;
        return kube_json_strict(r->type, json, length, on_odd, o);
}

/* Whether somebody wants to hear of it: who says nothing gets warnings. */
static bool is_looked_at(struct api_request *r) {
        const char *how = r->options.field_validation;

        if (!how || !*how)
                r->options.field_validation = "Warn";
        return !how || strcmp(how, "Ignore") != 0;
}

/* @json: what was sent; NULL: @tree was made of it. */
static int look_at_odd(struct api_request *r, const struct api_json *json, const struct value *tree,
                       const char **ret_problem) {
        struct oddities o = { .request = r, .text = { .arena = r->arena } };
        int error;

        if (!is_looked_at(r))
                return 0;
        if (json)
                error = kube_json_strict(r->type, json->text, json->length, on_odd, &o);
        else if (r->verb != KUBE_VERB_PATCH && r->body_form == API_YAML)
                error = kube_yaml_strict(r->type, r->body, r->body_size, on_odd, &o);
        else
                error = look_at_patch(r, &o) ?: look_at_made(r, tree, &o);
        if (error == -ENOMEM)
                return -ENOMEM;
        if (o.text.failed)
                return -ENOMEM;
        if (o.text.length > 0)
                *ret_problem = arena_printf(r->arena, "strict decoding error: %s", arena_text_of(&o.text));
        return o.text.length > 0 && !*ret_problem ? -ENOMEM : 0;
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
        odd |= r->sent_twice || (!json && r->verb == KUBE_VERB_PATCH && r->body_form == API_PATCH_JSON);
        if (!odd || *ret_problem)
                return 0;
        return look_at_odd(r, json ? &(struct api_json){ json, length, NULL } : NULL, tree, ret_problem);
}

enum api_step api_look_at_applied(struct api_request *r) {
        struct oddities o = { .request = r, .text = { .arena = r->arena } };

        if (!r->sent_twice || !is_looked_at(r))
                return API_NEXT;
        if (kube_yaml_twice(r->body, r->body_size, on_odd, &o) == -ENOMEM)
                return api_fail(r, -ENOMEM, NULL);
        if (o.text.length == 0)
                return API_NEXT;
        return api_refuse(r, API_BAD_REQUEST, "error strict decoding YAML: error converting YAML to JSON: %s",
                          arena_text_of(&o.text) ?: "");
}
