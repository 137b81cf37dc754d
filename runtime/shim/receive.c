/* Connections, and the requests that come by them: packets, their descriptors and plans. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "runtime/shim/shim.h"

#define PACKET_SMALL 8192

int shim_request_peek(const struct shim_request *request, int index) {
        return index >= 0 && (size_t)index < request->n_fds ? request->fds[index] : -EBADF;
}

int shim_request_take(struct shim_request *request, int index) {
        int fd = shim_request_peek(request, index);

        if (fd >= 0)
                request->fds[index] = -EBADF;
        return fd;
}

/* Fills @request from a packet of @size bytes; @ret_map is the plan's mapping. */
static int parse(struct shim_request *request, const char *packet, size_t size, void **ret_map) {
        struct wire_request *head = &request->head;
        size_t head_size;

        *head = (struct wire_request){ .plan_fd = -1 };
        if (size < offsetof(struct wire_request, n_fds))
                return -EBADMSG;
        memcpy(head, packet, offsetof(struct wire_request, n_fds));
        head_size = head->size;
        if (head->magic != WIRE_MAGIC || head->type >= WIRE_REQUESTS || head_size > size || head_size < 64)
                return -EBADMSG;
        memset(&head->shm_fd, 0xff, sizeof(*head) - offsetof(struct wire_request, shm_fd));
        memcpy(head, packet, head_size < sizeof(*head) ? head_size : sizeof(*head));
        head->id[sizeof(head->id) - 1] = head->target[sizeof(head->target) - 1] = '\0';
        head->log_name[sizeof(head->log_name) - 1] = '\0';
        if (head->type != WIRE_FDS && head->n_fds != request->n_fds)
                return -EBADMSG;
        if (head->plan_fd < 0) {
                request->plan = packet + head_size;
                return head->plan_size == size - head_size ? 0 : -EBADMSG;
        }
        if (head->plan_size == 0 || head->plan_size > PLAN_SIZE_MAX)
                return -EBADMSG;
        *ret_map = mmap(NULL, head->plan_size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
                        shim_request_peek(request, head->plan_fd), 0);
        if (*ret_map == MAP_FAILED) {
                *ret_map = NULL;
                return -errno;
        }
        request->plan = *ret_map;
        return 0;
}

/* Those of a WIRE_FDS packet wait for the request that they are of. */
static int keep_fds(struct connection *connection, struct shim_request *request, int *mapped) {
        int *fds = mapped ?: shim_map(SHIM_FDS_MAX * sizeof(int));

        if (!fds)
                return -ENOMEM;
        if (!mapped)
                memcpy(fds, request->fds, request->n_fds * sizeof(int));
        connection->fds = fds;
        connection->n_fds = request->n_fds;
        request->n_fds = 0;
        return 0;
}

/* @mapped holds the descriptors that came before, if any did; it becomes the connection's again when more follow. */
static void take_packet(struct connection *connection, const char *packet, size_t size, struct shim_request *request,
                        int *mapped) {
        void *plan = NULL;
        int r = parse(request, packet, size, &plan);

        if (r < 0)
                shim_connection_answer(connection, -r, "the request is malformed");
        else if (request->head.type != WIRE_FDS)
                shim_request_serve(connection, request);
        else if (keep_fds(connection, request, mapped) < 0)
                shim_connection_close(connection);
        if (plan)
                munmap(plan, request->head.plan_size);
}

/* Nearly every packet is a small one with few descriptors, for which there is room on the stack: to map memory costs
 * more than what most requests do, and a child copies each mapping. */
static void connection_ready(struct shim_source *source, uint32_t events) {
        struct connection *connection = (struct connection *)source;
        int own[WIRE_PACKET_FDS], *mapped = connection->fds;
        char small[PACKET_SMALL], *packet = small;
        struct shim_request request = { .fds = mapped ?: own, .n_fds = connection->n_fds };
        ssize_t n = recv(source->fd, NULL, 0, MSG_PEEK | MSG_TRUNC);

        (void)events;
        if (n < 0 && errno == EAGAIN)
                return;
        if (n > (ssize_t)sizeof(small))
                packet = shim_map(WIRE_PACKET_MAX);
        if (n <= 0 || !packet) {
                shim_connection_close(connection);
                return;
        }
        connection->fds = NULL; /* the request's from here on */
        connection->n_fds = 0;
        n = wire_receive(source->fd, packet, packet == small ? sizeof(small) : WIRE_PACKET_MAX, request.fds,
                         mapped ? SHIM_FDS_MAX : WIRE_PACKET_FDS, &request.n_fds);
        if (n > 0)
                take_packet(connection, packet, (size_t)n, &request, mapped);
        else
                shim_connection_close(connection);
        shim_close_all(request.fds, request.n_fds);
        if (mapped && connection->fds != mapped)
                shim_unmap(mapped, SHIM_FDS_MAX * sizeof(int));
        if (packet != small)
                shim_unmap(packet, WIRE_PACKET_MAX);
}

/* Whoever comes when no more can be served is told so: a connection that only ends looks like a shim's death. */
static void refuse(int fd) {
        struct wire_reply reply = { .magic = WIRE_MAGIC, .type = WIRE_DONE, .size = sizeof(reply), .code = ENOBUFS };

        snprintf(reply.text, sizeof(reply.text), "the pod's shim has %d requests and execs under way",
                 SHIM_CONNECTIONS_MAX);
        if (fd >= 0)
                wire_send(fd, &(struct wire_packet){ .head = &reply, .head_size = sizeof(reply) });
}

/* Left in the backlog, a connection would be offered again at once. */
static void refuse_without_fds(struct shim *shim) {
        _cleanup_close_ int fd = -EBADF;

        close_fd(shim->spare_fd);
        fd = accept4(shim->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        refuse(fd);
        fd = close_fd(fd);
        shim->spare_fd = fcntl(shim->proc_fd, F_DUPFD_CLOEXEC, 3);
}

void shim_connection_accept(struct shim_source *source, uint32_t events) {
        struct shim *shim = (struct shim *)((char *)source - offsetof(struct shim, listener));
        _cleanup_close_ int fd = -EBADF;
        struct connection *connection;
        struct ucred peer;
        socklen_t size = sizeof(peer);

        (void)events;
        fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
                refuse_without_fds(shim);
        if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != 0)
                return;
        if (shim->n_connections >= SHIM_CONNECTIONS_MAX) {
                refuse(fd);
                return;
        }
        connection = shim_connection_alloc(shim);
        if (!connection)
                return;
        connection->source = (struct shim_source){ .ready = connection_ready, .fd = -EBADF };
        if (shim_source_add(shim, &connection->source, fd, EPOLLIN) < 0) {
                shim_connection_discard(connection);
                return;
        }
        TAKE_FD(fd);
        connection->next = shim->connections;
        shim->connections = connection;
        shim->n_connections++;
        connection_ready(&connection->source, EPOLLIN); /* most have sent their request by now */
}
