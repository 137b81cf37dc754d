#include "runtime/init/part.h"

#include "runtime/wire.h"

int init_part_send(int socket, struct init_part *part, struct plan *plan) {
        const struct init_part more = { .plan_fd = -1 };
        int r = plan_detach(plan, WIRE_PACKET_MAX - sizeof(*part), &part->plan_fd);

        part->plan_size = (uint32_t)plan->size;
        return r < 0 ? r :
                       plan_send(socket, plan, &(struct plan_packet){ part, sizeof(*part), part->plan_fd },
                                 &(struct plan_packet){ &more, sizeof(more), -1 });
}
