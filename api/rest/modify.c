/* What an object is to be: of a body, of what is there and a body, of what is there and a patch. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/rest/door.h"
#include "api/rest/meta.h"
#include "api/rest/own.h"
#include "api/rest/patch_form.h"
#include "api/rest/rest.h"
#include "api/rest/show.h"
#include "api/rest/strategy.h"
#include "api/rest/strict.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/apply/apply.h"
#include "kube/kinds.h"
#include "kube/patch/go_text.h"
#include "kube/patch/patch.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_number.h"
#include "lib/go_text.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static int set_kind(struct api_request *r, struct value_edit *edit) {
        const char *version = kube_api_version(r->arena, r->kind);

        if (!version)
                return -ENOMEM;
        return value_edit_set(edit, "/kind", &(struct value)VALUE_TEXT(r->kind->kind), NULL) ?:
                       value_edit_set(edit, "/apiVersion", &(struct value)VALUE_TEXT(version), NULL);
}

static enum api_step finish(struct api_request *r, struct value_edit *edit, int error) {
        r->next = value_edit_end(edit);
        if (error == -ENOENT || error == -EINVAL)
                return api_refuse(r, API_BAD_REQUEST,
                                  "%s in version \"%s\" cannot be handled as a %s: metadata is no map", r->kind->kind,
                                  r->kind->version, r->kind->kind);
        if (error == 0 && r->next)
                error = api_merge_owners(r);
        if (error < 0 || !r->next)
                return api_fail(r, error ?: -ENOMEM, NULL);
        return API_NEXT;
}

static enum api_step refuse_nameless(struct api_request *r) {
        struct problems problems;

        problems_init(&problems, r->arena, NULL, NULL);
        problem_error(&problems, "metadata.name", "Required value: name or generateName is required");
        return api_invalid(r, "", &problems);
}

/* --- create --- */

static enum api_step name_new(struct api_request *r, const struct value *sent) {
        const char *name = api_meta_text(sent, "name"), *prefix = api_meta_text(sent, "generateName"),
                   *namespace = api_meta_text(sent, "namespace");
        uint64_t revision;

        if (r->path.namespace && r->kind->namespaced && *namespace && strcmp(namespace, r->path.namespace) != 0)
                return api_refuse(
                        r, API_BAD_REQUEST,
                        "the namespace of the provided object does not match the namespace sent on the request");
        if (r->path.name && *name && strcmp(name, r->path.name) != 0)
                return api_refuse(r, API_BAD_REQUEST,
                                  "the name of the object (%s) does not match the name on the URL (%s)", name,
                                  r->path.name);
        if (r->verb == KUBE_VERB_CREATE && !r->options.dry &&
            go_number_uint(api_meta_text(sent, "resourceVersion"), &revision) == 0 &&
            revision != 0) /* what is no number is none */
                return api_refuse(r, API_BROKEN, "resourceVersion should not be set on objects to be created");
        if (!*name && !*prefix && !r->path.name && api_strategy_of(r->kind)->flags & API_NAMED_BY_UID)
                name = api_meta_uid(r->arena) ?: "";
        if (!*name && !*prefix && !r->path.name)
                return refuse_nameless(r);
        r->name = *name ? name : r->path.name ?: api_meta_generate(r, prefix);
        return r->name ? API_NEXT : api_fail(r, -ENOMEM, NULL);
}

static enum api_step create(struct api_request *r, const struct value *sent) {
        enum api_step step = name_new(r, sent);
        struct value_edit edit;
        int error;

        if (step != API_NEXT)
                return step;
        r->creates = true;
        r->change.expected = STORE_ABSENT;
        value_edit_begin(&edit, r->arena, sent);
        error = set_kind(r, &edit) ?: api_meta_create(r, &edit);
        if (error == 0 && api_has_status(r->kind) && !(api_strategy_of(r->kind)->flags & API_KEEPS_STATUS))
                error = value_edit_remove(&edit, "/status", NULL);
        if (error == -ENOENT)
                error = 0;
        return finish(r, &edit, error);
}

/* --- what is there --- */

static enum api_step refuse_unconditional(struct api_request *r) {
        struct problems problems;

        problems_init(&problems, r->arena, NULL, NULL);
        problem_error(&problems, "metadata.resourceVersion", "Invalid value: 0: must be specified for an update");
        return api_invalid_resource(r, r->name, &problems);
}

