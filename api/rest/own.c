#include "api/rest/own.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "api/rest/annotated.h"
#include "api/rest/scale.h"
#include "api/rest/strict.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/apply/apply.h"
#include "kube/apply/scale.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_text.h"
#include "lib/http/exchange.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define OWN_MANAGER "kube-apiserver" /* which tools know */

/* The kind of the object itself, which a conversion may have made before. */
static const struct kube_kind *kind_of(const struct api_request *r, const struct value *object) {
        const char *api_version = value_string_or(value_get(object, "apiVersion"), ""), *version;
        char group[KUBE_NAME_BYTES_MAX];
        const struct kube_kind *kind = NULL;

        if (kube_split_api_version(api_version, group, sizeof(group), &version) == 0)
                kind = kube_registry_kind(r->server->config.registry, group, version, r->kind->kind);
        return kind ?: r->kind;
}

static int convert(void *data, struct arena *arena, const struct value *object, const char *api_version,
                   struct apply_object *ret_object, struct err **err) {
        const struct api_request *r = data;
        const struct kube_kind *kind;
        char group[KUBE_NAME_BYTES_MAX];
        const char *version;

        if (kube_split_api_version(api_version, group, sizeof(group), &version) < 0)
                return err_set(err, ENOENT, "%s is no version", api_version);
        /* As there: what owners have in another group's words is theirs no more. */
        kind = kube_registry_kind(r->server->config.registry, group, version, r->kind->kind);
        if (!kind || strcmp(group, r->kind->group) != 0)
                return err_set(err, ENOENT, "%s has no %s", api_version, r->kind->kind);
        ret_object->type = kind->type;
        return api_convert(arena, kind_of(r, object), kind, object, &ret_object->value);
}

static struct apply_target target_of(struct api_request *r) {
        const struct kube_kind *kind = r->kind;
        const char *sub = r->sub ? r->sub->name : NULL;

        return (struct apply_target){
                .type = kind->type,
                .group = kind->group,
                .version = kind->version,
                .kind = kind->kind,
                .subresource = sub,
                .filter = apply_filter_of(kind->group, kind->kind, sub),
                .convert = convert,
                .convert_data = r,
        };
}

/* The name lives as long as what it is written into. */
static struct apply_writer writer_of(struct api_request *r) {
        const char *manager = r->options.field_manager;
        char name[APPLY_MANAGER_BYTES_MAX + 1];

        if (!manager || !*manager) {
                apply_manager_of(r->agent ?: "", name);
                manager = arena_strdup(r->arena, name) ?: "";
        }
        return (struct apply_writer){
                .manager = manager, .now = time(NULL), .force = r->options.force, .forget = r->forgets
        };
}

/* --- through the scale: who owns a Scale's replicas owns the object's --- */

static bool is_scale(const struct api_request *r) {
        return r->sub && strcmp(r->sub->kind, "Scale") == 0;
}

static const struct value *entries_of(const struct value *object) {
        return value_get(value_get(object, "metadata"), "managedFields");
}

static int put_entries(struct arena *arena, const struct value *object, const struct value *entries,
                       const struct value **ret_object) {
        struct value_edit edit;
        int r;

        value_edit_begin(&edit, arena, object);
        r = value_is_null(entries) ? value_edit_remove(&edit, "/metadata/managedFields", NULL) :
                                     value_edit_set(&edit, "/metadata/managedFields", entries, NULL);
        *ret_object = value_edit_end(&edit);
        return r == -ENOENT ? 0 : r ?: *ret_object ? 0 : -ENOMEM;
}

/* Where the replicas are, in every version that has ever been served. */
static const struct apply_replicas *replicas_of(const struct api_request *r) {
        static const struct apply_replicas apps[] = { { "apps/v1", "spec.replicas" },
                                                      { "apps/v1beta1", "spec.replicas" },
                                                      { "apps/v1beta2", "spec.replicas" },
                                                      { 0 } };
        static const struct apply_replicas core[] = { { "v1", "spec.replicas" }, { 0 } };

        return *r->kind->group ? apps : core;
}

static struct apply_scaled scaled_of(struct api_request *r) {
        const struct apply_replicas *replicas = replicas_of(r);

        return (struct apply_scaled){ replicas, replicas->version, entries_of(r->current_tree) };
}

static struct apply_target scale_target(struct api_request *r) {
        return (struct apply_target){ .type = r->sub->type,
                                      .group = r->sub->group,
                                      .version = r->sub->version,
                                      .kind = r->sub->kind,
                                      .subresource = r->sub->name };
}

/* The Scale that is there, with its owners. */
static int live_scale(struct api_request *r, const struct value **ret_scale) {
        const struct apply_scaled scaled = scaled_of(r);
        struct value *entries = arena_new_of(r->arena, struct value);
        const struct value *scale;
        int error = entries ? api_scale_show(r, r->current_tree, &scale) : -ENOMEM;

        error = error ?: apply_scale_entries(r->arena, &scaled, entries, NULL);
        return error ?: put_entries(r->arena, scale, entries, ret_scale);
}

