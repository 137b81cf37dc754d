/* What the messages of a pod's sandbox and of its containers have in common (kubelet's kuberuntime_sandbox.go,
 * kuberuntime_container.go, security_context.go).
 *
 * Everything lies in @arena or is the pod's. Nothing is left out for want of memory: a function that has none says so,
 * and the whole message is given up.
 */
#pragma once

#include <stdbool.h>

#include "cri/cri.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"

/* Labels or annotations of a message under construction: protobuf-c names each map's entry apart, but all are of one
 * layout. */
struct request_pairs {
        struct arena *arena;
        const ProtobufCMessageDescriptor *descriptor; /* of an entry */
        void *items;
        size_t n, size;
        bool failed; /* without memory, or a value was NULL: they are not whole */
};

struct request_pairs request_pairs_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, size_t size);
void request_pairs_add(struct request_pairs *pairs, const char *key, const char *value);

/* The pod's name, namespace and uid as labels. */
#define REQUEST_POD_LABELS 3
void request_pairs_add_pod(struct request_pairs *pairs, const struct pod *pod);

#define REQUEST_USERNS_IDS                                                                                             \
        65536 /* ids of a pod with users of its own, as kubelet gives them; the first are the host's */

/* The block of ids @userns (-1: the host's) as a mapping from 0: one message in a list, or none. */
bool request_mappings(struct arena *arena, int userns, Cri__IDMapping ***ret_list, size_t *ret_n);

/* NULL without memory. */
Cri__NamespaceOption *request_namespaces(struct arena *arena, const struct pod *pod, int userns);

/* @value, or NULL where it is not set. False without memory. */
bool request_number(struct arena *arena, const struct opt_int *value, Cri__Int64Value **ret_number);

/* The profile that @wanted names, one below @dir by its whole path; @unset where it names none. NULL without memory. */
Cri__SecurityProfile *request_profile(struct arena *arena, struct pod_profile wanted, const char *dir,
                                      Cri__SecurityProfile__ProfileType unset);

/* The pod's fsGroup and its supplemental groups. False without memory. */
bool request_groups(struct arena *arena, const struct kube_pod_security_context *security, int64_t **ret_groups,
                    size_t *ret_n);
Cri__SupplementalGroupsPolicy request_groups_policy(const struct kube_pod_security_context *security);
