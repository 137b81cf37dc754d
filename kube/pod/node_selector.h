/* Whether a pod may run on a node, by nodeSelector and by the required part of its node affinity.
 *
 * Rules: component-helpers/scheduling/corev1/nodeaffinity (GetRequiredNodeAffinity). Terms are alternatives, a term's
 * expressions must all hold, an empty term matches nothing. What is malformed matches nothing.
 */
#pragma once

#include "kube/pod/pod.h"

/* @labels: the node's; @name: its metadata.name, the one field that matchFields knows. */
bool pod_fits_node(const struct kube_pod_spec *spec, const string_map *labels, const char *name);

/* The same of one term. */
bool pod_term_fits_node(const struct kube_node_selector_term *term, const string_map *labels, const char *name);
