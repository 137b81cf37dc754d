#include "api/rest/scale.h"

#include <errno.h>
#include <string.h>

#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/selector/label.h"
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

int api_scale_show(struct api_request *r, const struct value *object, const struct value **ret_scale) {
        static const char *const kept[] = { "/metadata/name", "/metadata/namespace", "/metadata/uid",
                                            "/metadata/resourceVersion", "/metadata/creationTimestamp" };
        const char *selector;
        struct value_edit edit;
        int error = selector_text(r->arena, r->kind, object, &selector);

        if (error < 0)
                return error;
        value_edit_begin(&edit, r->arena, NULL);
        error = value_edit_set(&edit, "/kind", &(struct value)VALUE_TEXT("Scale"), NULL) ?:
                        value_edit_set(&edit, "/apiVersion", &(struct value)VALUE_TEXT("autoscaling/v1"), NULL);
        for (size_t i = 0; error == 0 && i < ELEMENTS(kept); i++) {
                const struct value *part = value_get(value_get(object, "metadata"), strrchr(kept[i], '/') + 1);

                error = part ? value_edit_set(&edit, kept[i], part, NULL) : 0;
        }
        error = error                                                          ?:
                        put_wanted(&edit, value_find(object, "spec.replicas")) ?:
                        value_edit_set(&edit, "/status/replicas", value_find(object, "status.replicas") ?: &zero, NULL);
        if (error == 0 && *selector)
                error = value_edit_set(&edit, "/status/selector", &(struct value)VALUE_TEXT(selector), NULL);
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

enum api_step api_scale_check(struct api_request *r, const struct value *scale) {
        const struct kube_kind as = { .group = "autoscaling", .kind = "Scale" }, *own = r->kind;
        struct problems problems;
        int64_t replicas = 0;
        enum api_step step;

        value_integer(value_find(scale, "spec.replicas"), &replicas);
        if (replicas >= 0)
                return API_NEXT;
        problems_init(&problems, r->arena, NULL, NULL);
        problem_error(&problems, "spec.replicas", "Invalid value: %lld: must be greater than or equal to 0",
                      (long long)replicas);
        r->kind = &as;
        step = api_invalid(r, r->name, &problems);
        r->kind = own;
        return step;
}
