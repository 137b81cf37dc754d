/* Metrics: v2 has what is measured (metric) and what is wanted of it (target), v1 has both in one, by other names. */
#include <errno.h>
#include <string.h>

#include "kube/convert/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

#define FIELDS_MAX 6

/* A field of v1's, in the order in which Go writes it, and where it is in v2. */
struct field {
        const char *v1, *v2;
        bool zero; /* a quantity that v1 always has: "0" where v2 has none */
};

struct source {
        const char *type, *member; /* "Pods", "pods" */
        struct field fields[FIELDS_MAX];
};

static const struct source wanted[] = {
        { "Object",
          "object",
          { { "target", "describedObject", false },
            { "metricName", "metric.name", false },
            { "targetValue", "target.value", true },
            { "selector", "metric.selector", false },
            { "averageValue", "target.averageValue", false } } },
        { "Pods",
          "pods",
          { { "metricName", "metric.name", false },
            { "targetAverageValue", "target.averageValue", true },
            { "selector", "metric.selector", false } } },
        { "Resource",
          "resource",
          { { "name", "name", false },
            { "targetAverageUtilization", "target.averageUtilization", false },
            { "targetAverageValue", "target.averageValue", false } } },
        { "ContainerResource",
          "containerResource",
          { { "name", "name", false },
            { "targetAverageUtilization", "target.averageUtilization", false },
            { "targetAverageValue", "target.averageValue", false },
            { "container", "container", false } } },
        { "External",
          "external",
          { { "metricName", "metric.name", false },
            { "metricSelector", "metric.selector", false },
            { "targetValue", "target.value", false },
            { "targetAverageValue", "target.averageValue", false } } },
};

static const struct source measured[] = {
        { "Object",
          "object",
          { { "target", "describedObject", false },
            { "metricName", "metric.name", false },
            { "currentValue", "current.value", true },
            { "selector", "metric.selector", false },
            { "averageValue", "current.averageValue", false } } },
        { "Pods",
          "pods",
          { { "metricName", "metric.name", false },
            { "currentAverageValue", "current.averageValue", true },
            { "selector", "metric.selector", false } } },
        { "Resource",
          "resource",
          { { "name", "name", false },
            { "currentAverageUtilization", "current.averageUtilization", false },
            { "currentAverageValue", "current.averageValue", true } } },
        { "ContainerResource",
          "containerResource",
          { { "name", "name", false },
            { "currentAverageUtilization", "current.averageUtilization", false },
            { "currentAverageValue", "current.averageValue", true },
            { "container", "container", false } } },
        { "External",
          "external",
          { { "metricName", "metric.name", false },
            { "metricSelector", "metric.selector", false },
            { "currentValue", "current.value", true },
            { "currentAverageValue", "current.averageValue", false } } },
};

static const struct value zero = { .kind = VALUE_STRING, .count = 1, .text = "0" };

static const struct source *source_of(const struct value *metric, bool states) {
        const struct source *table = states ? measured : wanted;
        const char *type = value_string_or(value_get(metric, "type"), "");

        for (size_t i = 0; i < ELEMENTS(wanted); i++)
                if (strcmp(table[i].type, type) == 0)
                        return &table[i];
        return NULL;
}

bool convert_is_cpu(const struct value *metric) {
        const struct value *resource = value_get(metric, "resource");

        return strcmp(value_string_or(value_get(metric, "type"), ""), "Resource") == 0 &&
               strcmp(value_string_or(value_get(resource, "name"), ""), "cpu") == 0;
}

static const char *pointer_of(struct arena *arena, const char *member, const char *path) {
        char *pointer = arena_printf(arena, "/%s/%s", member, path);

        for (char *c = pointer; c && *c; c++)
                *c = *c == '.' ? '/' : *c;
        return pointer;
}

/* --- v2 to v1 --- */

/* As Go's CrossVersionObjectReference has its fields. */
static const struct value *reference(struct arena *arena, const struct value *object) {
        static const char *const keys[] = { "kind", "name", "apiVersion" };
        struct value_edit edit;
        int r = 0;

        value_edit_begin(&edit, arena, NULL);
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                const struct value *part = value_get(object, keys[i]);
                char pointer[] = "/apiVersion";

                strcpy(pointer + 1, keys[i]);
                if (r == 0 && part)
                        r = convert_put(&edit, pointer, part);
        }
        return r < 0 ? NULL : value_edit_end(&edit);
}

