#include "api/tokens.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/access/access.h"
#include "api/admission/admission.h"
#include "api/access/audiences.h"
#include "api/auth/issue.h"
#include "api/auth/jwt.h"
#include "api/cache/collection.h"
#include "api/reviews.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"

typedef struct kube_authentication_v1_token_request token_request;

/* What is about the request is named by its kind, what is about the account by the account's. */
static enum api_step refuse_spec(struct api_request *r, const char *name, const struct problems *problems) {
        const struct kube_kind kind = { .group = r->sub->group, .kind = r->sub->kind }, *own = r->kind;
        enum api_step step;

        r->kind = &kind;
        step = api_invalid(r, name, problems);
        r->kind = own;
        return step;
}

/* What the body says of itself has to be what the path says. */
static int check_meta(struct api_request *r, token_request *request, struct problems *problems) {
        struct kube_object_meta *meta = &request->metadata;
        const char *name = meta->name ?: "", *namespace = meta->namespace ?: "";

        if (*namespace && strcmp(namespace, r->path.namespace) != 0)
                return -ENOTUNIQ;
        if (*name && strcmp(name, r->path.name) != 0)
                problem_error(problems, "metadata.name",
                              "Invalid value: \"%s\": must match the service account name if specified", name);
        meta->name = r->path.name;
        meta->namespace = r->path.namespace;
        meta->creation_timestamp = (struct kube_time){ .seconds = time(NULL), .set = true };
        memset(&request->status, 0, sizeof(request->status));
        return problems->errors > 0 ? -EINVAL : 0;
}

static struct api_resource *bound_resource(struct api_request *r, const token_request *request) {
        const struct kube_authentication_v1_bound_object_reference *ref = request->spec.bound_object_ref;
        const char *kind = ref && ref->kind ? ref->kind : "";
        const char *resource = strcmp(kind, "Pod") == 0 ? "pods" : strcmp(kind, "Secret") == 0 ? "secrets" : "nodes";

        return api_state_find(r->server->config.state, "", resource);
}

static enum api_step check_audience(struct api_request *r, const struct object *pod, const token_request *request) {
        const char *text = "";
        int error = api_audience_check(r, pod, request, &text);

        if (error == -EACCES)
                return api_refuse_object(r, API_FORBIDDEN, r->path.name, "serviceaccounts \"%s\" is forbidden: %s",
                                         r->path.name, text);
        return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
}

/* A node asks for tokens of its own pods alone, for whom these want them. */
static enum api_step restrict_node(struct api_request *r, const token_request *request) {
        const struct kube_authentication_v1_bound_object_reference *ref = request->spec.bound_object_ref;
        struct api_resource *pods = bound_resource(r, request);
        _cleanup_object_ struct object *pod = NULL;
        const struct value *tree = NULL;
        enum api_step step;

        if (!auth_user_node(&r->user))
                return API_NEXT;
        if (ref && ref->kind && strcmp(ref->kind, "Pod") == 0) {
                pod = collection_get(pods->collection, r->path.namespace, ref->name ?: "");
                if (!pod) {
                        r->kind = pods->kind;
                        return api_not_found(r, ref->name ?: "");
                }
                if (api_tree_of(r->arena, pod, &tree) < 0)
                        return api_fail(r, -ENOMEM, NULL);
        }
        step = api_admit_node(r, r->sent, tree);
        return step == API_NEXT && pod ? check_audience(r, pod, request) : step;
}

static enum api_step refuse_as(struct api_request *r, const struct kube_kind *kind, const char *name,
                               const char *text) {
        const struct kube_kind *own = r->kind;
        enum api_step step;

        r->kind = kind;
        step = api_refuse_object(r, API_CONFLICT, name, "%s", text);
        r->kind = own;
        return step;
}

static enum api_step refuse_bound(struct api_request *r, const token_request *request, int error, const char *text) {
        const struct kube_authentication_v1_bound_object_reference *ref = request->spec.bound_object_ref;