/* What kube-apiserver's store calls a resource, where that is not its name. */
static const char *registry_name(const struct kube_kind *kind) {
        static const char *const names[][2] = { { "services", "services/specs" },
                                                { "endpoints", "services/endpoints" },
                                                { "nodes", "minions" },
                                                { "replicationcontrollers", "controllers" },
                                                { "ingresses", "ingress" } };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcmp(names[i][0], kind->resource) == 0)
                        return names[i][1];
        return kind->resource;
}

static enum api_step refuse_uid(struct api_request *r, const char *uid, const char *own) {
        return api_refuse_object(r, API_CONFLICT, r->name,
                                 "Operation cannot be fulfilled on %s%s%s \"%s\": StorageError: invalid object, "
                                 "Code: 4, Key: %s/%s/%s%s%s, ResourceVersion: 0, AdditionalErrorMsg: "
                                 "Precondition failed: UID in precondition: %s, UID in object meta: %s",
                                 r->kind->resource, *r->kind->group ? "." : "", r->kind->group, r->name,
                                 r->options.dry ? "" : "/registry", registry_name(r->kind),
                                 r->kind->namespaced ? r->path.namespace : "", r->kind->namespaced ? "/" : "", r->name,
                                 uid, own);
}

/* What of the metadata is the server's alone: it is said here, since an object that is about to be changed never has
 * other than its own (api_meta_update()). Twice, as kube-apiserver says it. A deletion's time is its own once it has
 * begun. */
static void add_frozen(struct api_request *r, const struct value *next, const char *key, struct problems *problems) {
        const struct value *is = value_get(value_get(next, "metadata"), key),
                           *was = value_get(value_get(r->current_tree, "metadata"), key);
        _cleanup_free_ char *json = NULL;
        char path[64];

        if (value_is_null(is) || (value_is(is, VALUE_STRING) && !*is->text) || value_equal(is, was) ||
            (was && strcmp(key, "deletionTimestamp") == 0) || json_format(is, false, &json, NULL) < 0)
                return;
        snprintf(path, sizeof(path), "metadata.%s", key);
        for (unsigned i = 0; i < 2; i++)
                problem_error(problems, path, "Invalid value: %s: field is immutable", json);
}

static enum api_step check_frozen(struct api_request *r, const struct value *next) {
        static const char *const frozen[] = { "uid", "deletionTimestamp", "deletionGracePeriodSeconds" };
        struct problems problems;

        if (r->sub && strcmp(r->sub->kind, r->kind->kind) != 0) /* a Scale's metadata is looked at by nobody */
                return API_NEXT;
        problems_init(&problems, r->arena, NULL, NULL);
        for (size_t i = 0; i < ELEMENTS(frozen); i++)
                add_frozen(r, next, frozen[i], &problems);
        return problems.errors > 0 ? api_invalid(r, r->name, &problems) : API_NEXT;
}

/* Go's strconv.ParseUint() of 64 bits, as the store's versioner reads them there. */
static enum api_step check_revision(struct api_request *r, const char *version) {
        char *end;

        errno = 0;
        strtoull(version, &end, 10);
        if (*version >= '0' && *version <= '9' && !*end && errno == 0)
                return API_NEXT;
        return api_refuse(r, API_BROKEN, "strconv.ParseUint: parsing \"%s\": %s", version,
                          errno == ERANGE && !*end ? "value out of range" : "invalid syntax");
}

static enum api_step check_versions(struct api_request *r, const struct value *next) {
        const char *version = api_meta_text(next, "resourceVersion"), *uid = api_meta_text(next, "uid"),
                   *current = api_meta_text(r->current_tree, "resourceVersion"),
                   *own = api_meta_text(r->current_tree, "uid");
        bool says_none = !*version || strcmp(version, "0") == 0;

        r->unconditional = says_none || (r->verb == KUBE_VERB_PATCH && strcmp(version, current) == 0);
        if (*uid && strcmp(uid, own) != 0 && r->verb == KUBE_VERB_UPDATE) /* of a patch validation says so */
                return refuse_uid(r, uid, own);
        if (*version && check_revision(r, version) != API_NEXT)
                return API_END;
        /* What is applied is made of what is there, unless it says otherwise. */
        if (says_none && (r->body_form != API_PATCH_APPLY || value_find(r->sent, "metadata.resourceVersion")) &&
            api_strategy_of(r->kind)->flags & API_CONDITIONAL)
                return refuse_unconditional(r);
        if (*version && strcmp(version, "0") != 0 && strcmp(version, current) != 0)
                return api_conflict(r, r->name);
        return check_frozen(r, next);
}

