/* Whether a container that ended runs again: restartPolicy of pod and container, restartPolicyRules (KEP-5307), and
 * whether all others do with it (KEP-5532). */
#pragma once

#include "kube/pod/pod.h"

#define RESTART_ALL_ACTION "RestartAllContainers"
#define RESTARTING_ALL_REASON "RestartingAllContainers" /* of a container that ended for another's sake */

/* True when @container is to be started again after @exit_code. For an init container without a policy of its own, a
 * success always means done: ask only after a failure. */
bool pod_should_restart(const struct pod *pod, const struct kube_container *container, int exit_code);

/* The container's own policy, else its pod's: "Always", "OnFailure", "Never". */
const char *pod_restart_policy(const struct pod *pod, const struct kube_container *container);

/* True when @container's end with @exit_code restarts all containers of its pod: the first rule that matches says so.
 */
bool pod_restarts_all(const struct kube_container *container, int exit_code);

/* True when some container's end might. */
bool pod_may_restart_all(const struct pod *pod);