        switch (error) {
        case -EINVAL:
                return api_refuse(r, API_BAD_REQUEST, "%s", text);
        case -ENOENT:
                r->kind = bound_resource(r, request)->kind;
                return api_refuse_object(r, API_NOT_FOUND, ref->name ?: "", "%s", text);
        case -EEXIST:
                return refuse_as(r, &(struct kube_kind){ .group = "", .resource = ref->kind }, ref->name, text);
        default:
                return api_fail(r, error, NULL);
        }
}

/* The audit says which token it was. */
static int note_issued(struct api_request *r, const token_request *request) {
        struct auth_jwt jwt;
        const char *id;

        if (!r->server->config.audit)
                return 0;
        if (auth_jwt_read(r->arena, request->status.token ?: "", &jwt, NULL) < 0)
                return -ENOMEM;
        id = arena_printf(r->arena, "JTI=%s", value_string_or(value_get(jwt.claims, "jti"), ""));
        api_annotate(r, "authentication.kubernetes.io/issued-credential-id", id);
        return id ? 0 : -ENOMEM;
}

static enum api_step issue(struct api_request *r, token_request *request, const char *uid) {
        const struct auth_issue *how = api_access_issue(r->server->config.data);
        const struct auth_account account = { r->path.namespace, r->path.name, uid };
        struct problems problems;
        const char *text = "";
        int error;

        problems_init(&problems, r->arena, NULL, NULL);
        error = auth_issue_token(how, &account, time(NULL), request, &problems, &text);
        if (problems.errors > 0)
                return refuse_spec(r, "", &problems);
        if (error < 0)
                return refuse_bound(r, request, error, text);
        error = note_issued(r, request);
        return error < 0 ? api_fail(r, error, NULL) : api_review_show(r, request);
}

/* Of an account that was made anew. */
static enum api_step refuse_other(struct api_request *r, const char *wanted, const char *uid) {
        const struct kube_kind as = { .group = r->sub->group, .resource = r->sub->kind };
        const char *text =
                arena_printf(r->arena,
                             "Operation cannot be fulfilled on %s.%s \"%s\": the UID in the token request (%s) "
                             "does not match the UID of the service account (%s)",
                             as.resource, as.group, r->path.name, wanted, uid);

        return text ? refuse_as(r, &as, r->path.name, text) : api_fail(r, -ENOMEM, NULL);
}

enum api_step api_token_issue(struct api_request *r) {
        _cleanup_object_ struct object *account = NULL;
        const char *uid, *wanted;
        const struct value *tree;
        struct problems problems;
        void *request = NULL;
        enum api_step step;
        int error;

        if (!api_access_issue(r->server->config.data)->keys)
                return api_refuse(r, API_NOT_FOUND, "the server could not find the requested resource");
        problems_init(&problems, r->arena, NULL, NULL);
        error = api_review_read(r, &problems, &request);
        if (error < 0)
                return api_fail(r, error, NULL);
        if (problems.errors > 0)
                return refuse_spec(r, "", &problems);
        step = restrict_node(r, request);
        if (step != API_NEXT)
                return step;
        error = check_meta(r, request, &problems);
        if (error == -ENOTUNIQ)
                return api_refuse(
                        r, API_BAD_REQUEST,
                        "the namespace of the provided object does not match the namespace sent on the request");
        if (error < 0)
                return refuse_spec(r, r->path.name, &problems);
        account = collection_get(r->resource->collection, r->path.namespace, r->path.name);
        if (!account)
                return api_not_found(r, r->path.name);
        if (api_tree_of(r->arena, account, &tree) < 0)
                return api_fail(r, -ENOMEM, NULL);
        uid = value_string_or(value_find(tree, "metadata.uid"), "");
        wanted = ((token_request *)request)->metadata.uid ?: "";
        return *wanted && strcmp(wanted, uid) != 0 ? refuse_other(r, wanted, uid) : issue(r, request, uid);
}
