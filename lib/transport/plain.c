#include <errno.h>
#include <unistd.h>

#include "lib/transport/internal.h"

static ssize_t read_plain(struct transport *stream, void *buffer, size_t size) {
        ssize_t n;

        do
                n = read(stream->fd, buffer, size);
        while (n < 0 && errno == EINTR);
        stream->dry = n > 0 && (size_t)n < size;
        return n < 0 ? -errno : n;
}

static ssize_t write_plain(struct transport *stream, const struct iovec *ranges, unsigned n_ranges) {
        const struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)ranges, .msg_iovlen = n_ranges };
        ssize_t n;

        do
                n = n_ranges == 1 ? send(stream->fd, ranges->iov_base, ranges->iov_len, MSG_NOSIGNAL) :
                                    sendmsg(stream->fd, &message, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

static int handshake_plain(struct transport *stream) {
        return 0;
}

static int shutdown_plain(struct transport *stream) {
        return shutdown(stream->fd, SHUT_WR) < 0 ? -errno : 0;
}

static bool buffered_plain(const struct transport *stream) {
        return false;
}

const struct transport_kind transport_plain = { read_plain, write_plain, handshake_plain, shutdown_plain,
                                                buffered_plain };
