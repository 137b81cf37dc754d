/* Bodies: of which kind they are, and what is odd in them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/rest/annotated.h"
#include "api/rest/rest.h"
#include "api/rest/strict.h"
#include "api/server/codec.h"
#include "api/server/options.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/meta_v1.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_text.h"
#include "lib/http/exchange.h"
#include "lib/value.h"

#define HEX_MAX 1024 /* bytes of a body that are shown in an error */

static const char *kind_of(const struct api_request *r) {
        return r->verb & (KUBE_VERB_DELETE | KUBE_VERB_DELETECOLLECTION) ? "DeleteOptions" :
               r->sub                                                    ? r->sub->kind :
                                                                           r->kind->kind;
}

static enum api_step refuse_body(struct api_request *r) {
        switch (r->body_error) {
        case -EMSGSIZE:
                return api_refuse(r, API_TOO_LARGE, "Request entity too large: limit is %zu", API_BODY_MAX);
        case -EOPNOTSUPP:
                return api_refuse(r, API_UNSUPPORTED_MEDIA, "the body comes in a coding that is not known: gzip is");
        case -ETIMEDOUT:
                return api_refuse(r, API_TIMEOUT, "the request's body did not come in time");
        default:
                return api_refuse(r, API_BAD_REQUEST, "the request's body could not be read");
        }
}

static enum api_step check_fields(struct api_request *r) {
        const char *json = r->body_form == API_JSON ? r->body : NULL, *problem = NULL;

        if (r->body_form != API_PROTOBUF && api_look(r, json, r->body_size, r->sent, &problem) < 0)
                return api_fail(r, -ENOMEM, NULL);
        if (!problem)
                problem = api_annotated_problem(r, r->sent);
        if (!problem)
                return API_NEXT;
        return api_refuse(r, API_BAD_REQUEST, "%s in version \"%s\" cannot be handled as a %s: %s", kind_of(r),
                          r->kind->version, kind_of(r), problem);
}

/* What a deletion's options hold is of the types that it is to be: "dryRun": "All" deletes nothing. Members that are
 * not known are nobody's business there. */
static enum api_step check_deletion(struct api_request *r) {
        const char *validation = r->options.field_validation, *problem;
        const struct kube_type *own = r->type;
        int error;

        r->type = &kube_delete_options_type;
        r->options.field_validation = "Ignore";
        error = api_look(r, NULL, 0, r->sent, &problem);
        r->type = own;
        r->options.field_validation = validation;
        if (error < 0)
                return api_fail(r, error, NULL);
        if (problem)
                return api_refuse(r, API_BAD_REQUEST,
                                  "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: %s", problem);
        api_options_forget_deletion(r);
        return api_options_of_deletion(r, r->sent);
}

/* --- kind and apiVersion --- */

/* In which other version a subresource takes its kind: one of the same fields. */
static const struct {
        const char *group, *kind, *version;
} older[] = {
        { "policy", "Eviction", "v1beta1" }, /* what kubectl drain before 1.22 sends */
};

static bool is_older(const struct kube_subresource *sub, const char *version) {
        for (size_t i = 0; sub && i < ELEMENTS(older); i++)
                if (strcmp(sub->group, older[i].group) == 0 && strcmp(sub->kind, older[i].kind) == 0 &&
                    strcmp(version, older[i].version) == 0)
                        return true;
        return false;
}

static bool is_version(const struct api_request *r, const char *version) {
        const char *group = r->sub ? r->sub->group : r->kind->group, *own = r->sub ? r->sub->version : r->kind->version;
        size_t n = strlen(group);

        if (n == 0)
                return strcmp(version, own) == 0;
        if (strncmp(version, group, n) != 0 || version[n] != '/')
                return false;
        return strcmp(version + n + 1, own) == 0 || is_older(r->sub, version + n + 1);
}

/* The body as Go's %x has it. */
static const char *hex_of(struct arena *arena, const uint8_t *bytes, size_t size) {
        size_t n = size < HEX_MAX ? size : HEX_MAX;
        char *text = arena_alloc(arena, 2 * n + 1);

        for (size_t i = 0; text && i < n; i++)
                snprintf(text + 2 * i, 3, "%02x", bytes[i]);
        return text ?: "";
}

/* What does not say of which kind it is, is of the one that belongs there. */
static bool is_kind_of_version(const struct api_request *r, const char *kind, const char *version) {
        char group[KUBE_NAME_BYTES_MAX];
        const char *rest;

        if (!*version)
                return kube_registry_kind(r->server->config.registry, r->kind->group, r->kind->version, kind);
        return kube_split_api_version(version, group, sizeof(group), &rest) == 0 &&
               kube_registry_kind(r->server->config.registry, group, rest, kind);
}

static enum api_step refuse_kind(struct api_request *r, const char *kind, const char *version, const char *wanted) {
        const char *group = *r->kind->group ? r->kind->group : "core", *slash = strrchr(version, '/'),
                   *number = slash ? slash + 1 : version;

