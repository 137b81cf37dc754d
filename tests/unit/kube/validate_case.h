/* A case of tests/conformance/kube_validate, looked at by kube/validate. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/validate/validate.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "tests/unit/kube/case_kind.h"

/* The errors, each "field: words", as a JSON list that the caller frees; NULL: it cannot be read, or there was no
 * memory. */
static inline char *validate_case_run(struct arena *arena, const struct value *test) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        struct validate_case c = { .kind = case_kind(test),
                                   .sub = value_string_or(value_get(test, "sub"), NULL),
                                   .object = value_get(test, "object"),
                                   .old = value_get(test, "old") };
        struct problems problems;
        char *text = NULL;

        problems_init(&problems, arena, NULL, NULL);
        if (!c.kind || validate_value(arena, &c, &problems) < 0)
                return NULL;
        json_begin_list(&w);
        for (uint32_t i = 0; i < problems.count; i++)
                if (!problems.items[i].warning)
                        json_string(&w, problems.items[i].text);
        json_end_list(&w);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : text;
}
