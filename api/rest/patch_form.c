#include "api/rest/patch_form.h"

#include <string.h>

#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/go_text.h"
#include "lib/value.h"

static enum api_step refuse(struct api_request *r, const struct value *value, const char *into) {
        return api_refuse(r, API_BAD_REQUEST, "error decoding patch: json: cannot unmarshal %s into Go %s",
                          go_text_kind(value), into);
}

/* The texts of an operation, of which the first that is none is told, as it stands there. */
static enum api_step check_operation(struct api_request *r, const struct value *operation) {
        static const char *const texts[] = { "op", "path", "from" };

        if (value_is_null(operation))
                return API_NEXT;
        if (!value_is(operation, VALUE_MAP))
                return refuse(r, operation, "value of type handlers.jsonPatchOp");
        for (uint32_t i = 0; i < value_count(operation); i++) {
                const char *key = operation->members[i].key;
                const struct value *value = &operation->members[i].value;

                if (value_is_null(value) || value_is(value, VALUE_STRING))
                        continue;
                for (size_t k = 0; k < ELEMENTS(texts); k++)
                        if (strcmp(key, texts[k]) == 0)
                                return refuse(
                                        r, value,
                                        arena_printf(r->arena, "struct field jsonPatchOp.%s of type string", key) ?:
                                                "text");
        }
        return API_NEXT;
}

static enum api_step check_operations(struct api_request *r, const struct value *patch) {
        const char *how = r->options.field_validation;
        enum api_step step = API_NEXT;

        if (value_is_null(patch) || (how && strcmp(how, "Ignore") == 0))
                return API_NEXT;
        if (!value_is(patch, VALUE_LIST))
                return refuse(r, patch, "value of type []handlers.jsonPatchOp");
        for (uint32_t i = 0; step == API_NEXT && i < value_count(patch); i++)
                step = check_operation(r, value_at(patch, i));
        return step;
}

enum api_step api_patch_check(struct api_request *r, const struct value *patch) {
        if (r->body_form == API_PATCH_JSON)
                return check_operations(r, patch);
        if (r->body_form == API_PATCH_MERGE && value_is_null(patch))
                return api_refuse(r, API_BAD_REQUEST, "Invalid JSON Patch");
        return value_is(patch, VALUE_MAP) ? API_NEXT : refuse(r, patch, "value of type map[string]interface {}");
}

static const char *version_problem(struct api_request *r, const char *kind, const char *version) {
        char group[KUBE_NAME_BYTES_MAX];
        const char *rest;

        if (kube_split_api_version(version, group, sizeof(group), &rest) == 0 &&
            kube_registry_kind(r->server->config.registry, group, rest, kind))
                return NULL;
        return arena_printf(r->arena,
                            "no kind \"%s\" is registered for version \"%s\" in scheme \"pkg/runtime/scheme.go:111\"",
                            kind, version);
}

const char *api_patch_kind_problem(struct api_request *r, const struct value *current, const struct value *next) {
        const char *was = value_string(value_get(current, "kind")), *is = value_string(value_get(next, "kind")),
                   *old = value_string(value_get(current, "apiVersion")),
                   *new = value_string(value_get(next, "apiVersion"));

        /* A strategic patch is made into the type of what it changes, whatever it says; none is as before. */
        if (r->body_form == API_PATCH_STRATEGIC || !was || !is || !*is)
                return NULL;
        if (strcmp(was, is) != 0)
                return arena_printf(r->arena, "kind: a patch cannot make a %s of a %s", is, was);
        return !new || !*new || (old && strcmp(old, new) == 0) ? NULL : version_problem(r, is, new);
}
