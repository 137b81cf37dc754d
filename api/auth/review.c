#include "api/auth/review.h"

#include <errno.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/text.h"
#include "kube/problem.h"
#include "kube/selector/label.h"
#include "kube/validate/review.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
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
}

/* --- selectors: what is not understood of them is not asked, which is to ask for more --- */

struct selectors {
        bool fields_wrong, labels_wrong;
};

/* A field has one value, or not that one. */
static bool is_understood(const struct kube_field_selector_requirement *r) {
        return r->values.count == 1 &&
               r->operator&&(strcmp(r->operator, "In") == 0 || strcmp(r->operator, "NotIn") == 0);
}

static int ask_fields(struct arena *arena, const struct kube_authorization_v1_field_selector_attributes *selector,
                      struct auth_attributes *a, struct selectors *how) {
        struct kube_field_selector_requirement *items;
        int r;

        if (text(selector->raw_selector)[0]) {
                r = auth_attributes_select(arena, selector->raw_selector, a);
                how->fields_wrong = r == -EINVAL || r == -E2BIG;
                return r == -ENOMEM ? r : 0;
        }
        items = arena_alloc_array(arena, selector->requirements.count + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        list_for_each (one, &selector->requirements) {
                if (is_understood(one))
                        items[a->fields.count++] = *one;
                else
                        how->fields_wrong = true;
        }
        a->fields.items = items;
        return 0;
}

static int ask_labels(struct arena *arena, const struct kube_authorization_v1_label_selector_attributes *selector,
                      struct auth_attributes *a, struct selectors *how) {
        static const char *const known[] = { "In", "NotIn", "Exists", "DoesNotExist" };
        const char *raw = text(selector->raw_selector);
        struct kube_label_selector_requirement *items;
        struct selector_labels labels;
        _cleanup_err_ struct err *err = NULL;
        int r = raw[0] ? selector_label_parse(arena, raw, strlen(raw), &labels, &err) : 0;

        how->labels_wrong = r == -EINVAL || r == -E2BIG;
        items = arena_alloc_array(arena, selector->requirements.count + 1, sizeof(*items));
        if (r == -ENOMEM || !items)
                return -ENOMEM;
        list_for_each (one, &selector->requirements) {
                bool understood = false;

                for (size_t i = 0; i < ELEMENTS(known); i++)
                        understood |= strcmp(text(one->operator), known[i]) == 0;
                if (understood)
                        items[a->labels.count++] = *one;
                how->labels_wrong |= !understood;
        }
        a->labels.items = items;
        return 0;
}

/* What is asked, with what of it was not understood. -ENOMEM. */
static int question(struct arena *arena, const struct auth_user *user,
                    const struct kube_authorization_v1_resource_attributes *resource,
                    const struct kube_authorization_v1_non_resource_attributes *path, struct auth_attributes *ret_asked,
                    struct selectors *ret_how) {
        struct auth_attributes a = AUTH_ATTRIBUTES(user);
        struct selectors how = { false, false };
        int r = 0;

        if (resource)
                ask_resource(resource, &a);
        else {
                a.verb = text(path->verb);
                a.path = text(path->path);
        }
        if (resource && resource->field_selector)
                r = ask_fields(arena, resource->field_selector, &a, &how);
        if (r == 0 && resource && resource->label_selector)
                r = ask_labels(arena, resource->label_selector, &a, &how);
        *ret_asked = a;
        *ret_how = how;
        return r;
}

/* BuildEvaluationError. */
static const char *complaint(struct arena *arena, const char *error, const struct auth_attributes *a,
                             const struct selectors *how) {
        const char *before = error && *error ? error : NULL;

        if (how->fields_wrong)
                before = arena_printf(arena, "%s%sspec.resourceAttributes.fieldSelector %signored due to parse error",
                                      text(before), before ? "; " : "", a->fields.count > 0 ? "partially " : "");
        if (how->labels_wrong)
                before = arena_printf(arena, "%s%sspec.resourceAttributes.labelSelector %signored due to parse error",
                                      text(before), before ? "; " : "", a->labels.count > 0 ? "partially " : "");
        return before ?: error;
}

static struct kube_authorization_v1_subject_access_review_status answer(const struct auth_authorizer *chain, size_t n,
                                                                        const struct auth_attributes *a,
                                                                        const struct selectors *how,
                                                                        struct arena *arena) {
        struct auth_verdict verdict = auth_authorize(chain, n, a, arena);

        return (struct kube_authorization_v1_subject_access_review_status){
                .allowed = verdict.decision == AUTH_ALLOW,
                .denied = verdict.decision == AUTH_DENY,
                .reason = verdict.reason,
                .evaluation_error = complaint(arena, verdict.error, a, how),
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

        const struct kube_authorization_v1_non_resource_attributes *path = spec->non_resource_attributes;

        if (resource && strcmp(text(resource->namespace), namespace) != 0)
                problem_error(problems, "spec.resourceAttributes.namespace",
                              "Invalid value: %s: must match metadata.namespace",
                              go_text_quote(problems->arena, text(resource->namespace)) ?: "");
        if (path)
                problem_error(problems, "spec.nonResourceAttributes",
                              "Invalid value: {\"Path\":%s,\"Verb\":%s}: disallowed on this kind of request",
                              go_text_quote(problems->arena, text(path->path)) ?: "\"\"",
                              go_text_quote(problems->arena, text(path->verb)) ?: "\"\"");
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
        struct selectors how;
        int r;

        check_question(spec->resource_attributes, spec->non_resource_attributes, problems);
        if (!user.name[0] && user.groups.count == 0)
                problem_error(problems, "spec.user",
                              "Invalid value: \"\": at least one of user or group must be specified");
        r = validate_review_selectors(spec->resource_attributes, problems);
        if (namespace)
                check_local(spec, namespace, problems);
        if (r < 0 || problems->errors > 0)
                return r ?: -EINVAL;
        r = question(problems->arena, &user, spec->resource_attributes, spec->non_resource_attributes, &a, &how);
        if (r < 0)
                return r;
        *ret_status = answer(chain, n, &a, &how, problems->arena);
        return 0;
}

int auth_review_own_access(const struct auth_authorizer *chain, size_t n, const struct auth_user *user,
                           struct kube_authorization_v1_self_subject_access_review *review, struct problems *problems) {
        const struct kube_authorization_v1_self_subject_access_review_spec *spec = &review->spec;
        struct auth_attributes a;
        struct selectors how;
        int r;

        check_question(spec->resource_attributes, spec->non_resource_attributes, problems);
        r = validate_review_selectors(spec->resource_attributes, problems);
        if (r < 0 || problems->errors > 0)
                return r ?: -EINVAL;
        r = question(problems->arena, user, spec->resource_attributes, spec->non_resource_attributes, &a, &how);
        if (r < 0)
                return r;
        review->status = answer(chain, n, &a, &how, problems->arena);
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
