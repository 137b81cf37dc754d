/* HorizontalPodAutoscalers: autoscaling/v1 knows the CPU alone, and has all else as JSON in annotations. */
#include <errno.h>
#include <string.h>

#include "kube/convert/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define PREFIX "autoscaling.alpha.kubernetes.io"
#define METRICS PREFIX "/metrics"
#define STATES PREFIX "/current-metrics"
#define CONDITIONS PREFIX "/conditions"
#define BEHAVIOR PREFIX "/behavior"
#define POINTER "/metadata/annotations/" PREFIX "~1"
#define CPU_USUAL 80 /* percent, where nothing else is wanted */

static const char *const names[] = { "metrics",  "current-metrics",      "conditions",
                                     "behavior", "scale-down-tolerance", "scale-up-tolerance" };

static int drop_annotations(struct value_edit *edit, const struct value *tree) {
        const struct value *annotations = value_find(tree, "metadata.annotations");
        uint32_t dropped = 0;
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(names); i++) {
                char key[64] = PREFIX "/", pointer[96] = POINTER;

                strcat(key, names[i]);
                strcat(pointer, names[i]);
                if (!value_get(annotations, key))
                        continue;
                dropped++;
                r = convert_put(edit, pointer, NULL);
        }
        return r ?:
                       dropped > 0 && dropped == value_count(annotations) ?
                       convert_put(edit, "/metadata/annotations", NULL) :
                       0;
}

/* --- the behaviour, which goes as Go's internal type, with all its names --- */

struct name {
        const char *json, *go;
};
static const struct name rule_names[] = { { "stabilizationWindowSeconds", "StabilizationWindowSeconds" },
                                          { "selectPolicy", "SelectPolicy" },
                                          { "policies", "Policies" },
                                          { "tolerance", "Tolerance" } };
static const struct name policy_names[] = { { "type", "Type" },
                                            { "value", "Value" },
                                            { "periodSeconds", "PeriodSeconds" } };
static const struct name behavior_names[] = { { "scaleUp", "ScaleUp" }, { "scaleDown", "ScaleDown" } };

static void write_policies(struct json_writer *w, const struct value *list) {
        json_begin_list(w);
        for (uint32_t i = 0; i < value_count(list); i++) {
                json_begin_map(w);
                for (size_t k = 0; k < ELEMENTS(policy_names); k++) {
                        json_key(w, policy_names[k].go);
                        json_value(w, value_get(value_at(list, i), policy_names[k].json));
                }
                json_end_map(w);
        }
        json_end_list(w);
}

static void write_rules(struct json_writer *w, const struct value *rules) {
        static const struct value none = VALUE_EMPTY(VALUE_NULL);

        json_begin_map(w);
        for (size_t i = 0; i < ELEMENTS(rule_names); i++) {
                const struct value *value = value_get(rules, rule_names[i].json);

                json_key(w, rule_names[i].go);
                if (strcmp(rule_names[i].json, "policies") == 0 && !value_is_null(value))
                        write_policies(w, value);
                else
                        json_value(w, value ?: &none);
        }
        json_end_map(w);
}

static const char *behavior_text(struct arena *arena, const struct value *behavior) {
        static const struct value none = VALUE_EMPTY(VALUE_NULL);
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        json_begin_map(&w);
        for (size_t i = 0; i < ELEMENTS(behavior_names); i++) {
                const struct value *rules = value_get(behavior, behavior_names[i].json);

                json_key(&w, behavior_names[i].go);
                if (value_is_null(rules))
                        json_value(&w, &none);
                else
                        write_rules(&w, rules);
        }
        json_end_map(&w);
        return json_writer_text(&w, arena);
}

/* @map's members by their JSON names; lists and maps below as they are. */
static const struct value *rename_members(struct arena *arena, const struct value *map, const struct name *table,
                                          size_t n) {
        struct value_member *members = arena_alloc_array(arena, n, sizeof(*members));
        struct value *result = arena_new_of(arena, struct value);
        uint32_t count = 0;

        if (!members || !result)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                const struct value *value = value_get(map, table[i].go);

                if (!value_is_null(value))
                        members[count++] = (struct value_member){ .key = table[i].json, .value = *value };
        }
        *result = (struct value){ .kind = VALUE_MAP, .count = count, .members = members };
        return result;
}

