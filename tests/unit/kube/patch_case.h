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

struct patch_answer {
        const struct value *value; /* NULL: it failed */
        int error;
        struct err *err;
};

static inline const struct kube_type *patch_case_type(const struct value *test) {
        const char *kind = value_string_or(value_get(test, "kind"), "Pod"), *version;
        char group[256];

        if (kube_split_api_version(value_string_or(value_get(test, "group"), "v1"), group, sizeof(group), &version) < 0)
                return NULL;
        for (size_t i = 0; i < kube_kinds_count; i++)
                if (strcmp(kube_kinds[i].kind, kind) == 0 && strcmp(kube_kinds[i].group, group) == 0 &&
                    strcmp(kube_kinds[i].version, version) == 0)
                        return kube_kinds[i].type;
        return NULL;
}

static inline struct patch_answer patch_case_run(struct arena *arena, const struct value *test) {
        const char *op = value_string_or(value_get(test, "op"), "");
        const struct value *a = value_get(test, "a"), *b = value_get(test, "b");
        const struct patch_three three = { a, b, value_get(test, "c"), strcmp(op, "three-careful") != 0 };
        const struct kube_type *type = patch_case_type(test);
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
