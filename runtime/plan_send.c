#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "runtime/plan.h"
#include "runtime/wire.h"

/* Nobody can change it any more. */
static int seal(const struct plan *plan, int *ret_fd) {
        _cleanup_close_ int fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        for (size_t done = 0; fd >= 0 && done < plan->size;) {
                ssize_t n = write(fd, plan->data + done, plan->size - done);

                if (n < 0)
                        return -errno;
                done += (size_t)n;
        }
        if (fd < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int plan_detach(struct plan *plan, size_t max, int32_t *ret_index) {
        int fd = -EBADF, r = plan_check(plan);

        *ret_index = -1;
        if (r < 0 || plan->size <= max)
                return r;
        r = seal(plan, &fd);
        if (r == 0)
                *ret_index = plan_take_fd(plan, fd);
        return r < 0 ? r : plan_check(plan);
}

int plan_send(int socket, const struct plan *plan, const struct plan_packet *last, const struct plan_packet *before) {
        bool behind = last->plan_index < 0;
        size_t at = 0;
        int r = 0;

        for (; plan->n_fds - at > WIRE_PACKET_FDS && r == 0; at += WIRE_PACKET_FDS)
                r = wire_send(socket, before->head, before->size, NULL, 0, plan->fds + at, WIRE_PACKET_FDS);
        return r < 0 ? r :
                       wire_send(socket, last->head, last->size, behind ? plan->data : NULL, behind ? plan->size : 0,
                                 plan->fds + at, plan->n_fds - at);
}
