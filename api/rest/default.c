/* r->next as its type has it, in the version that is kept, shaped by its strategy; its generation. */
#include <errno.h>

#include "api/cache/object.h"
#include "api/rest/door.h"
#include "api/rest/own.h"
#include "api/rest/rest.h"
#include "api/rest/strategy.h"
#include "api/rest/strict.h"
#include "api/rest/typed.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/go_number.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/value_edit.h"

/* What is applied is a tree there until now, and its conversion's error the server's own. */
static enum api_step refuse(struct api_request *r, const struct kube_kind *kind, const char *problem) {
        const char *version = kube_api_version(r->arena, kind),
                   *namespace = value_string_or(value_find(r->sent, "metadata.namespace"), "");

        if (r->body_form != API_PATCH_APPLY)
                return api_refuse(r, API_BAD_REQUEST, "%s in version \"%s\" cannot be handled as a %s: %s", kind->kind,
                                  kind->version, kind->kind, problem);
        version = arena_printf(r->arena, "%s%s, Kind=%s", *kind->group ? "" : "/", version ?: "", kind->kind);
        return api_refuse(r, API_BROKEN,
                          "failed to convert new object (%s/%s; %s) to proper version: unable to convert unstructured "
                          "object to %s: %s%s",
                          namespace, r->name, version, version, api_from_json(problem), problem);
}

static enum api_step settle(struct api_request *r, const struct kube_kind *kind, void **ret_object) {
        struct problems problems;
        struct api_json json = { 0 };
        int error;

        problems_init(&problems, r->arena, NULL, NULL);
        error = api_settle(r->arena, kind->type, r->next, true, &problems, &json);
        if (error == 0 && !json.text)
                return refuse(r, kind, problems.count > 0 ? problems.items[0].in_go ?: problems.items[0].text : "");
        if (error == 0)
                error = json_parse(r->arena, json.text, json.length, NULL, &r->next, NULL);
        *ret_object = json.object;
        return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
}

/* It counts what its controllers have to do anew: what admission has put back as it was is nothing new. */
int api_count_generation(struct api_request *r) {
        int64_t generation = 0, counted = 0;
        struct value_edit edit;
        const struct value *next;
        bool is_first = !value_find(r->next, "metadata.generation");
        int error;

        if (!r->current)
                return 0;
        value_integer(value_find(r->current_tree, "metadata.generation"), &generation);
        value_integer(value_find(r->next, "metadata.generation"), &counted);
        if (api_is_next_generation(r))
                generation = go_number_next(generation);
        else if (counted != go_number_next(generation))
                return 0;
        value_edit_begin(&edit, r->arena, r->next);
        error = generation == 0 ?
                        value_edit_remove(&edit, "/metadata/generation", NULL) :
                        value_edit_set(&edit, "/metadata/generation", &(struct value)VALUE_INTEGER(generation), NULL);
        next = value_edit_end(&edit);
        if (error < 0 || !next)
                return error ?: -ENOMEM;
        r->next = next;
        return is_first && r->kind == r->resource->kind ? api_order(r) : 0;
}

typedef int (*shaper)(struct api_request *r, struct value_edit *edit, const struct value *object);

static int shape(struct api_request *r, shaper how) {
        const struct value *object = r->next;
        struct value_edit edit;
        int error;

        if (!how)
                return 0;
        value_edit_begin(&edit, r->arena, object);
        error = how(r, &edit, object);
        r->next = value_edit_end(&edit);
        return error ?: r->next ? 0 : -ENOMEM;
}

enum api_step api_default(struct api_request *r) {
        const struct api_strategy *strategy = api_strategy_of(r->kind);
        void *object = NULL;
        int error = shape(r, strategy->shape);
        enum api_step step = error < 0 ? api_fail(r, error, NULL) : settle(r, r->kind, &object);

        if (step != API_NEXT)
                return step;
        error = shape(r, strategy->settled) ?: strategy->settled ? api_order(r) : 0;
        error = error ?: api_count_generation(r) ?: api_own(r);
        if (error < 0)
                return api_fail(r, error, NULL);
        if (r->kind == r->resource->kind) {
                error = object && !strategy->settled ? api_typed_but_meta(r, object) : 0;
                return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
        }
        error = api_convert(r->arena, r->kind, r->resource->kind, r->next, &r->next) ?: api_door_keep(r);
        return error < 0 ? api_fail(r, error, NULL) : settle(r, r->resource->kind, &object);
}
