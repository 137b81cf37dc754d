#include "api/print/cells.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/print/columns.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/json_writer.h"
#include "lib/value.h"

/* apimachinery's duration.HumanDuration. */
const char *api_print_age(struct arena *arena, int64_t s) {
        int64_t m = s / 60, h = s / 3600, d = h / 24, y = d / 365;

        if (s < -1)
                return "<invalid>";
        if (s < 0)
                return "0s";
        if (s < 120)
                return arena_printf(arena, "%llds", (long long)s);
        if (m < 10)
                return s % 60 ? arena_printf(arena, "%lldm%llds", (long long)m, (long long)(s % 60)) :
                                arena_printf(arena, "%lldm", (long long)m);
        if (m < 180)
                return arena_printf(arena, "%lldm", (long long)m);
        if (h < 8)
                return m % 60 ? arena_printf(arena, "%lldh%lldm", (long long)h, (long long)(m % 60)) :
                                arena_printf(arena, "%lldh", (long long)h);
        if (h < 48)
                return arena_printf(arena, "%lldh", (long long)h);
        if (h < 192)
                return h % 24 ? arena_printf(arena, "%lldd%lldh", (long long)d, (long long)(h % 24)) :
                                arena_printf(arena, "%lldd", (long long)d);
        if (d < 730)
                return arena_printf(arena, "%lldd", (long long)d);
        if (y < 8)
                return d % 365 ? arena_printf(arena, "%lldy%lldd", (long long)y, (long long)(d % 365)) :
                                 arena_printf(arena, "%lldy", (long long)y);
        return arena_printf(arena, "%lldy", (long long)y);
}

static void text_or(struct json_writer *w, const struct value *object, const char *path, const char *fallback) {
        const struct value *value = value_find(object, path);

        if (value_is(value, VALUE_INT))
                return json_int(w, value->integer);
        if (value_is(value, VALUE_BOOL))
                return json_string(w, value->boolean ? "true" : "false");
        json_string(w, *value_string_or(value, "") ? value->text : fallback);
}

PRINT_CELL(text) {
        text_or(w, object, path, "");
}

PRINT_CELL(text_or_none) {
        text_or(w, object, path, "<none>");
}

PRINT_CELL(text_or_unset) {
        text_or(w, object, path, "<unset>");
}

PRINT_CELL(number) {
        int64_t number = 0;

        value_integer(value_find(object, path), &number);
        json_int(w, number);
}

PRINT_CELL(text_or_na) {
        const struct value *value = value_find(object, path);

        if (value_is(value, VALUE_INT))
                json_string(w, arena_printf(arena, "%lld", (long long)value->integer));
        else
                text_or(w, object, path, "N/A");
}

PRINT_CELL(truth) {
        json_bool(w, value_bool_or(value_find(object, path), false));
}

PRINT_CELL(truth_text) {
        json_string(w, value_bool_or(value_find(object, path), false) ? "True" : "False");
}

PRINT_CELL(count) {
        json_int(w, value_count(value_find(object, path)));
}

PRINT_CELL(data) {
        json_int(w, value_count(value_get(object, "data")) + value_count(value_get(object, "binaryData")));
}

PRINT_CELL(since) {
        const char *text = value_string_or(value_find(object, path), "");
        struct kube_time then;

        if (kube_time_parse(text, strlen(text), false, &then))
                json_string(w, api_print_age(arena, time(NULL) - then.seconds));
        else
                json_string(w, "<unknown>");
}

PRINT_CELL(since_or_none) {
        if (value_is_null(value_find(object, path)))
                json_string(w, "<none>");
        else
                print_since(w, arena, object, path);
}

PRINT_CELL(time) {
        json_string(w, value_string_or(value_find(object, path), ""));
}

static const char *join_labels(struct arena *arena, const struct value *map) {
        const char *text = "";

        for (uint32_t i = 0; text && value_is(map, VALUE_MAP) && i < map->count; i++)
                text = arena_printf(arena, "%s%s%s=%s", text, *text ? "," : "", map->members[i].key,
                                    value_string_or(&map->members[i].value, ""));
        return text && *text ? text : "<none>";
}

PRINT_CELL(labels) {
        json_string(w, join_labels(arena, value_find(object, path)));
}

PRINT_CELL(selector) {
        const struct value *selector = value_find(object, path);

        json_string(w, join_labels(arena, value_get(selector, "matchLabels") ?: selector));
}

PRINT_CELL(keys) {
        const struct value *list = value_find(object, path);
        const char *text = "";

        for (uint32_t i = 0; text && i < value_count(list); i++)
                text = arena_printf(arena, "%s%s%s", text, i ? "," : "", value_string_or(value_at(list, i), ""));
        json_string(w, text);
}

static void of_containers(struct json_writer *w, struct arena *arena, const struct value *spec, const char *key) {
        const struct value *list = value_get(spec, "containers");
        const char *text = "";

        for (uint32_t i = 0; text && i < value_count(list); i++)
                text = arena_printf(arena, "%s%s%s", text, i ? "," : "",
                                    value_string_or(value_get(value_at(list, i), key), ""));
        json_string(w, text);
}

PRINT_CELL(container_names) {
        of_containers(w, arena, value_find(object, path), "name");
}

PRINT_CELL(container_images) {
        of_containers(w, arena, value_find(object, path), "image");
}