/* @object with the owners that follow from @scale's. */
static int merge_scale(struct api_request *r, const struct value *object, const struct value *scale,
                       const struct value **ret_object) {
        const struct apply_scaled scaled = scaled_of(r);
        struct value *entries = arena_new_of(r->arena, struct value);
        int error = entries ? apply_scale_merge(r->arena, &scaled, entries_of(scale), entries, NULL) : -ENOMEM;

        return error ?: put_entries(r->arena, object, entries, ret_object);
}

static int own_scale(struct api_request *r) {
        const struct apply_target target = scale_target(r);
        const struct apply_writer writer = writer_of(r);
        const struct value *live, *sent, *scale;
        int error = live_scale(r, &live) ?: api_scale_show(r, r->next, &sent);

        error = error ?: apply_update(r->arena, &(struct apply_write){ &target, &writer, live, sent }, &scale);
        return error ?: merge_scale(r, r->next, scale, &r->next);
}

int api_own(struct api_request *r) {
        struct apply_target target = target_of(r);
        struct apply_writer writer = writer_of(r);

        if (r->body_form == API_PATCH_APPLY)
                return 0;
        if (is_scale(r))
                return own_scale(r);
        return apply_update(r->arena, &(struct apply_write){ &target, &writer, r->current_tree, r->next }, &r->next);
}

int api_own_server(struct arena *arena, const struct kube_kind *kind, const char *sub, const struct value *live,
                   const struct value **object) {
        const struct apply_target target = { .type = kind->type,
                                             .group = kind->group,
                                             .version = kind->version,
                                             .kind = kind->kind,
                                             .subresource = sub,
                                             .filter = apply_filter_of(kind->group, kind->kind, sub) };
        const struct apply_writer writer = { .manager = OWN_MANAGER, .now = time(NULL) };

        return apply_update(arena, &(struct apply_write){ &target, &writer, live, *object }, object);
}

int api_own_settle(struct api_request *r) {
        return r->current_tree && !r->creates ? apply_settle(r->arena, r->current_tree, r->next, &r->next) : 0;
}

/* --- apply --- */

static enum api_step check_options(struct api_request *r) {
        const char *manager = r->options.field_manager;
        struct problems problems;

        if (manager && *manager)
                return API_NEXT;
        problems_init(&problems, r->arena, NULL, NULL);
        problem_error(&problems, "fieldManager", "Required value: is required for apply patch");
        return api_invalid_options(r, "PatchOptions", &problems);
}

static enum api_step refuse(struct api_request *r, int error, const struct apply_result *result,
                            const struct err *err) {
        switch (apply_status(error)) {
        case 400:
                return api_refuse(r, API_BAD_REQUEST, "%s", err_text(err));
        case 409:
                return api_refuse_owned(r, err_text(err), result->causes, result->n_causes);
        default:
                return api_refuse_change(r, error, err);
        }
}

static enum api_step refuse_annotated(struct api_request *r, const struct value *object) {
        const char *problem = api_annotated_problem(r, object),
                   *namespace = value_string_or(value_find(r->sent, "metadata.namespace"), "");

        if (!problem)
                return API_NEXT;
        return api_refuse(r, API_BROKEN, "failed to convert to unversioned (%s/%s; %s/%s, Kind=%s): %s", namespace,
                          r->name, r->kind->group, r->kind->version, r->kind->kind, problem);
}

enum api_step api_apply(struct api_request *r, const struct value **ret_next) {
        _cleanup_err_ struct err *err = NULL;
        struct apply_target target = is_scale(r) ? scale_target(r) : target_of(r);
        struct apply_writer writer = writer_of(r);
        struct apply_result result = { 0 };
        const struct value *live = r->current_tree;
        enum api_step step = check_options(r);
        int error;

        if (step != API_NEXT)
                return step;
        if (!r->sent) {
                error = api_decode(r->arena,
                                   &(struct api_body){ API_YAML, r->type, r->body, r->body_size, &r->sent_twice },
                                   &r->sent, &err);
                if (error < 0 && error != -ENODATA)
                        return api_refuse(r, API_BAD_REQUEST, "error decoding YAML: %s", err_text(err));
                if (error == -ENODATA || value_is_null(r->sent))
                        r->sent = &api_no_members;
                err = err_free(err);
                if (!value_is(r->sent, VALUE_MAP))
                        return api_refuse(r, API_BAD_REQUEST,
                                          "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: "
                                          "cannot unmarshal %s into Go value of type map[string]interface {}",
                                          go_text_kind(r->sent));
        }
        error = is_scale(r) ? live_scale(r, &live) : 0;
        if (error < 0)
                return api_fail(r, error, NULL);
        error = apply_configuration(r->arena, &(struct apply_write){ &target, &writer, live, r->sent }, &result, &err);
        if (error < 0)
                return refuse(r, error, &result, err);
        *ret_next = result.object;
        error = is_scale(r) ? api_scale_open(r, result.object, ret_next) ?:
                              merge_scale(r, *ret_next, result.object, ret_next) :
                              0;
        if (error < 0)
                return api_fail(r, error, NULL);
        return refuse_annotated(r, result.object) ?: api_look_at_applied(r);
}
