/* A case of tests/conformance/kube_security, answered by api/admission's Pod Security. */
#pragma once

#include <string.h>

#include "api/admission/pod_security.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/value.h"

/* 0, or a negative errno; *@ret_verdict is in @arena. */
static inline int security_case_run(struct arena *arena, const struct value *test,
                                    struct pod_security_verdict *ret_verdict) {
        const char *level = value_string_or(value_get(test, "level"), "");
        struct kube_pod *pod = arena_new_of(arena, struct kube_pod);
        struct pod_security_bar bar = { POD_SECURITY_PRIVILEGED, 0 };
        struct problems problems;
        int64_t minor = 0;
        int r;

        if (!pod)
                return -ENOMEM;
        value_integer(value_get(test, "minor"), &minor);
        bar.minor = minor < 0 ? POD_SECURITY_LATEST : (int32_t)minor;
        if (strcmp(level, "privileged") != 0)
                bar.level = strcmp(level, "baseline") == 0 ? POD_SECURITY_BASELINE : POD_SECURITY_RESTRICTED;
        problems_init(&problems, arena, NULL, NULL);
        r = kube_value_read(arena, &kube_pod_type, value_get(test, "pod"), "", &problems, pod);
        if (r < 0)
                return r;
        return pod_security_evaluate(arena, &bar, &pod->metadata, &pod->spec, ret_verdict);
}
