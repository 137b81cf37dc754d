/* Whether the node takes a pod: asked once, before anything of it is made. A pod that is refused has failed for good;
 * the next edit of its manifest, or the agent's next start, asks again.
 *
 * Order, reasons and words are those of kubelet's admission handlers (pkg/kubelet/sysctl/allowlist.go,
 * lifecycle/predicate.go, lifecycle/handlers.go, preemption/preemption.go). Pods of files are critical to kubelet, as
 * those of the API service are from SystemCriticalPriority on: others go for them where they lack resources alone, and
 * what no set of others holds is an UnexpectedAdmissionError. The rest are OutOfcpu and so on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kube/pod/pod.h"

struct node_facts;

#define ADMISSION_TEXT_MAX 512
#define ADMISSION_REASON_MAX 384 /* "OutOf" and the longest name of a resource */

struct admission_node {
        const char *name;
        const string_map *labels;   /* NULL: those that every node has */
        const char *unsafe_sysctls; /* those that the node allows: NAME,PREFIX*,...; NULL: none */
        const struct node_facts *facts;
        const struct pod *const *pods;   /* what the node runs already */
        const struct pod *const *before; /* as each was until it was resized, if it may hold that still; or NULL */
        size_t n_pods;
        int64_t max_pods; /* 0: places are not counted */
        /* How much there is of an extended resource; -1: the node has none of that name, so nobody is held to it. NULL:
         * it has none at all. */
        int64_t (*extended)(void *data, const char *name);
        void *data; /* of that */
};

struct rejection {
        char reason[ADMISSION_REASON_MAX];
        char message[ADMISSION_TEXT_MAX];
};

/* True: it may run. Else *ret_rejection says why not. */
bool admission_ask(const struct admission_node *node, const struct pod *pod, struct rejection *ret_rejection);

/* Pods of files, and those of the API service with SystemCriticalPriority. */
bool admission_is_critical(const struct pod *pod);

/* Which of the node's pods are to go so that it takes @pod, which it does not now: marked in @ret_victims, of n_pods.
 * False: @pod is not critical, lacks something else, or all that may go are not enough. */
bool admission_displace(const struct admission_node *node, const struct pod *pod, bool *ret_victims);