static int put_rules(struct arena *arena, struct value_edit *edit, const char *at, const struct value *rules) {
        const struct value *renamed = rename_members(arena, rules, rule_names, ELEMENTS(rule_names)),
                           *list = value_get(rules, "Policies");
        int r = renamed ? convert_put(edit, at, renamed) : -ENOMEM;

        for (uint32_t i = 0; r == 0 && i < value_count(list); i++) {
                const struct value *policy =
                        rename_members(arena, value_at(list, i), policy_names, ELEMENTS(policy_names));
                char *pointer = arena_printf(arena, "%s/policies/%u", at, i);

                r = policy && pointer ? convert_put(edit, pointer, policy) : -ENOMEM;
        }
        return r;
}

static int put_behavior(struct arena *arena, struct value_edit *edit, const struct value *behavior) {
        const struct value *up = value_get(behavior, "ScaleUp"), *down = value_get(behavior, "ScaleDown");
        int r = 0;

        if (!value_is_null(up))
                r = put_rules(arena, edit, "/spec/behavior/scaleUp", up);
        if (r == 0 && !value_is_null(down))
                r = put_rules(arena, edit, "/spec/behavior/scaleDown", down);
        return r;
}

/* --- v2 to v1 --- */

static const char *text_of(struct arena *arena, const struct value *value) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        json_value(&w, value);
        return json_writer_text(&w, arena);
}

static int annotate(struct value_edit *edit, const char *name, const char *text) {
        char pointer[96] = POINTER;

        strcat(pointer, name);
        return text ? convert_put(edit, pointer, &(struct value)VALUE_TEXT(text)) : -ENOMEM;
}

static bool has_use(const struct value *metric) {
        return convert_is_cpu(metric) && !value_is_null(value_find(metric, "resource.target.averageUtilization"));
}

static int put_metrics(struct arena *arena, struct value_edit *edit, const struct value *list) {
        struct value *others = arena_alloc_array(arena, (size_t)value_count(list) + 1, sizeof(*others));
        const struct value *use = NULL, *made;
        uint32_t n = 0;
        int r;

        if (!others)
                return -ENOMEM;
        for (uint32_t i = 0; i < value_count(list); i++) {
                const struct value *metric = value_at(list, i);

                if (!has_use(metric))
                        others[n++] = *metric;
                else if (!use)
                        use = value_find(metric, "resource.target.averageUtilization");
        }
        r = convert_put(edit, "/spec/targetCPUUtilizationPercentage", use) ?: convert_put(edit, "/spec/metrics", NULL);
        if (r < 0 || n == 0)
                return r;
        made = convert_metrics_down(arena, &(struct value){ .kind = VALUE_LIST, .count = n, .items = others }, false);
        return made ? annotate(edit, "metrics", text_of(arena, made)) : -ENOMEM;
}

static int put_states(struct arena *arena, struct value_edit *edit, const struct value *list) {
        const struct value *use = NULL, *made;
        int r;

        for (uint32_t i = 0; i < value_count(list); i++)
                if (convert_is_cpu(value_at(list, i)))
                        use = value_find(value_at(list, i), "resource.current.averageUtilization") ?: use;
        if ((r = convert_put(edit, "/status/currentMetrics", NULL)) < 0 ||
            (!value_is_null(use) && (r = convert_put(edit, "/status/currentCPUUtilizationPercentage", use)) < 0) ||
            value_count(list) == 0)
                return r;
        made = convert_metrics_down(arena, list, true);
        return made ? annotate(edit, "current-metrics", text_of(arena, made)) : -ENOMEM;
}

static int drop_behavior(struct arena *arena, struct value_edit *edit, const struct value *behavior) {
        int r;

        if (!behavior)
                return 0;
        if ((r = convert_put(edit, "/spec/behavior", NULL)) < 0 || value_is_null(behavior))
                return r;
        return annotate(edit, "behavior", behavior_text(arena, behavior));
}

int convert_autoscaler_down(struct arena *arena, struct value_edit *edit, const struct value *tree) {
        const struct value *behavior = value_find(tree, "spec.behavior"),
                           *conditions = value_find(tree, "status.conditions");
        int r = drop_annotations(edit, tree) ?: put_metrics(arena, edit, value_find(tree, "spec.metrics"));

        if (r < 0 || (r = put_states(arena, edit, value_find(tree, "status.currentMetrics"))) < 0 ||
            (r = drop_behavior(arena, edit, behavior)) < 0 ||
            (conditions && (r = convert_put(edit, "/status/conditions", NULL)) < 0))
                return r;
        return value_count(conditions) > 0 ? annotate(edit, "conditions", text_of(arena, conditions)) : 0;
}

