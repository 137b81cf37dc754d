#include "api/reviews.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/access/access.h"
#include "api/auth/review.h"
#include "api/rbac/rbac.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/tokens.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static int review_token(struct api_request *r, void *object, struct problems *problems) {
        return auth_review_token(api_access_authenticator(r->server->config.data), time(NULL), r->arena, object);
}

/* Whether nothing is said; else what, as JSON. */
static bool is_empty(const struct kube_object_meta *meta, char **ret_json) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        size_t length;

        kube_json_write(&w, &kube_object_meta_type, meta);
        return json_writer_finish(&w, ret_json, &length) == 0 && strcmp(*ret_json, "{}") == 0;
}

static int review_self(struct api_request *r, void *object, struct problems *problems) {
        struct kube_authentication_v1_self_subject_review *review = object;

        auth_review_self(&r->user, review);
        review->metadata = (struct kube_object_meta){ 0 };
        review->metadata.creation_timestamp = (struct kube_time){ .seconds = time(NULL), .set = true };
        return 0;
}

/* A review of access is nobody's object: it has no name and no labels, and a namespace where its path has one. What has
 * one elsewhere loses it. */
static void check_meta(struct kube_object_meta *meta, bool local, struct problems *problems) {
        struct kube_object_meta rest = *meta, empty = { 0 };
        _cleanup_free_ char *json = NULL;

        if (!local)
                meta->namespace = NULL;
        rest.namespace = NULL;
        rest.managed_fields.items = NULL;
        rest.managed_fields.count = 0;
        rest.creation_timestamp = rest.deletion_timestamp = empty.creation_timestamp;
        if (is_empty(&rest, &json))
                return;
        problem_error(problems, "metadata", "Invalid value: %s: must be empty%s", json ?: "{}",
                      local ? " except for namespace" : "");
}

static int review_access(struct api_request *r, void *object, struct problems *problems) {
        struct kube_authorization_v1_subject_access_review *review = object;
        size_t n;
        const struct auth_authorizer *chain = api_access_chain(r->server->config.data, &n);

        check_meta(&review->metadata, false, problems);
        return auth_review_access(chain, n, NULL, &review->spec, &review->status, problems);
}

static int review_local(struct api_request *r, void *object, struct problems *problems) {
        struct kube_authorization_v1_local_subject_access_review *review = object;
        size_t n;
        const struct auth_authorizer *chain = api_access_chain(r->server->config.data, &n);

        check_meta(&review->metadata, true, problems);
        return auth_review_access(chain, n, r->path.namespace, &review->spec, &review->status, problems);
}

static int review_own(struct api_request *r, void *object, struct problems *problems) {
        struct kube_authorization_v1_self_subject_access_review *review = object;
        size_t n;
        const struct auth_authorizer *chain = api_access_chain(r->server->config.data, &n);

        check_meta(&review->metadata, false, problems);
        return auth_review_own_access(chain, n, &r->user, review, problems);
}

static int review_rules(struct api_request *r, void *object, struct problems *problems) {
        struct kube_authorization_v1_self_subject_rules_review *review = object;
        struct rbac *roles = api_access_roles(r->server->config.data);
        const char *namespace = review->spec.namespace ?: "";

        if (!*namespace)
                return -ENODATA;
        review->spec.namespace = NULL; /* as kube-apiserver, which answers an empty spec */
        return rbac_review_rules(roles, &r->user, namespace, r->arena, &review->status);
}

static const struct {
        const char *resource;
        int (*review)(struct api_request *r, void *object, struct problems *problems);
} reviews[] = {
        { "tokenreviews", review_token },           { "selfsubjectreviews", review_self },
        { "subjectaccessreviews", review_access },  { "localsubjectaccessreviews", review_local },
        { "selfsubjectaccessreviews", review_own }, { "selfsubjectrulesreviews", review_rules },
};

int api_review_read(struct api_request *r, struct problems *problems, void **ret_object) {
        const char *group = r->sub ? r->sub->group : r->kind->group, *kind = r->sub ? r->sub->kind : r->kind->kind;
        const char *version = arena_printf(r->arena, "%s/%s", group, r->sub ? r->sub->version : r->kind->version);
        void *object = arena_alloc(r->arena, r->type->size);
        const struct value *tree;
        struct value_edit edit;
        int error;

        if (!version || !object)
                return -ENOMEM;
        value_edit_begin(&edit, r->arena, r->sent);
        error = value_edit_set(&edit, "/kind", &(struct value)VALUE_TEXT(kind), NULL) ?:
                        value_edit_set(&edit, "/apiVersion", &(struct value)VALUE_TEXT(version), NULL);
        tree = value_edit_end(&edit);
        error = error ?: tree ? kube_value_read(r->arena, r->type, tree, "", problems, object) : -ENOMEM;
        if (error == 0)
                *ret_object = object;
        return error;
}

enum api_step api_review_show(struct api_request *r, const void *object) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_bytes_ struct bytes *json = NULL, *proto = NULL;

        kube_json_write(&w, r->type, object);
        if (!(json = json_writer_line(&w)))
                return api_fail(r, -ENOMEM, NULL);
        if (r->media.form == API_PROTOBUF &&
            api_protobuf(r->type, (const char *)json->data, json->size - 1, &proto) == 0)
                api_respond_bytes(r, 201, api_content_type(API_PROTOBUF), proto);
        else
                api_respond_json(r, 201, json);
        return API_END;
}

/* Reviews of access are refused without their kind: what decoded them took it away. */
static enum api_step refuse(struct api_request *r, struct problems *problems) {
        const struct kube_kind *kind = r->kind, nameless = { .group = kind->group, .kind = "" };
        enum api_step step;

        if (strcmp(kind->group, "authorization.k8s.io") == 0)
                r->kind = &nameless;
        step = api_invalid(r, "", problems);
        r->kind = kind;
        return step;
}

enum api_step api_review(struct api_request *r) {
        struct problems problems;
        void *object = NULL;
        size_t i = 0;
        int error;

        if (r->sub && strcmp(r->sub->name, "token") == 0 && strcmp(r->kind->resource, "serviceaccounts") == 0)
                return api_token_issue(r);
        if (r->resource && !r->sub)
                return API_NEXT;
        while (i < ELEMENTS(reviews) && strcmp(reviews[i].resource, r->kind->resource) != 0)
                i++;
        if (i == ELEMENTS(reviews) || r->sub)
                return api_refuse(r, API_NOT_FOUND, "the server could not find the requested resource");
        if (r->media.shape == API_TABLE)
                return api_refuse(r, API_NO_SHAPE,
                                  "only the following media types are accepted: application/json, application/yaml, "
                                  "application/vnd.kubernetes.protobuf");
        problems_init(&problems, r->arena, NULL, NULL);
        error = api_review_read(r, &problems, &object);
        if (error == 0 && problems.errors == 0)
                error = reviews[i].review(r, object, &problems);
        if (problems.errors > 0)
                return refuse(r, &problems);
        if (error == -ENODATA)
                return api_refuse(r, API_BAD_REQUEST, "no namespace on request");
        if (error == -EINVAL)
                return api_refuse(r, API_BAD_REQUEST, AUTH_REVIEW_NO_TOKEN);
        return error < 0 ? api_fail(r, error, NULL) : api_review_show(r, object);
}
