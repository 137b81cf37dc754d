/* What is told of a pod at its end (pkg/kubelet/status/status_manager.go, TerminatePod()). */
#include "kube/pod/status.h"

static void end_container(struct pod_container_status *s) {
        if (s->state.kind != STATE_TERMINATED)
                s->state = (struct pod_container_state){
                        .kind = STATE_TERMINATED,
                        .reason = "ContainerStatusUnknown",
                        .message = "The container could not be located when the pod was terminated",
                        .exit_code = 137,
                };
}

/* Init containers behind the last that has begun are not meant: they had no part in it. One is at least. */
static uint32_t count_begun(const struct pod_container_status *init, uint32_t n) {
        for (uint32_t i = n; i > 0; i--)
                if (init[i - 1].state.kind != STATE_WAITING || init[i - 1].has_last)
                        return i;
        return n > 0;
}

void pod_status_end(const struct pod *pod, struct pod_status *status, bool initialized) {
        uint32_t begun = count_begun(status->init, pod->spec.init_containers.count);

        for (uint32_t i = 0; initialized && i < pod->spec.containers.count; i++)
                end_container(&status->containers[i]);
        for (uint32_t i = 0; i < begun; i++)
                end_container(&status->init[i]);
        if (!pod->file && !pod_phase_is_final(status->phase))
                status->phase = PHASE_FAILED;
}
