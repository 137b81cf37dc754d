/* One inotify instance for all logs that are followed, of which the node's root has but 128 for all that runs on it
 * (fs.inotify.max_user_instances): each container's directory is watched once, for as long as somebody follows a log
 * in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/kubelet/internal.h"
#include "agent/kubelet/logs.h"
#include "lib/cleanup.h"
#include "lib/handle.h"

struct kubelet_log_watch {
        int fd;
        uv_poll_t *poll;
};

static void on_readable(uv_poll_t *poll, int status, int events) {
        _Alignas(struct inotify_event) char buffer[16 * 1024];
        struct kubelet *k = poll->data;
        ssize_t n = read(k->log_watch->fd, buffer, sizeof(buffer));

        for (ssize_t at = 0; at < n;) {
                const struct inotify_event *event = (const void *)(buffer + at);

                kubelet_logs_changed(k, event->mask & IN_Q_OVERFLOW ? KUBELET_LOGS_ALL : event->wd);
                at += (ssize_t)(sizeof(*event) + event->len);
        }
}

static int make_poll(struct kubelet *k, struct kubelet_log_watch *watch) {
        int r;

        if (!(watch->poll = malloc(sizeof(*watch->poll))))
                return -ENOMEM;
        if ((r = uv_poll_init(k->world.loop, watch->poll, watch->fd)) < 0) {
                free(TAKE_PTR(watch->poll));
                return r;
        }
        watch->poll->data = k;
        return uv_poll_start(watch->poll, UV_READABLE, on_readable);
}

static void watch_free(struct kubelet_log_watch *watch) {
        handle_free(watch->poll);
        close_fd(watch->fd);
        free(watch);
}

static int make(struct kubelet *k) {
        struct kubelet_log_watch *watch = calloc(1, sizeof(*watch));
        int r;

        if (!watch)
                return -ENOMEM;
        watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        r = watch->fd < 0 ? -errno : make_poll(k, watch);
        if (r < 0) {
                watch_free(watch);
                return r;
        }
        k->log_watch = watch;
        return 0;
}

int kubelet_log_watch_add(struct kubelet *k, const char *log) {
        const char *slash = strrchr(log, '/');
        _cleanup_free_ char *dir = strndup(log, slash ? (size_t)(slash - log) : 0);
        int r;

        if (!dir)
                return -ENOMEM;
        if (!k->log_watch && (r = make(k)) < 0)
                return r;
        r = inotify_add_watch(k->log_watch->fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
        return r < 0 ? -errno : r;
}

void kubelet_log_watch_remove(struct kubelet *k, int wd) {
        inotify_rm_watch(k->log_watch->fd, wd);
}

void kubelet_log_watch_free(struct kubelet *k) {
        if (k->log_watch)
                watch_free(TAKE_PTR(k->log_watch));
}
