/* Whether the node takes a pod: asked once, before anything of it is made. A pod that is refused has failed for good;
 * the next edit of its manifest, or the agent's next start, asks again.
 *
 * Order, reasons and words are those of kubelet's admission handlers (pkg/kubelet/sysctl/allowlist.go,
 * lifecycle/predicate.go, lifecycle/handlers.go, preemption/preemption.go). Pods of files are critical to kubelet: what
 * they ask of a full node ends as UnexpectedAdmissionError, and so do critical pods of the API service; the others are
 * OutOfcpu and so on. None is ended for another here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kube/pod/pod.h"

struct node_facts;

#define ADMISSION_TEXT_MAX 512

struct admission_node {
        const char *name;
        const string_map *labels;   /* NULL: those that every node has */
        const char *unsafe_sysctls; /* those that the node allows: NAME,PREFIX*,...; NULL: none */
        const struct node_facts *facts;
        const struct pod *const *pods; /* what the node runs already */
        size_t n_pods;
};

struct rejection {
        const char *reason; /* a literal */
        char message[ADMISSION_TEXT_MAX];
};

/* True: it may run. Else *ret_rejection says why not. */
bool admission_ask(const struct admission_node *node, const struct pod *pod, struct rejection *ret_rejection);