static int put_v1(struct arena *arena, struct value_edit *edit, const struct source *source,
                  const struct value *metric) {
        const struct value *from = value_get(metric, source->member);
        int r = convert_put(edit, "/type", value_get(metric, "type"));

        for (size_t i = 0; r == 0 && i < FIELDS_MAX && source->fields[i].v1; i++) {
                const struct field *field = &source->fields[i];
                const struct value *value = value_find(from, field->v2);
                const char *pointer = pointer_of(arena, source->member, field->v1);

                if (value && strcmp(field->v1, "target") == 0)
                        value = reference(arena, value);
                if (value_is_null(value))
                        value = field->zero ? &zero : NULL;
                r = !pointer ? -ENOMEM : value ? convert_put(edit, pointer, value) : 0;
        }
        return r;
}

/* --- v1 to v2 --- */

/* What v1 leaves to be told by which of its fields are there. */
static const char *target_type(const struct source *source, const struct value *from) {
        if (strcmp(source->type, "Pods") == 0)
                return "AverageValue";
        if (strcmp(source->type, "Object") == 0)
                return value_is_null(value_get(from, "averageValue")) ? "Value" : "AverageValue";
        if (strcmp(source->type, "External") == 0)
                return value_is_null(value_get(from, "targetValue")) ? "AverageValue" : "Value";
        return value_is_null(value_get(from, "targetAverageUtilization")) ? "AverageValue" : "Utilization";
}

/* An object's value that is nought beside an average is none. */
static bool is_idle(const struct source *source, const struct field *field, const struct value *from) {
        return strcmp(source->type, "Object") == 0 && strcmp(field->v1, "targetValue") == 0 &&
               !value_is_null(value_get(from, "averageValue")) &&
               strcmp(value_string_or(value_get(from, field->v1), "0"), "0") == 0;
}

static int put_field(struct arena *arena, struct value_edit *edit, const struct source *source,
                     const struct field *field, const struct value *from) {
        const struct value *value = value_get(from, field->v1);
        const char *pointer = pointer_of(arena, source->member, field->v2);

        if (!pointer)
                return -ENOMEM;
        if (value_is_null(value))
                value = field->zero ? &zero : NULL;
        return value && !is_idle(source, field, from) ? convert_put(edit, pointer, value) : 0;
}

static int put_v2(struct arena *arena, struct value_edit *edit, const struct source *source, const struct value *metric,
                  bool states) {
        const struct value *from = value_get(metric, source->member);
        const char *pointer;
        int r = convert_put(edit, "/type", value_get(metric, "type"));

        for (size_t i = 0; r == 0 && i < FIELDS_MAX && source->fields[i].v1; i++)
                r = put_field(arena, edit, source, &source->fields[i], from);
        if (r < 0 || states)
                return r;
        pointer = pointer_of(arena, source->member, "target.type");
        return pointer ? convert_put(edit, pointer, &(struct value)VALUE_TEXT(target_type(source, from))) : -ENOMEM;
}

/* --- lists --- */

static const struct value *convert_list(struct arena *arena, const struct value *list, bool states, bool up) {
        uint32_t n = value_count(list), count = 0;
        struct value *items = arena_alloc_array(arena, (size_t)n + 1, sizeof(*items)),
                     *result = arena_new_of(arena, struct value);

        if (!items || !result)
                return NULL;
        for (uint32_t i = 0; i < n; i++) {
                const struct value *metric = value_at(list, i), *made;
                const struct source *source = source_of(metric, states);
                struct value_edit edit;
                int r;

                if (!source)
                        continue;
                value_edit_begin(&edit, arena, NULL);
                r = up ? put_v2(arena, &edit, source, metric, states) : put_v1(arena, &edit, source, metric);
                made = value_edit_end(&edit);
                if (r < 0 || !made)
                        return NULL;
                items[count++] = *made;
        }
        *result = (struct value){ .kind = VALUE_LIST, .count = count, .items = items };
        return result;
}

const struct value *convert_metrics_down(struct arena *arena, const struct value *list, bool states) {
        return convert_list(arena, list, states, false);
}

const struct value *convert_metrics_up(struct arena *arena, const struct value *list, bool states) {
        return convert_list(arena, list, states, true);
}
