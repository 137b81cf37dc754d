/* Which container's log it is, by what the pod's status says of it (kubelet's validateContainerLogStatus()). */
#pragma once

#include <stdbool.h>

struct err;
struct kube_pod_status;

/* What is asked: of pod @pod's container @container, @previous: of the one that ran before. */
struct kubelet_log_choice {
        const char *pod, *container;
        bool previous;
};

/* *@ret_id: "nacelle://ID", the status' text. -ENOENT with kubelet's words. */
int kubelet_log_choose(const struct kubelet_log_choice *choice, const struct kube_pod_status *status,
                       const char **ret_id, struct err **err);
