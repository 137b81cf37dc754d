#include "lib/transport/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/transport/address.h"

#define BACKLOG 4096

/* Connections taken in one turn of the loop, before others have theirs. */
#define ACCEPTS_MAX 32

struct listener {
        uv_poll_t *poll;
        void (*on_connection)(void *data, int fd);
        void *data;
        int fd;
        int spare; /* given up for a moment to turn away who cannot be served for want of descriptors */
};

static int open_spare(void) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Left in the backlog the connection would wake the loop for ever. */
static void turn_away(struct listener *listener) {
        listener->spare = close_fd(listener->spare);
        close_fd(accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC));
        listener->spare = open_spare();
}

static void on_readable(uv_poll_t *poll, int status, int events) {
        struct listener *listener = poll->data;

        for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
                int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd >= 0)
                        listener->on_connection(listener->data, fd);
                else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
                        turn_away(listener);
                else if (errno == EAGAIN)
                        return;
        }
}

int listener_new(uv_loop_t *loop, int fd, void (*on_connection)(void *data, int fd), void *data,
                 struct listener **ret_listener) {
        struct listener *listener = calloc(1, sizeof(*listener));
        int r = -ENOMEM;

        if (!listener) {
                close_fd(fd);
                return -ENOMEM;
        }
        *listener = (struct listener){ .on_connection = on_connection, .data = data, .fd = fd, .spare = open_spare() };
        listener->poll = malloc(sizeof(*listener->poll));
        if (listener->poll)
                r = uv_poll_init(loop, listener->poll, fd);
        if (r < 0) {
                free(TAKE_PTR(listener->poll));
                listener_free(listener);
                return r;
        }
        listener->poll->data = listener;
        r = uv_poll_start(listener->poll, UV_READABLE, on_readable);
        if (r < 0) {
                listener_free(listener);
                return r;
        }
        *ret_listener = listener;
        return 0;
}

void listener_free(struct listener *listener) {
        if (!listener)
                return;
        handle_free(listener->poll);
        close_fd(listener->fd);
        close_fd(listener->spare);
        free(listener);
}

const char *listener_text(const char *ip, unsigned port, char text[LISTENER_TEXT_MAX]) {
        snprintf(text, LISTENER_TEXT_MAX, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, port);
        return text;
}

const char *listener_other_any(const char *ip) {
        return strcmp(ip, "0.0.0.0") == 0 ? "::" : strcmp(ip, "::") == 0 ? "0.0.0.0" : NULL;
}

int listener_tcp(const char *address, int *ret_fd, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_storage storage;
        socklen_t size;
        int r = address_parse(address, &storage, &size, err);

        if (r < 0)
                return r;
        fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return err_errno(err, errno, "socket");
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
        if (storage.ss_family == AF_INET6)
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int));
        if (bind(fd, (const struct sockaddr *)&storage, size) < 0 || listen(fd, BACKLOG) < 0)
                return err_errno(err, errno, "listen on %s", address);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int listener_port(int fd) {
        struct sockaddr_storage storage = { 0 };
        socklen_t size = sizeof(storage);

        getsockname(fd, (struct sockaddr *)&storage, &size);
        return address_port(&storage);
}
