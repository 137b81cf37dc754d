/* The Pod Security Standards: which pods a level lets pass, version by version. No request and no server.
 *
 * Checks, their order and their words are those of k8s.io/pod-security-admission; `make pod-security` asks it for its
 * fixtures and holds this to them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kube/core_v1.h"

struct arena;
struct problems;

#define POD_SECURITY_LABELS "pod-security.kubernetes.io/"
#define POD_SECURITY_LATEST INT32_MAX

enum pod_security_level { POD_SECURITY_PRIVILEGED, POD_SECURITY_BASELINE, POD_SECURITY_RESTRICTED };

/* A level as a version of Kubernetes has it: 1.@minor. */
struct pod_security_bar {
        enum pod_security_level level;
        int32_t minor;
};

struct pod_security_policy {
        struct pod_security_bar enforce, audit, warn;
};

/* The value of a namespace's label @key; NULL: it has none. */
typedef const char *(*pod_security_label)(const void *data, const char *key);

/* What a namespace's labels ask for: nothing is privileged. What is no level or version is an error in @problems, and
 * counts as restricted where it is enforced, as privileged elsewhere. */
void pod_security_read(pod_security_label label, const void *data, struct problems *problems,
                       struct pod_security_policy *ret_policy);

/* "baseline:v1.25"; NULL without memory. */
const char *pod_security_name(struct arena *arena, const struct pod_security_bar *bar);

/* What a pod does that the bar does not let pass, in @arena; both NULL: nothing. */
struct pod_security_verdict {
        const char *reasons; /* "host namespaces, privileged" */
        const char *details; /* the same with what it is in particular in parentheses */
};

/* -ENOMEM or 0. */
int pod_security_evaluate(struct arena *arena, const struct pod_security_bar *bar, const struct kube_object_meta *meta,
                          const struct kube_pod_spec *spec, struct pod_security_verdict *ret_verdict);