/* --- update --- */

static enum api_step replace(struct api_request *r, const struct value *next) {
        enum api_step step = check_versions(r, next);
        struct value_edit edit;
        int error;

        if (step != API_NEXT)
                return step;
        /* What is not in the store yet gets its revision meanwhile, which the change learns there. */
        r->change.expected = r->pending ? STORE_ABSENT : r->current->revision;
        r->forgets = !r->sub && apply_forgets(next);
        error = api_door_begin(r, &edit, r->current_tree, next);
        error = error ?: set_kind(r, &edit) ?: api_meta_update(r, &edit, r->current_tree);
        return finish(r, &edit, error);
}

static enum api_step refuse_unnamed(struct api_request *r) {
        return api_refuse(r, API_BAD_REQUEST,
                          "the name of the object (%s based on URL) was undeterminable: name must be provided",
                          r->path.name);
}

/* Of what a patch leaves without a version kube-apiserver reads nothing, and so no name. */
static bool is_unread(const struct api_request *r, const struct value *next) {
        return r->body_form != API_PATCH_STRATEGIC && !*value_string_or(value_get(next, "apiVersion"), "");
}

static enum api_step check_update_name(struct api_request *r, const struct value *sent) {
        const char *name = api_meta_text(sent, "name"), *namespace = api_meta_text(sent, "namespace");

        if (r->kind->namespaced && *namespace && strcmp(namespace, r->path.namespace) != 0)
                return api_refuse(
                        r, API_BAD_REQUEST,
                        "the namespace of the provided object does not match the namespace sent on the request");
        if (!*name)
                return refuse_unnamed(r);
        if (strcmp(name, r->path.name) != 0)
                return api_refuse(r, API_BAD_REQUEST,
                                  "the name of the object (%s) does not match the name on the URL (%s)", name,
                                  r->path.name);
        return API_NEXT;
}

static enum api_step update(struct api_request *r) {
        const struct value *sent = r->sent;
        enum api_step step = check_update_name(r, sent);
        int error;

        if (step != API_NEXT)
                return step;
        error = api_take_current(r);
        if (error == -ENOENT && (r->sub || !(api_strategy_of(r->kind)->flags & API_CREATES_ON_UPDATE)))
                return api_not_found(r, r->name);
        if (error < 0 && error != -ENOENT)
                return api_fail(r, error, NULL);
        step = api_door_check(r, sent);
        if (step != API_NEXT)
                return step;
        if (r->sub && (error = api_door_open(r, sent, &sent)) < 0)
                return api_fail(r, error, NULL);
        if (!r->current && *api_meta_text(sent, "uid"))
                return refuse_uid(r, api_meta_text(sent, "uid"), "");
        return r->current ? replace(r, sent) : create(r, sent);
}

/* --- patch --- */

static enum api_step refuse_patch(struct api_request *r, int error, const struct err *err) {
        switch (patch_status(error)) {
        case 400:
                return api_refuse(r, API_BAD_REQUEST, "%s", err_text(err));
        case 413:
                return api_refuse(r, API_TOO_LARGE, "%s", err_text(err));
        case 422:
                return api_refuse(r, API_INVALID, "the server rejected our request due to an error in our request");
        default:
                return api_refuse_change(r, error, err);
        }
}

static int apply_patch(struct api_request *r, const struct value *current, const struct value *patch,
                       const struct value **ret_next, struct err **err) {
        switch (r->body_form) {
        case API_PATCH_JSON:
                return patch_json(r->arena, current, patch, ret_next, err);
        case API_PATCH_STRATEGIC:
                return patch_strategic(r->arena, r->type, current, patch, ret_next, err);
        default:
                return patch_merge(r->arena, current, patch, ret_next, err);
        }
}

/* Server-side apply makes what is not there. */
static enum api_step apply(struct api_request *r) {
        const struct value *next;
        int error = api_take_current(r);
        enum api_step step;

