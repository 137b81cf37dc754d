#include "api/rest/scale.h"

#include <errno.h>
#include <string.h>

#include "api/server/request.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static const struct value zero = VALUE_INTEGER(0);

static const struct value *operator_of(const char *text, const char **ret_word) {
        static const struct {
                const char *name, *word;
        } operators[] = { { "In", " in (" }, { "NotIn", " notin (" }, { "Exists", "" }, { "DoesNotExist", "!" } };

        for (size_t i = 0; i < ELEMENTS(operators); i++)
                if (strcmp(operators[i].name, text) == 0)
                        *ret_word = operators[i].word;
        return NULL;
}

/* A requirement as Go's labels.Selector writes it. */
static const char *expression_text(struct arena *arena, const struct value *expression) {
        const char *key = value_string_or(value_get(expression, "key"), ""), *word = "", *text;
        const struct value *values = value_get(expression, "values");

        operator_of(value_string_or(value_get(expression, "operator"), ""), &word);
        if (*word == '!')
                return arena_printf(arena, "!%s", key);
        text = arena_printf(arena, "%s%s", key, word);
        for (uint32_t i = 0; text && *word && i < value_count(values); i++)
                text = arena_printf(arena, "%s%s%s", text, i ? "," : "", value_string_or(value_at(values, i), ""));
        return text && *word ? arena_printf(arena, "%s)", text) : text;
}

/* status.selector: that of a LabelSelector, or of a map of labels as ReplicationControllers have it. */
static const char *selector_text(struct arena *arena, const struct value *selector) {
        const struct value *labels = value_get(selector, "matchLabels"),
                           *more = value_get(selector, "matchExpressions");
        const char *text = "";

        if (!labels && !more)
                labels = selector;
        for (uint32_t i = 0; text && value_is(labels, VALUE_MAP) && i < labels->count; i++)
                text = arena_printf(arena, "%s%s%s=%s", text, *text ? "," : "", labels->members[i].key,
                                    value_string_or(&labels->members[i].value, ""));
        for (uint32_t i = 0; text && i < value_count(more); i++)
                text = arena_printf(arena, "%s%s%s", text, *text ? "," : "",
                                    expression_text(arena, value_at(more, i)) ?: "");
        return text;
}

int api_scale_show(struct api_request *r, const struct value *object, const struct value **ret_scale) {
        static const char *const kept[] = { "/metadata/name", "/metadata/namespace", "/metadata/uid",
                                            "/metadata/resourceVersion", "/metadata/creationTimestamp" };
        const char *selector = selector_text(r->arena, value_find(object, "spec.selector"));
        struct value_edit edit;
        int error;

        if (!selector)
                return -ENOMEM;
        value_edit_begin(&edit, r->arena, NULL);
        error = value_edit_set(&edit, "/kind", &(struct value)VALUE_TEXT("Scale"), NULL) ?:
                        value_edit_set(&edit, "/apiVersion", &(struct value)VALUE_TEXT("autoscaling/v1"), NULL);
        for (size_t i = 0; error == 0 && i < ELEMENTS(kept); i++) {
                const struct value *part = value_get(value_get(object, "metadata"), strrchr(kept[i], '/') + 1);

                error = part ? value_edit_set(&edit, kept[i], part, NULL) : 0;
        }
        error = error                                                                                               ?:
                        value_edit_set(&edit, "/spec/replicas", value_find(object, "spec.replicas") ?: &zero, NULL) ?:
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
                        value_edit_set(&edit, "/metadata/uid", value_get(meta, "uid") ?: &none, NULL) ?:
                        value_edit_set(&edit, "/metadata/name", value_get(meta, "name") ?: &none, NULL);
        *ret_object = value_edit_end(&edit);
        return error ?: *ret_object ? 0 : -ENOMEM;
}
