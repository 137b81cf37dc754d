/* Bindings: a scheduler's word that a pod is for a node. */
#include <errno.h>
#include <string.h>

#include "api/pods/act.h"
#include "api/rest/meta.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static enum api_step check_target(struct api_request *r) {
        const char *kind = value_string_or(value_find(r->sent, "target.kind"), ""),
                   *name = value_string_or(value_find(r->sent, "target.name"), "");
        const char *odd = NULL, *missing = *name ? NULL : "target.name: Required value";

        if (*kind && strcmp(kind, "Node") != 0)
                odd = arena_printf(r->arena,
                                   "target.kind: Unsupported value: \"%s\": supported values: \"Node\", \"<empty>\"",
                                   kind);
        if (!odd && !missing)
                return API_NEXT;
        return api_refuse(r, API_BROKEN, odd && missing ? "[%s, %s]" : "%s%s", odd ?: "", missing ?: "");
}

static enum api_step check(struct api_request *r) {
        const char *namespace = api_meta_text(r->sent, "namespace");

        if (*namespace && strcmp(namespace, r->path.namespace) != 0)
                return api_refuse(
                        r, API_BAD_REQUEST,
                        "the namespace of the provided object does not match the namespace sent on the request");
        if (r->path.name && strcmp(r->path.name, api_meta_text(r->sent, "name")) != 0)
                return api_refuse(r, API_BAD_REQUEST, "name in URL does not match name in Binding object");
        return check_target(r);
}

/* Why it cannot be; NULL: it can. */
static const char *obstacle(struct api_request *r) {
        const struct value *pod = r->current_tree;
        const char *node = value_string_or(value_find(pod, "spec.nodeName"), "");

        if (value_find(pod, "metadata.deletionTimestamp"))
                return arena_printf(r->arena, "pod %s is being deleted, cannot be assigned to a host", r->name) ?: "";
        if (*node)
                return arena_printf(r->arena, "pod %s is already assigned to node \"%s\"", r->name, node) ?: "";
        if (value_count(value_find(pod, "spec.schedulingGates")) > 0)
                return arena_printf(r->arena, "pod %s has non-empty .spec.schedulingGates", r->name) ?: "";
        return NULL;
}

static enum api_step refuse_conflict(struct api_request *r, const char *why) {
        const struct kube_kind as = { .group = "", .resource = "pods/binding" };

        r->kind = &as;
        api_refuse_object(r, API_CONFLICT, r->name, "Operation cannot be fulfilled on pods/binding \"%s\": %s", r->name,
                          why);
        r->kind = NULL;
        return API_END;
}

static enum api_step check_precondition(struct api_request *r, const char *what, const char *wanted, const char *is) {
        if (!*wanted || strcmp(wanted, is) == 0)
                return API_NEXT;
        return api_refuse_object(r, API_CONFLICT, r->name,
                                 "Operation cannot be fulfilled on pods \"%s\": StorageError: invalid object, Code: 4, "
                                 "Key: /registry/pods/%s/%s, ResourceVersion: 0, AdditionalErrorMsg: Precondition "
                                 "failed: %s in precondition: %s, %s in object meta: %s",
                                 r->name, r->path.namespace, r->name, what, wanted, what, is);
}

static int copy_pairs(struct api_request *r, struct value_edit *edit, const char *what) {
        const struct value *pairs = value_get(value_get(r->sent, "metadata"), what);
        struct value_edit map;
        const struct value *merged;
        int error = 0;

        if (value_count(pairs) == 0)
                return 0;
        value_edit_begin(&map, r->arena, value_get(value_get(r->current_tree, "metadata"), what));
        for (uint32_t i = 0; error == 0 && i < pairs->count; i++) {
                struct value *root = value_edit_root(&map);

                error = root ? value_edit_put(&map, root, pairs->members[i].key, &pairs->members[i].value) : -ENOMEM;
        }
        merged = value_edit_end(&map);
        if (error < 0 || !merged)
                return error ?: -ENOMEM;
        return value_edit_set(edit, strcmp(what, "labels") == 0 ? "/metadata/labels" : "/metadata/annotations", merged,
                              NULL);
}

static int assign(struct api_request *r) {
        static const struct act_condition scheduled = { .type = "PodScheduled", .status = "True" };
        const struct value *node = value_find(r->sent, "target.name");
        struct value_edit edit;
        int error;

        value_edit_begin(&edit, r->arena, r->current_tree);
        error = value_edit_set(&edit, "/spec/nodeName", node, NULL);
        if (error == 0 && value_find(r->current_tree, "status.nominatedNodeName"))
                error = value_edit_remove(&edit, "/status/nominatedNodeName", NULL);
        error = error ?: copy_pairs(r, &edit, "annotations") ?: copy_pairs(r, &edit, "labels");
        error = error ?: act_set_condition(r, &edit, r->current_tree, &scheduled);
        return error ?: act_settle(r, &edit);
}

static enum api_step on_decided(struct api_request *r) {
        return act_decided(r, "act");
}

enum api_step act_bind(struct api_request *r) {
        enum api_step step = check(r);
        const char *why;
        int error;

        if (step != API_NEXT)
                return step;
        r->name = api_meta_text(r->sent, "name");
        if (!*r->name)
                return api_refuse(r, API_BAD_REQUEST, "Name parameter required.");
        error = act_take(r);
        if (error < 0)
                return error == -ENOENT ? api_not_found(r, r->name) : api_fail(r, error, NULL);
        step = check_precondition(r, "UID", api_meta_text(r->sent, "uid"), api_meta_text(r->current_tree, "uid"));
        if (step == API_NEXT)
                step = check_precondition(r, "ResourceVersion", api_meta_text(r->sent, "resourceVersion"),
                                          api_meta_text(r->current_tree, "resourceVersion"));
        if (step != API_NEXT)
                return step;
        why = obstacle(r);
        if (why)
                return refuse_conflict(r, why);
        error = assign(r);
        if (error < 0)
                return api_fail(r, error, NULL);
        r->decided = on_decided;
        return api_again(r, "commit");
}
