/* The kind that a case is about: its members `group` (an apiVersion; "v1" where it is missing) and `kind`. */
#pragma once

#include <string.h>

#include "kube/kinds.h"
#include "lib/value.h"

/* NULL: there is none. */
static inline const struct kube_kind *case_kind(const struct value *test) {
        const char *kind = value_string_or(value_get(test, "kind"), "Pod"), *version;
        char group[256];

        if (kube_split_api_version(value_string_or(value_get(test, "group"), "v1"), group, sizeof(group), &version) < 0)
                return NULL;
        for (size_t i = 0; i < kube_kinds_count; i++)
                if (strcmp(kube_kinds[i].kind, kind) == 0 && strcmp(kube_kinds[i].group, group) == 0 &&
                    strcmp(kube_kinds[i].version, version) == 0)
                        return &kube_kinds[i];
        return NULL;
}

static inline const struct kube_type *case_type(const struct value *test) {
        const struct kube_kind *kind = case_kind(test);

        return kind ? kind->type : NULL;
}
