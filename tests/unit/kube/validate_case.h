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

/* Who makes the cases may everything; of the namespaces one is for devices that are shared with those who use them. */
static inline const char *validate_case_label(void *asker, const char *namespace, const char *label) {
        return strcmp(namespace, "admin") == 0 && strcmp(label, "resource.kubernetes.io/admin-access") == 0 ? "true" :
                                                                                                              NULL;
}

static inline const char *validate_case_verb(void *asker) {
        return "create";
}

static inline const char *validate_case_node(void *asker) {
        return NULL;
}

static inline const char *validate_case_refuses(void *asker, const struct validate_right *right) {
        return NULL;
}

/* The errors, each "field: words", as a JSON list that the caller frees; NULL: it cannot be read, or there was no
 * memory. */
static inline char *validate_case_run(struct arena *arena, const struct value *test) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        static const struct validate_asks asks = { validate_case_label, validate_case_verb, validate_case_node,
                                                   validate_case_refuses };
        struct validate_case c = { .asks = &asks,
                                   .kind = case_kind(test),
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
