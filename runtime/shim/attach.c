#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "lib/cleanup.h"
#include "runtime/shim/shim.h"

static void tap_close(struct tap *tap) {
        struct container *container = tap->container;

        shim_source_close(container->shim, &tap->source);
        tap->container = NULL;
        if (--container->n_taps > 0)
                return;
        for (int i = 0; i < 2; i++)
                container->streams[i].log.tap = NULL;
}

static bool reader_has_gone(const struct tap *tap) {
        struct pollfd end = { .fd = tap->source.fd };

        return poll(&end, 1, 0) == 1 && (end.revents & POLLERR);
}

/* An event of this turn may be of who had the tap before. */
static void tap_ready(struct shim_source *source, uint32_t events) {
        struct tap *tap = (struct tap *)source;

        (void)events;
        if (reader_has_gone(tap))
                tap_close(tap);
}

/* Nobody waits for a reader: what its pipe does not take ends its attach. */
static void container_tap(void *userdata, enum logs_stream_name name, const char *data, size_t size) {
        struct container *container = userdata;

        for (unsigned i = 0; i < SHIM_TAPS_MAX && container->taps; i++) {
                struct tap *tap = &container->taps[i];
                ssize_t n;

                if (tap->container != container || tap->name != name)
                        continue;
                n = write(tap->source.fd, data, size);
                if (n != (ssize_t)size)
                        tap_close(tap);
        }
}

static int tap_open(struct container *container, enum logs_stream_name name, int fd) {
        struct tap *tap = container->taps;
        int r;

        if (fd < 0)
                return 0;
        while (tap < container->taps + SHIM_TAPS_MAX && tap->container)
                tap++;
        if (tap == container->taps + SHIM_TAPS_MAX)
                return -EMFILE;
        fcntl(fd, F_SETFL, O_NONBLOCK | O_WRONLY);
        fcntl(fd, F_SETPIPE_SZ, LOGS_PIPE_MAX);
        tap->source.ready = tap_ready;
        /* Only the errors, which need not be asked for: room in the pipe is not waited for. */
        r = shim_source_add(container->shim, &tap->source, fd, 0);
        if (r < 0)
                return r;
        tap->container = container;
        tap->name = name;
        container->n_taps++;
        for (int i = 0; i < 2; i++)
                container->streams[i].log.tap = container_tap;
        return 0;
}

/* Who has gone keeps no place, though its event has not come yet. */
static bool has_room(struct container *container, unsigned n) {
        if (SHIM_TAPS_MAX - container->n_taps >= n)
                return true;
        for (unsigned i = 0; i < SHIM_TAPS_MAX; i++)
                if (container->taps[i].container && reader_has_gone(&container->taps[i]))
                        tap_close(&container->taps[i]);
        return SHIM_TAPS_MAX - container->n_taps >= n;
}

int shim_container_attach(struct connection *connection, struct shim_request *request) {
        struct container *container = shim_container_find(connection->shim, request->head.id);
        static const enum logs_stream_name names[2] = { LOGS_STDOUT, LOGS_STDERR };
        const int indexes[2] = { request->head.stdout_fd, request->head.stderr_fd };
        struct wire_reply reply;
        char text[96];
        int in;

        if (!container)
                return -ENOENT;
        if (container->exited)
                return -ESRCH;
        if (!container->taps)
                container->taps = shim_map(SHIM_TAPS_MAX * sizeof(struct tap));
        if (!container->taps)
                return -ENOMEM;
        if (!has_room(container, ELEMENTS(indexes))) {
                snprintf(text, sizeof(text), "%d clients are attached to the container; no more are possible",
                         SHIM_TAPS_MAX / 2);
                shim_connection_answer(connection, ENOBUFS, text);
                return 1;
        }
        for (int i = 0; i < 2; i++) {
                int fd = shim_request_take(request, indexes[i]), r = tap_open(container, names[i], fd);

                if (r < 0) {
                        close_fd(fd);
                        return r;
                }
        }
        reply = container->state;
        in = container->master_fd >= 0 ? container->master_fd : container->stdin_fd;
        if (in >= 0)
                reply.flags |= container->master_fd >= 0 ? WIRE_R_MASTER : WIRE_R_STDIN;
        shim_connection_send(connection, &reply, &in, in >= 0);
        return 0;
}

void shim_container_detach_all(struct container *container) {
        for (unsigned i = 0; container->taps && i < SHIM_TAPS_MAX; i++)
                if (container->taps[i].container)
                        tap_close(&container->taps[i]);
}
