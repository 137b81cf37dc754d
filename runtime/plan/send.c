#include <errno.h>

#include "runtime/plan/plan.h"
#include "runtime/plan/sealed.h"
#include "runtime/wire.h"

int plan_detach(struct plan *plan, size_t max, int32_t *ret_index) {
        int fd = -EBADF, r = plan_check(plan);

        *ret_index = -1;
        if (r < 0 || plan->size <= max)
                return r;
        if ((r = sealed_copy("plan", plan->data, plan->size, false, &fd)) < 0)
                return r;
        *ret_index = plan_take_fd(plan, fd);
        return plan_check(plan);
}

int plan_send(int socket, const struct plan *plan, const struct plan_packet *last, const struct plan_packet *before) {
        bool behind = last->plan_index < 0;
        size_t at = 0;
        int r = 0;

        for (; plan->n_fds - at > WIRE_PACKET_FDS && r == 0; at += WIRE_PACKET_FDS)
                r = wire_send(socket, &(struct wire_packet){ .head = before->head,
                                                             .head_size = before->size,
                                                             .fds = plan->fds + at,
                                                             .n_fds = WIRE_PACKET_FDS });
        if (r < 0)
                return r;
        return wire_send(socket, &(struct wire_packet){ .head = last->head,
                                                        .head_size = last->size,
                                                        .tail = behind ? plan->data : NULL,
                                                        .tail_size = behind ? plan->size : 0,
                                                        .fds = at < plan->n_fds ? plan->fds + at : NULL,
                                                        .n_fds = plan->n_fds - at });
}
