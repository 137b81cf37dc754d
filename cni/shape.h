/* Bandwidth limits of a pod, as the CNI bandwidth plugin sets them: a token bucket on the host's end of the veth for
 * what goes to the pod, and one on an intermediate device, to which what comes from the pod is redirected.
 */
#pragma once

#include <stdint.h>

struct err;
struct netlink;

struct cni_shape {
        const char *veth; /* the host's end */
        const char *ifb;  /* the intermediate device's name; made only for egress_bits */
        uint32_t mtu;
        uint64_t ingress_bits, egress_bits; /* a second; 0: no limit */
};

/* Sets the limits in the socket's namespace. On failure the devices are the caller's to remove. */
int cni_shape_apply(struct netlink *netlink, const struct cni_shape *shape, struct err **err);