        if (is_kind_of_version(r, kind, version))
                return api_refuse(r, API_BAD_REQUEST,
                                  "%s in version \"%s\" cannot be handled as a %s: converting (%s.%s) to (%.*s.%s): "
                                  "unknown conversion",
                                  kind, number, wanted, number, kind, (int)strcspn(group, "."), group, wanted);
        return api_refuse(r, API_BAD_REQUEST,
                          "%s in version \"%s\" cannot be handled as a %s: no kind \"%s\" is registered for "
                          "version \"%s\" in scheme \"pkg/runtime/scheme.go:111\"",
                          kind, number, wanted, kind, version);
}

/* The apiVersion of what belongs there. */
static const char *own_version(struct api_request *r) {
        const char *group = r->sub ? r->sub->group : r->kind->group, *own = r->sub ? r->sub->version : r->kind->version;

        return *group ? arena_printf(r->arena, "%s/%s", group, own) ?: own : own;
}

static enum api_step check_kind(struct api_request *r) {
        const char *kind = value_string_or(value_get(r->sent, "kind"), ""),
                   *version = value_string_or(value_get(r->sent, "apiVersion"), "");
        const char *wanted = kind_of(r);

        if (!value_is(r->sent, VALUE_MAP))
                return api_refuse(
                        r, API_BAD_REQUEST,
                        "the object provided is unrecognized (must be of type %s): couldn't get version/kind; "
                        "json parse error: json: cannot unmarshal %s into Go value of type struct { APIVersion "
                        "string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string "
                        "\"json:\\\"kind,omitempty\\\"\" } (%s)",
                        wanted, go_text_kind(r->sent), hex_of(r->arena, r->body, r->body_size));
        if (r->verb & (KUBE_VERB_DELETE | KUBE_VERB_DELETECOLLECTION))
                return !*kind || strcmp(kind, wanted) == 0 ?
                               API_NEXT :
                               api_refuse(r, API_BAD_REQUEST,
                                          "no kind \"%s\" is registered for version \"%s\" in scheme "
                                          "\"pkg/runtime/scheme.go:111\"",
                                          kind, *version ? version : "meta.k8s.io/v1");
        if ((*kind && strcmp(kind, wanted) != 0) || (*version && !is_version(r, version)))
                return refuse_kind(r, *kind ? kind : wanted, *version ? version : own_version(r), wanted);
        return API_NEXT;
}

static enum api_step decode(struct api_request *r) {
        _cleanup_err_ struct err *err = NULL;
        bool deletes = r->verb & (KUBE_VERB_DELETE | KUBE_VERB_DELETECOLLECTION);
        const struct api_body body = { r->body_form, deletes ? &kube_delete_options_type : r->type, r->body,
                                       r->body_size, &r->sent_twice };
        int error = api_decode(r->arena, &body, &r->sent, &err);

        if (error == -ENOMEM)
                return api_fail(r, error, NULL);
        if (error == -ENODATA || (error == 0 && value_is_null(r->sent))) {
                r->sent = &api_no_members;
                return API_NEXT;
        }
        if (error < 0)
                return api_refuse(
                        r, API_BAD_REQUEST,
                        "the object provided is unrecognized (must be of type %s): couldn't get version/kind; "
                        "json parse error: %s (%.*s)",
                        kind_of(r), err_text(err), (int)(r->body_size < 100 ? r->body_size : 100),
                        (const char *)r->body);
        return check_kind(r);
}

#define UNKNOWN_FORMAT "the body of the request was in an unknown format - accepted media types include: "

static enum api_step refuse_form(struct api_request *r, int error) {
        if (error == -ENOENT)
                return api_refuse_patch_form(r);
        if (r->verb == KUBE_VERB_PATCH)
                return api_refuse(r, API_UNSUPPORTED_MEDIA,
                                  UNKNOWN_FORMAT
                                  "application/json-patch+json, application/merge-patch+json, "
                                  "application/strategic-merge-patch+json, application/apply-patch+yaml");
        return api_refuse(r, API_UNSUPPORTED_MEDIA,
                          UNKNOWN_FORMAT "application/json, application/yaml, application/vnd.kubernetes.protobuf");
}

enum api_step api_decode_body(struct api_request *r) {
        const char *type = r->x ? http_fields_get(&http_request_of(r->x)->fields, "content-type") : NULL;
        bool deletes = r->verb & (KUBE_VERB_DELETE | KUBE_VERB_DELETECOLLECTION), patches = r->verb == KUBE_VERB_PATCH;
        enum api_step step;
        int error;

        if (r->body_error < 0)
                return refuse_body(r);
        if (deletes && r->body_size == 0)
                return api_options_of_deletion(r, NULL);
        error = patches ? api_patch_form_of(type, &r->body_form) : api_form_of(type, &r->body_form);
        if (error < 0)
                return refuse_form(r, error);
        step = patches ? API_NEXT : decode(r);
        if (step != API_NEXT || patches)
                return step;
        if (r->sent == &api_no_members)
                return deletes ? api_options_of_deletion(r, NULL) : API_NEXT;
        return deletes ? check_deletion(r) : check_fields(r);
}
