/* Histories of writes, as tests/conformance/kube_apply has them, and FieldsV1: {"group": ..., "kind": ..., "steps":
 * [{"op":
 * ..., "manager": ..., "body": ...}]}, {"fields": {...}}. What is read is as before, answers are JSON, and a set that
 * was written is read as the same. */
#include <stdint.h>
#include <stdlib.h>

#include "kube/apply/fields.h"
#include "tests/unit/kube/apply_history.h"

#define STEPS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *written(struct arena *arena, const struct apply_set *set, const struct value **ret_value) {
        struct json_writer w = JSON_WRITER_INIT;
        struct value fields;
        char *text;

        if (apply_fields_write(arena, set, &fields) < 0)
                abort();
        json_value(&w, &fields);
        if (json_writer_finish(&w, &text, NULL) < 0 || json_parse(arena, text, strlen(text), NULL, ret_value, NULL) < 0)
                abort();
        return text;
}

static void check_fields(struct arena *arena, const struct value *fields) {
        const struct apply_set *set, *again;
        const struct value *value;
        char *text, *more;

        if (!fields || apply_fields_read(arena, fields, &set, NULL) < 0)
                return;
        text = written(arena, set, &value);
        if (apply_fields_read(arena, value, &again, NULL) < 0 || !apply_set_within(set, again) ||
            !apply_set_within(again, set))
                abort();
        more = written(arena, again, &value);
        if (strcmp(text, more) != 0)
                abort();
        free(more);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct value_options options = { .bytes_max = 64 * 1024, .nodes_max = 8192 };
        struct arena *arena = arena_new(), *other = arena_new();
        const struct value *test, *before, *answers;

        if (json_parse(arena, (const char *)data, size, &options, &test, NULL) >= 0) {
                before = value_copy(other, test);
                check_fields(arena, value_get(test, "fields"));
                if (case_kind(test) && value_count(value_get(test, "steps")) <= STEPS_MAX) {
                        char *text = apply_history_run(arena, test);

                        if (!text || json_parse(arena, text, strlen(text), NULL, &answers, NULL) < 0)
                                abort();
                        free(text);
                }
                if (!value_equal(before, test))
                        abort();
        }
        arena_free(other);
        arena_free(arena);
        return 0;
}
