/* Whether a container that ended runs again: restartPolicy of pod and container, restartPolicyRules (KEP-5307). */
#pragma once

#include "kube/pod.h"

/* True when @container is to be started again after @exit_code. For an init container without a policy of its own, a
 * success always means done: ask only after a failure. */
bool pod_should_restart(const struct pod *pod, const struct pod_container *container, int exit_code);

/* The container's own policy, else its pod's. */
enum pod_restart_policy pod_restart_policy(const struct pod *pod, const struct pod_container *container);
