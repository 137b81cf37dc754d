#include "agent/eviction/notice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"

#define PRESSURE "/proc/pressure/memory"

struct notice {
        uv_poll_t *poll;
        int fd;
        void (*heard)(void *data);
        void *data;
};

static void on_poll(uv_poll_t *poll, int status, int events) {
        struct notice *notice = poll->data;

        if (status < 0)
                uv_poll_stop(poll); /* the trigger is gone */
        else
                notice->heard(notice->data);
}

static int open_trigger(void) {
        _cleanup_close_ int fd = open(PRESSURE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        char text[64];
        int n = snprintf(text, sizeof(text), "some %d %d", NOTICE_STALL_US, NOTICE_WINDOW_US);

        if (fd < 0 || write(fd, text, (size_t)n + 1) < 0) {
                log_debug("no notice of memory pressure from %s: %s", PRESSURE, strerror(errno));
                return -EBADF;
        }
        return TAKE_FD(fd);
}

struct notice *notice_new(uv_loop_t *loop, void (*heard)(void *data), void *data) {
        struct notice *notice = calloc(1, sizeof(*notice));

        if (!notice)
                return NULL;
        notice->heard = heard;
        notice->data = data;
        notice->fd = open_trigger();
        notice->poll = notice->fd < 0 ? NULL : malloc(sizeof(*notice->poll));
        if (!notice->poll || uv_poll_init(loop, notice->poll, notice->fd) < 0) {
                free(notice->poll);
                close_fd(notice->fd);
                free(notice);
                return NULL;
        }
        notice->poll->data = notice;
        uv_poll_start(notice->poll, UV_PRIORITIZED, on_poll);
        return notice;
}

void notice_free(struct notice *notice) {
        if (!notice)
                return;
        handle_free(notice->poll);
        close(notice->fd);
        free(notice);
}
