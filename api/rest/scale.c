#include "api/rest/scale.h"

#include <errno.h>
#include <string.h>

#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/autoscaling_v1.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/selector/label.h"
#include "kube/type.h"
#include "kube/validate/validate.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static const struct value zero = VALUE_INTEGER(0);

/* status.selector: that of a LabelSelector, or of a map of labels as ReplicationControllers have it. */
static int selector_text(struct arena *arena, const struct kube_kind *kind, const struct value *object,
                         const char **ret_text) {
        const struct value *selector = value_find(object, "spec.selector");
        struct value_member labels = { .key = "matchLabels" };
        const struct value of_map = { .kind = VALUE_MAP, .count = 1, .members = &labels };

        if (value_is_null(selector)) {
                *ret_text = "";
                return 0;
        }
        labels.value = *selector;
        return selector_label_text(arena, strcmp(kind->kind, "ReplicationController") == 0 ? &of_map : selector,
                                   ret_text);
}

/* None is not said. */
static int put_wanted(struct value_edit *edit, const struct value *replicas) {
        static const struct value nothing = VALUE_EMPTY(VALUE_MAP);
        int64_t n = 0;

        value_integer(replicas, &n);
        return n == 0 ? value_edit_set(edit, "/spec", &nothing, NULL) :
                        value_edit_set(edit, "/spec/replicas", replicas, NULL);
}

static int put_meta(struct value_edit *edit, const struct value *object) {
        static const char *const kept[] = { "/metadata/name", "/metadata/namespace", "/metadata/uid",
                                            "/metadata/resourceVersion", "/metadata/creationTimestamp" };
        int error;

        for (size_t i = 0; i < ELEMENTS(kept); i++) {
                const struct value *part = value_get(value_get(object, "metadata"), strrchr(kept[i], '/') + 1);

                if (part && (error = value_edit_set(edit, kept[i], part, NULL)) < 0)
                        return error;
        }
        return 0;
}

static int put_scale(struct value_edit *edit, const struct value *object, const char *selector) {
        const struct value *replicas = value_find(object, "status.replicas") ?: &zero;
        int error;

        if ((error = value_edit_set(edit, "/kind", &(struct value)VALUE_TEXT("Scale"), NULL)) < 0 ||
            (error = value_edit_set(edit, "/apiVersion", &(struct value)VALUE_TEXT("autoscaling/v1"), NULL)) < 0 ||
            (error = put_meta(edit, object)) < 0 ||
            (error = put_wanted(edit, value_find(object, "spec.replicas"))) < 0 ||
            (error = value_edit_set(edit, "/status/replicas", replicas, NULL)) < 0)
                return error;
        return *selector ? value_edit_set(edit, "/status/selector", &(struct value)VALUE_TEXT(selector), NULL) : 0;
}

int api_scale_show(struct api_request *r, const struct value *object, const struct value **ret_scale) {
        const char *selector;
        struct value_edit edit;
        int error = selector_text(r->arena, r->kind, object, &selector);

        if (error < 0)
                return error;
        value_edit_begin(&edit, r->arena, NULL);
        error = put_scale(&edit, object, selector);
        *ret_scale = value_edit_end(&edit);
        return error ?: *ret_scale ? 0 : -ENOMEM;
}

int api_scale_open(struct api_request *r, const struct value *scale, const struct value **ret_object) {
        static const struct value none = VALUE_TEXT("");
        const struct value *meta = value_get(scale, "metadata");
        struct value_edit edit;
        int error;

        value_edit_begin(&edit, r->arena, r->current_tree);
        error = value_edit_set(&edit, "/spec/replicas", value_find(scale, "spec.replicas") ?: &zero, NULL) ?:
                        value_edit_set(&edit, "/metadata/resourceVersion", value_get(meta, "resourceVersion") ?: &none, NULL) ?:
                        value_edit_set(&edit, "/metadata/uid", value_get(meta, "uid") ?: &none, NULL)   ?:
                        value_edit_set(&edit, "/metadata/name", value_get(meta, "name") ?: &none, NULL) ?:
                        value_edit_set(&edit, "/metadata/namespace", value_get(meta, "namespace") ?: &none, NULL);
        *ret_object = value_edit_end(&edit);
        return error ?: *ret_object ? 0 : -ENOMEM;
}

/* A patch of another's; of a whole one the store says so, as of any object. */
static enum api_step check_uid(struct api_request *r, const char *uid) {
        const char *own = value_string_or(value_find(r->current_tree, "metadata.uid"), "");
        const struct kube_kind as = { .group = r->kind->group,
                                      .resource = arena_printf(r->arena, "%s/scale", r->kind->resource) };
        const struct kube_kind *kind = r->kind;
        enum api_step step;

        if (r->verb != KUBE_VERB_PATCH || !uid || !*uid || strcmp(uid, own) == 0)
                return API_NEXT;
        if (!as.resource)
                return api_fail(r, -ENOMEM, NULL);
        r->kind = &as;
        step = api_refuse_object(r, API_CONFLICT, r->name,
                                 "Operation cannot be fulfilled on %s%s%s \"%s\": Precondition failed: UID in "
                                 "precondition: %s, UID in object meta: %s",
                                 as.resource, *as.group ? "." : "", as.group, r->name, uid, own);
        r->kind = kind;
        return step;
}

/* Of what stands in it alone: what it is the scale of is looked at as it will be. */
enum api_step api_scale_check(struct api_request *r, const struct value *scale) {
        const struct kube_kind as = { .group = "autoscaling",
                                      .version = "v1",
                                      .kind = "Scale",
                                      .type = &kube_autoscaling_v1_scale_type,
                                      .namespaced = true };
        const struct kube_kind *own = r->kind;
        struct kube_autoscaling_v1_scale *read = arena_new_of(r->arena, struct kube_autoscaling_v1_scale);
        const struct validate_case c = { .kind = &as, .object = scale, .typed = read };
        struct problems problems;
        enum api_step step;
        int error;

        problems_init(&problems, r->arena, NULL, NULL);
        error = read ? kube_value_read(r->arena, as.type, scale, "", &problems, read) : -ENOMEM;
        if (error == 0 && (!read->metadata.namespace || !*read->metadata.namespace))
                read->metadata.namespace = r->path.namespace;
        error = error ?: validate_value(r->arena, &c, &problems);
        if (error < 0)
                return api_fail(r, error, NULL);
        if (problems.errors == 0)
                return check_uid(r, read->metadata.uid);
        r->kind = &as;
        step = api_invalid(r, r->name, &problems);
        r->kind = own;
        return step;
}
