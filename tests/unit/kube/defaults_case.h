/* A case of tests/conformance/kube_defaults, run by kube/defaults. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/defaults/defaults.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "tests/unit/kube/case_kind.h"

#define DEFAULTS_CASE_NOW 1600000000

/* The object as JSON, which the caller frees; NULL: it cannot be read, or there was no memory. */
static inline char *defaults_case_run(struct arena *arena, const struct value *test) {
        const struct kube_type *type = case_type(test);
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        struct problems problems;
        char *text = NULL;
        void *object = type ? arena_alloc(arena, type->size) : NULL;

        problems_init(&problems, arena, NULL, test);
        if (!object || kube_value_read(arena, type, value_get(test, "object"), "", &problems, object) < 0 ||
            problems.errors > 0 || defaults_fill(arena, type, object, DEFAULTS_CASE_NOW) < 0)
                return NULL;
        kube_json_write(&w, type, object);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : text;
}