        if (error < 0 && error != -ENOENT)
                return api_fail(r, error, NULL);
        if (!r->current && r->sub)
                return api_not_found(r, r->name);
        step = api_apply(r, &next);
        if (step != API_NEXT)
                return step;
        if (!r->current && *api_meta_text(next, "uid"))
                return api_refuse_object(r, API_CONFLICT, r->name,
                                         "Operation cannot be fulfilled on %s%s%s \"%s\": uid mismatch: the provided "
                                         "object specified uid %s, and no existing object was found",
                                         r->kind->resource, *r->kind->group ? "." : "", r->kind->group, r->name,
                                         api_meta_text(next, "uid"));
        if (!r->current)
                return create(r, next);
        step = check_update_name(r, next);
        return step == API_NEXT ? replace(r, next) : step;
}

/* What an error shows: the document that was made, or, of a strategic patch, the patch. In quotes; NULL without
 * memory. */
static const char *shown_of(struct api_request *r, const struct value *next) {
        _cleanup_free_ char *json = NULL;
        const char *text;

        if (r->body_form == API_PATCH_STRATEGIC) {
                text = patch_text(r->arena, r->sent);
                return text ? go_text_quote(r->arena, text) : NULL;
        }
        return json_format(next, false, &json, NULL) < 0 ? NULL : go_text_quote(r->arena, json);
}

/* What the patch has made has to be of its type. */
static enum api_step check_patched(struct api_request *r, const struct value *current, const struct value *next) {
        const char *problem, *quoted, *text;
        struct problems problems;
        int error = api_look(r, NULL, 0, next, &problem);

        if (error == 0 && !problem)
                problem = api_patch_kind_problem(r, current, next);
        if (error == 0 && !problem)
                return API_NEXT;
        if (error < 0 || !(quoted = shown_of(r, next)))
                return api_fail(r, -ENOMEM, NULL);
        problems_init(&problems, r->arena, NULL, NULL);
        /* All of it: what is wrong stands at the end. */
        text = arena_printf(r->arena, "patch: Invalid value: %s: %s%s", quoted,
                            r->body_form == API_PATCH_STRATEGIC ? api_from_json(problem) : "", problem);
        if (!text)
                return api_fail(r, -ENOMEM, NULL);
        problems.items[problems.count++] = (struct problem){ .text = text };
        problems.errors++;
        return api_invalid_patch(r, &problems);
}

/* The patch as a tree, of which the client is to be told what is wrong. */
static enum api_step read_patch(struct api_request *r) {
        const struct api_body body = { API_JSON, r->type, r->body, r->body_size, &r->sent_twice };
        _cleanup_err_ struct err *err = NULL;
        int error = r->sent ? 0 : api_decode(r->arena, &body, &r->sent, &err);

        if (error == -EINVAL || error == -E2BIG)
                return api_refuse(r, API_BAD_REQUEST, "error decoding patch: %s", err_text(err));
        if (error == 0 && r->body_form == API_PATCH_STRATEGIC && value_is_null(r->sent))
                r->sent = &api_no_members;
        return error < 0 ? api_fail(r, error, NULL) : api_patch_check(r, r->sent);
}

static enum api_step patch(struct api_request *r) {
        _cleanup_err_ struct err *err = NULL;
        const struct value *shown, *next;
        int error = api_take_current(r);
        enum api_step step;

        if (error < 0)
                return error == -ENOENT ? api_not_found(r, r->name) : api_fail(r, error, NULL);
        step = read_patch(r);
        if (step != API_NEXT)
                return step;
        error = api_door_show(r, r->current_tree, &shown);
        if (error < 0)
                return api_fail(r, error, NULL);
        error = apply_patch(r, shown, r->sent, &next, &err);
        if (error < 0)
                return refuse_patch(r, error, err);
        step = check_patched(r, shown, next);
        if (step == API_NEXT && is_unread(r, next))
                return refuse_unnamed(r);
        step = step ?: api_door_check(r, next);
        if (step != API_NEXT)
                return step;
        if (r->sub && (error = api_door_open(r, next, &next)) < 0)
                return api_fail(r, error, NULL);
        step = check_update_name(r, next);
        return step == API_NEXT ? replace(r, next) : step;
}

enum api_step api_modify(struct api_request *r) {
        api_forget_current(r);
        r->creates = r->removes = r->unchanged = r->forgets = false; /* what was to be made may be there by now */
        api_change_deinit(&r->change);
        r->change = (struct api_change){ 0 };
        switch (r->verb) {
        case KUBE_VERB_UPDATE:
                return update(r);
        case KUBE_VERB_PATCH:
                return r->body_form == API_PATCH_APPLY ? apply(r) : patch(r);
        default:
                return create(r, r->sent);
        }
}
