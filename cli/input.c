#include "cli/input.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/handle.h"

struct cli_input {
        uv_poll_t *poll; /* of @epoll; NULL: a file, which is always readable and cannot be waited for */
        uv_idle_t *idle;
        int epoll; /* watches standard input, which libuv would make non-blocking for everybody */
        void (*on_data)(void *data, uint8_t *bytes, size_t size);
        void *data;
        uint8_t bytes[CLI_INPUT_PIECE];
};

static void take(struct cli_input *input) {
        ssize_t n = read(STDIN_FILENO, input->bytes, sizeof(input->bytes));

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        if (n <= 0)
                cli_input_pause(input);
        input->on_data(input->data, input->bytes, n > 0 ? (size_t)n : 0);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
        take(poll->data);
}

static void on_idle(uv_idle_t *idle) {
        take(idle->data);
}

static int watch(struct cli_input *input, uv_loop_t *loop) {
        struct epoll_event event = { .events = EPOLLIN };
        int r;

        input->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (input->epoll < 0)
                return -errno;
        if (epoll_ctl(input->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0) {
                if (errno != EPERM)
                        return -errno;
                input->idle = malloc(sizeof(*input->idle));
                if (!input->idle)
                        return -ENOMEM;
                uv_idle_init(loop, input->idle);
                input->idle->data = input;
                return 0;
        }
        input->poll = malloc(sizeof(*input->poll));
        if (!input->poll)
                return -ENOMEM;
        r = uv_poll_init(loop, input->poll, input->epoll);
        if (r < 0)
                free(TAKE_PTR(input->poll));
        else
                input->poll->data = input;
        return r;
}

int cli_input_new(uv_loop_t *loop, void (*on_data)(void *data, uint8_t *bytes, size_t size), void *data,
                  struct cli_input **ret_input) {
        struct cli_input *input = calloc(1, sizeof(*input));
        int r;

        if (!input)
                return -ENOMEM;
        input->epoll = -EBADF;
        input->on_data = on_data;
        input->data = data;
        r = watch(input, loop);
        if (r < 0) {
                cli_input_free(input);
                return r;
        }
        cli_input_resume(input);
        *ret_input = input;
        return 0;
}

void cli_input_pause(struct cli_input *input) {
        if (input && input->poll)
                uv_poll_stop(input->poll);
        if (input && input->idle)
                uv_idle_stop(input->idle);
}

void cli_input_resume(struct cli_input *input) {
        if (input && input->poll)
                uv_poll_start(input->poll, UV_READABLE, on_readable);
        if (input && input->idle)
                uv_idle_start(input->idle, on_idle);
}

void cli_input_free(struct cli_input *input) {
        if (!input)
                return;
        handle_free(input->poll);
        handle_free(input->idle);
        close_fd(input->epoll);
        free(input);
}
