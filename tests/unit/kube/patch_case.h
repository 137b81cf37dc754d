/* A case of tests/conformance/kube_patch, run by kube/patch. */
#pragma once

#include <string.h>

#include "kube/kinds.h"
#include "kube/patch/patch.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "tests/unit/kube/case_kind.h"

struct patch_answer {
        const struct value *value; /* NULL: it failed */
        int error;
        struct err *err;
};

static inline struct patch_answer patch_case_run(struct arena *arena, const struct value *test) {
        const char *op = value_string_or(value_get(test, "op"), "");
        const struct value *a = value_get(test, "a"), *b = value_get(test, "b");
        const struct patch_three three = { a, b, value_get(test, "c"), strcmp(op, "three-careful") != 0 };
        const struct kube_type *type = case_type(test);
        struct patch_answer answer = { 0 };

        if (strcmp(op, "json") == 0)
                answer.error = patch_json(arena, a, b, &answer.value, &answer.err);
        else if (strcmp(op, "merge") == 0)
                answer.error = patch_merge(arena, a, b, &answer.value, &answer.err);
        else if (strcmp(op, "strategic") == 0)
                answer.error = patch_strategic(arena, type, a, b, &answer.value, &answer.err);
        else if (strcmp(op, "diff-merge") == 0)
                answer.error = patch_diff_merge(arena, a, b, &answer.value, &answer.err);
        else if (strcmp(op, "diff-strategic") == 0)
                answer.error = patch_diff_strategic(arena, type, a, b, &answer.value, &answer.err);
        else if (strcmp(op, "three-merge") == 0)
                answer.error = patch_three_way_merge(arena, &three, &answer.value, &answer.err);
        else
                answer.error = patch_three_way_strategic(arena, type, &three, &answer.value, &answer.err);
        return answer;
}
