#include "runtime/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int wire_send(int socket, const struct wire_packet *packet) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(WIRE_PACKET_FDS * sizeof(int))];
        } control;
        struct iovec iov[2] = {
                { .iov_base = (void *)(uintptr_t)packet->head, .iov_len = packet->head_size },
                { .iov_base = (void *)(uintptr_t)packet->tail, .iov_len = packet->tail_size },
        };
        struct msghdr message = { .msg_iov = iov, .msg_iovlen = packet->tail_size > 0 ? 2 : 1 };
        size_t n_fds = packet->n_fds;
        ssize_t n;

        if (n_fds > WIRE_PACKET_FDS)
                return -E2BIG;
        if (n_fds > 0) {
                struct cmsghdr *header = &control.header;

                memset(&control, 0, CMSG_SPACE(n_fds * sizeof(int)));
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                memcpy(CMSG_DATA(header), packet->fds, n_fds * sizeof(int));
        }
        do
                n = sendmsg(socket, &message, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

/* Whether all descriptors of @header found room. */
static int take_fds(struct cmsghdr *header, int *fds, size_t max, size_t *n_fds) {
        size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        int r = 0, fd;

        for (size_t i = 0; i < n; i++) {
                memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
                if (*n_fds < max) {
                        fds[(*n_fds)++] = fd;
                } else {
                        close(fd);
                        r = -E2BIG;
                }
        }
        return r;
}

ssize_t wire_receive(int socket, void *data, size_t size, int *fds, size_t max, size_t *n_fds) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(WIRE_PACKET_FDS * sizeof(int))];
        } control;
        struct iovec iov = { .iov_base = data, .iov_len = size };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        ssize_t n;
        int r = 0;

        do
                n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h))
                if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && take_fds(h, fds, max, n_fds) < 0)
                        r = -E2BIG;
        if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
                r = -E2BIG;
        return r < 0 ? r : n;
}