/* --- v1 to v2 --- */

/* What an annotation holds; NULL: none, or no JSON of the @kind. */
static const struct value *read_annotation(struct arena *arena, const struct value *tree, const char *key,
                                           enum value_kind kind) {
        const char *text = value_string(value_get(value_find(tree, "metadata.annotations"), key));
        const struct value *value = NULL;

        if (!text || json_parse(arena, text, strlen(text), NULL, &value, NULL) < 0)
                return NULL;
        return value_is(value, kind) ? value : NULL;
}

static const struct value *cpu_use(struct arena *arena, const struct value *percent) {
        static const struct value usual = VALUE_INTEGER(CPU_USUAL);
        struct value_edit edit;
        int r;

        value_edit_begin(&edit, arena, NULL);
        r = convert_put(&edit, "/type", &(struct value)VALUE_TEXT("Resource"))                            ?:
                    convert_put(&edit, "/resource/name", &(struct value)VALUE_TEXT("cpu"))                ?:
                    convert_put(&edit, "/resource/target/type", &(struct value)VALUE_TEXT("Utilization")) ?:
                    convert_put(&edit, "/resource/target/averageUtilization", percent ?: &usual);
        return r < 0 ? NULL : value_edit_end(&edit);
}

static int raise_metrics(struct arena *arena, struct value_edit *edit, const struct value *tree) {
        const struct value *noted = read_annotation(arena, tree, METRICS, VALUE_LIST),
                           *others = convert_metrics_up(arena, noted, false),
                           *percent = value_find(tree, "spec.targetCPUUtilizationPercentage");
        uint32_t n = value_count(others);
        struct value *items = arena_alloc_array(arena, (size_t)n + 1, sizeof(*items));
        const struct value *use;

        if (!items || !others)
                return -ENOMEM;
        if (n > 0)
                memcpy(items, others->items, n * sizeof(*items));
        if (value_is_null(percent))
                percent = NULL;
        if (percent || n == 0) {
                use = cpu_use(arena, percent);
                if (!use)
                        return -ENOMEM;
                items[n++] = *use;
        }
        return convert_put(edit, "/spec/targetCPUUtilizationPercentage", NULL) ?:
                                                                                 convert_put(edit, "/spec/metrics",
                                                                                             &(struct value){ .kind = VALUE_LIST, .count = n, .items = items });
}

static const struct value *cpu_state(struct arena *arena, const struct value *percent) {
        struct value_edit edit;

        value_edit_begin(&edit, arena, NULL);
        if (convert_put(&edit, "/type", &(struct value)VALUE_TEXT("Resource")) < 0 ||
            convert_put(&edit, "/resource/name", &(struct value)VALUE_TEXT("cpu")) < 0 ||
            convert_put(&edit, "/resource/current/averageUtilization", percent) < 0)
                return NULL;
        return value_edit_end(&edit);
}

static int raise_states(struct arena *arena, struct value_edit *edit, const struct value *tree) {
        const struct value *noted = read_annotation(arena, tree, STATES, VALUE_LIST),
                           *percent = value_find(tree, "status.currentCPUUtilizationPercentage"), *states = NULL;
        int r = convert_put(edit, "/status/currentCPUUtilizationPercentage", NULL);

        if (r < 0 || (!noted && value_is_null(percent)))
                return r;
        states = noted ? convert_metrics_up(arena, noted, true) : cpu_state(arena, percent);
        if (!states)
                return -ENOMEM;
        return convert_put(edit, "/status/currentMetrics",
                           noted ? states : &(struct value){ .kind = VALUE_LIST, .count = 1, .items = states });
}

int convert_autoscaler_up(struct arena *arena, struct value_edit *edit, const struct value *tree) {
        const struct value *behavior = read_annotation(arena, tree, BEHAVIOR, VALUE_MAP),
                           *conditions = read_annotation(arena, tree, CONDITIONS, VALUE_LIST);
        int r = raise_metrics(arena, edit, tree) ?: raise_states(arena, edit, tree);

        if (r < 0 || (r = put_behavior(arena, edit, behavior)) < 0 ||
            (conditions && (r = convert_put(edit, "/status/conditions", conditions)) < 0))
                return r;
        return drop_annotations(edit, tree);
}
