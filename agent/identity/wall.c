/* The wall clock was set: a timer of timerfd_create(2) that is cancelled then. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/identity/internal.h"
#include "lib/cleanup.h"
#include "lib/handle.h"

#define FAR INT64_C(0x7fffffff) /* seconds since 1970: the timer is not there to end */

struct wall {
        void (*set)(void *data);
        void *data;
        uv_poll_t *poll;
        int fd;
};

static int arm(int fd) {
        const struct itimerspec when = { .it_value.tv_sec = FAR };
        int r = timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL);

        return r < 0 && errno != ECANCELED ? -errno : 0;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
        struct wall *wall = poll->data;
        uint64_t times;

        /* ECANCELED says that the clock was set; a clock behind FAR has it end, again and again. */
        if (read(wall->fd, &times, sizeof(times)) == (ssize_t)sizeof(times))
                uv_poll_stop(poll);
        else
                arm(wall->fd);
        wall->set(wall->data);
}

int wall_new(uv_loop_t *loop, void (*set)(void *data), void *data, struct wall **ret_wall) {
        struct wall *wall = calloc(1, sizeof(*wall));
        int r = 0;

        if (!wall)
                return -ENOMEM;
        *wall = (struct wall){ .set = set, .data = data, .poll = calloc(1, sizeof(*wall->poll)) };
        wall->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (!wall->poll || wall->fd < 0 || (r = arm(wall->fd)) < 0 ||
            (r = uv_poll_init(loop, wall->poll, wall->fd)) < 0) {
                r = r ?: wall->poll ? -errno : -ENOMEM;
                free(wall->poll);
                close_fd(wall->fd);
                free(wall);
                return r;
        }
        wall->poll->data = wall;
        uv_poll_start(wall->poll, UV_READABLE, on_readable);
        *ret_wall = wall;
        return 0;
}

void wall_free(struct wall *wall) {
        if (!wall)
                return;
        handle_free(wall->poll);
        close_fd(wall->fd);
        free(wall);
}
