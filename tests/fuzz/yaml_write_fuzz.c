/* JSON of any bytes as YAML: what is written reads as the same values, numbers in another spelling perhaps. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/yaml.h"
#include "lib/yaml_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const struct value *a, const struct value *b) {
        double x, y;

        if (a->kind == VALUE_NUMBER && (!value_double(a, &x) || !isfinite(x)))
                return true; /* no number that Go has */
        if (value_double(a, &x) && value_double(b, &y))
                return x == y;
        if (a->kind != b->kind)
                return false;
        if (a->kind == VALUE_STRING)
                return strcmp(a->text, b->text) == 0;
        if (value_count(a) != value_count(b))
                return false;
        for (uint32_t i = 0; a->kind == VALUE_LIST && i < a->count; i++)
                if (!is_same(&a->items[i], &b->items[i]))
                        return false;
        for (uint32_t i = 0; a->kind == VALUE_MAP && i < a->count; i++) {
                const struct value *other = value_get(b, a->members[i].key);

                if (!other || !is_same(&a->members[i].value, other))
                        return false;
        }
        return true;
}

/* A key "<<", which go-yaml does not quote, is read as a merge; NEL, LS and PS are breaks that reading settles. */
static bool is_settled(const char *text) {
        return strstr(text, "<<") || strstr(text, "\xc2\x85") || strstr(text, "\xe2\x80\xa8") ||
               strstr(text, "\xe2\x80\xa9") || strstr(text, "\\r") || strchr(text, '\r') || strstr(text, "u00") ||
               strstr(text, "u20");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct value_options options = { .name = "fuzz", .bytes_max = 64 * 1024, .nodes_max = 4096 };
        struct arena *arena = arena_new();
        const struct value *value, *again;
        char *text = NULL, *copy = arena_strndup(arena, (const char *)data, size);
        size_t length;

        if (json_parse(arena, (const char *)data, size, &options, &value, NULL) >= 0) {
                int r = yaml_write(value, &text, &length);

                if (r < 0 || strlen(text) != length)
                        abort();
                if (!is_settled(copy) && yaml_parse(arena, text, length, NULL, &again, NULL) >= 0 &&
                    !is_same(value, again))
                        abort();
        }
        free(text);
        arena_free(arena);
        return 0;
}
