/* Patches of every kind, to documents of every kind: {"op": ..., "group": ..., "kind": ..., "a": ..., "b": ..., "c":
 * ...}, as tests/conformance/kube_patch has them. What comes of them can be written and read again, is bounded in
 * depth, and the document is as before. A difference that was made applies, and where no list has a thing twice gives
 * what it was made from. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/kube/patch_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *arena, const struct value *value) {
        const struct value *again;
        char *text = NULL;
        size_t length;

        if (value_depth(value) > VALUE_DEPTH_MAX || json_format(value, false, &text, &length) < 0 ||
            json_parse(arena, text, length, NULL, &again, NULL) < 0 || !value_equal(value, again))
                abort();
        free(text);
}

/* A merge patch that was made gives what it was made from, but where that says null. */
static bool has_null(const struct value *value) {
        if (value_is_null(value))
                return true;
        for (uint32_t i = 0; i < value_count(value); i++)
                if (has_null(value->kind == VALUE_MAP ? &value->members[i].value : &value->items[i]))
                        return true;
        return false;
}

static void check_difference(struct arena *arena, const struct value *test, const struct value *patch) {
        const struct value *b = value_get(test, "b"), *result;

        if (patch_merge(arena, value_get(test, "a"), patch, &result, NULL) < 0)
                abort();
        if (!has_null(b) && !value_equal(result, b))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct value_options options = { .bytes_max = 64 * 1024, .nodes_max = 8192 };
        struct arena *arena = arena_new(), *other = arena_new();
        const struct value *test, *before;
        struct patch_answer answer;

        if (json_parse(arena, (const char *)data, size, &options, &test, NULL) >= 0 && case_type(test) &&
            value_get(test, "b")) {
                before = value_copy(other, test);
                answer = patch_case_run(arena, test);
                if ((answer.error >= 0) != (answer.value != NULL) || (answer.error < 0 && !answer.err) ||
                    answer.error == -ENOMEM || !value_equal(before, test))
                        abort();
                if (answer.value)
                        check(arena, answer.value);
                if (answer.value && strcmp(value_string_or(value_get(test, "op"), ""), "diff-merge") == 0)
                        check_difference(arena, test, answer.value);
                err_free(answer.err);
        }
        arena_free(arena);
        arena_free(other);
        return 0;
}
