#include "api/auth/review.h"

#include <errno.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/text.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/go_text.h"

static const char *text(const char *given) {
        return given ?: "";
}

static void ask_resource(const struct kube_authorization_v1_resource_attributes *spec, struct auth_attributes *a) {
        a->is_resource = true;
        a->verb = text(spec->verb);
        a->namespace = text(spec->namespace);
        a->group = text(spec->group);
        a->version = text(spec->version);
        a->resource = text(spec->resource);
        a->subresource = text(spec->subresource);
        a->name = text(spec->name);
        if (spec->field_selector) {
                a->fields.items = spec->field_selector->requirements.items;
                a->fields.count = spec->field_selector->requirements.count;
        }
        if (spec->label_selector) {
                a->labels.items = spec->label_selector->requirements.items;
                a->labels.count = spec->label_selector->requirements.count;
        }
}

static struct auth_attributes question(const struct auth_user *user,
                                       const struct kube_authorization_v1_resource_attributes *resource,
                                       const struct kube_authorization_v1_non_resource_attributes *path) {
        struct auth_attributes a = AUTH_ATTRIBUTES(user);

        if (resource)
                ask_resource(resource, &a);
        else {
                a.verb = text(path->verb);
                a.path = text(path->path);
        }
        return a;
}

static struct kube_authorization_v1_subject_access_review_status status_of(struct auth_verdict verdict) {
        return (struct kube_authorization_v1_subject_access_review_status){
                .allowed = verdict.decision == AUTH_ALLOW,
                .denied = verdict.decision == AUTH_DENY,
                .reason = verdict.reason,
                .evaluation_error = verdict.error,
        };
}

/* One of the two, as the review's specs have it. */
static void check_question(const struct kube_authorization_v1_resource_attributes *resource,
                           const struct kube_authorization_v1_non_resource_attributes *path,
                           struct problems *problems) {
        const char *v = path ? go_text_quote(problems->arena, text(path->path)) : NULL,
                   *w = path ? go_text_quote(problems->arena, text(path->verb)) : NULL;

        if (resource && path)
                problem_error(problems, "spec.nonResourceAttributes",
                              "Invalid value: {\"Path\":%s,\"Verb\":%s}: cannot be specified in combination with "
                              "resourceAttributes",
                              v ?: "\"\"", w ?: "\"\"");
        if (!resource && !path)
                problem_error(problems, "spec.resourceAttributes",
                              "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be "
                              "specified");
}

static void check_local(const struct kube_authorization_v1_subject_access_review_spec *spec, const char *namespace,
                        struct problems *problems) {
        const struct kube_authorization_v1_resource_attributes *resource = spec->resource_attributes;

        if (spec->non_resource_attributes)
                problem_error(problems, "spec.nonResourceAttributes",
                              "Invalid value: %s: disallowed on this kind of request", "null");
        if (resource && strcmp(text(resource->namespace), namespace) != 0)
                problem_error(problems, "spec.resourceAttributes.namespace",
                              "Invalid value: %s: must match metadata.namespace",
                              go_text_quote(problems->arena, text(resource->namespace)) ?: "");
}

int auth_review_access(const struct auth_authorizer *chain, size_t n, const char *namespace,
                       const struct kube_authorization_v1_subject_access_review_spec *spec,
                       struct kube_authorization_v1_subject_access_review_status *ret_status,
                       struct problems *problems) {
        const struct auth_user user = {
                .name = text(spec->user),
                .uid = spec->uid,
                .groups = spec->groups,
                .extra = { spec->extra.items, spec->extra.count },
        };
        struct auth_attributes a;

        check_question(spec->resource_attributes, spec->non_resource_attributes, problems);
        if (!user.name[0] && user.groups.count == 0)
                problem_error(problems, "spec.user",
                              "Invalid value: \"\": at least one of user or group must be specified");
        if (namespace)
                check_local(spec, namespace, problems);
        if (problems->errors > 0)
                return -EINVAL;
        a = question(&user, spec->resource_attributes, spec->non_resource_attributes);
        *ret_status = status_of(auth_authorize(chain, n, &a, problems->arena));
        return 0;
}

int auth_review_own_access(const struct auth_authorizer *chain, size_t n, const struct auth_user *user,
                           struct kube_authorization_v1_self_subject_access_review *review, struct problems *problems) {
        struct auth_attributes a;

        check_question(review->spec.resource_attributes, review->spec.non_resource_attributes, problems);
        if (problems->errors > 0)
                return -EINVAL;
        a = question(user, review->spec.resource_attributes, review->spec.non_resource_attributes);
        review->status = status_of(auth_authorize(chain, n, &a, problems->arena));
        return 0;
}

void auth_review_self(const struct auth_user *user, struct kube_authentication_v1_self_subject_review *review) {
        review->status.user_info = auth_user_info(user);
}

int auth_review_token(struct auth_authenticator *authenticator, int64_t now, struct arena *arena,
                      struct kube_authentication_v1_token_review *review) {
        struct kube_authentication_v1_token_review_status *status = &review->status;
        _cleanup_err_ struct err *err = NULL;
        struct auth_identity identity;
        int r;

        *status = (struct kube_authentication_v1_token_review_status){ 0 };
        if (!text(review->spec.token)[0])
                return -EINVAL;
        r = auth_token(authenticator, &(struct auth_bearer){ review->spec.token, review->spec.audiences }, now, arena,
                       &identity, &err);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                status->error = arena_strdup(arena, err_text(err));
                return 0;
        }
        status->authenticated = true;
        status->user = auth_user_info(&identity.user);
        status->audiences = identity.audiences;
        return 0;
}
