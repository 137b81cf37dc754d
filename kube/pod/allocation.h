/* What a pod asks for and what the node has granted it, where the two differ: in-place resize (KEP-1287).
 *
 * Rules: kubelet's pkg/kubelet/allocation. All but ephemeral containers can be resized, and the pod's
 * resources as a whole.
 */
#pragma once

#include "kube/pod/pod.h"

/* Whether @wanted asks for other amounts than @allocated grants; how they are spelled does not count. */
bool pod_is_resized(const struct pod *wanted, const struct pod *allocated);

/* @wanted with the resources of @allocated: itself where they are the same. One reference; -ENOMEM. */
int pod_with_allocation(struct pod *wanted, const struct pod *allocated, struct pod **ret_pod);

/* Whether it asks for more CPU or memory than it is granted. */
bool pod_grows(const struct pod *wanted, const struct pod *allocated);

/* Resources and generation as the events of a resize tell them, with the @error or without one; free the text. NULL
 * without memory (pkg/kubelet/events/resize.go). */
char *pod_resize_summary(const struct pod *pod, int64_t generation, const char *error);
