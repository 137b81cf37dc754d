/* One epoll descriptor over what tells of OOM: memory.events itself on v2, an eventfd for each cgroup on v1. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "cgroups/oom.h"
#include "cgroups/tree.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define BUCKETS 64

struct watch {
        struct watch *next;
        void *key;
        int fd;
};

struct cgroup_oom_watcher {
        const struct cgroups *cgroups;
        int epoll;
        struct watch *buckets[BUCKETS];
};

static struct watch **bucket(struct cgroup_oom_watcher *w, const void *key) {
        return &w->buckets[((uintptr_t)key >> 4) % BUCKETS];
}

int cgroup_oom_watcher_new(const struct cgroups *c, struct cgroup_oom_watcher **ret_watcher, struct err **err) {
        struct cgroup_oom_watcher *w = calloc(1, sizeof(*w));

        if (!w)
                return err_errno(err, ENOMEM, "OOM watcher");
        w->cgroups = c;
        w->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (w->epoll < 0) {
                free(w);
                return err_errno(err, errno, "OOM watcher");
        }
        *ret_watcher = w;
        return 0;
}

void cgroup_oom_watcher_free(struct cgroup_oom_watcher *w) {
        if (!w)
                return;
        for (size_t i = 0; i < BUCKETS; i++)
                while (w->buckets[i])
                        cgroup_oom_watcher_remove(w, w->buckets[i]->key);
        close_fd(w->epoll);
        free(w);
}

int cgroup_oom_watcher_fd(const struct cgroup_oom_watcher *w) {
        return w->epoll;
}

/* An eventfd that v1 raises when the cgroup runs into its limit. */
static int open_v1(const struct hierarchy *h, const char *rel) {
        _cleanup_close_ int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        _cleanup_close_ int control = cg_open(h, rel, "memory.oom_control", O_RDONLY);
        char text[32];
        int r;

        if (event < 0 || control < 0)
                return event < 0 ? -errno : control;
        snprintf(text, sizeof(text), "%d %d", event, control);
        r = cg_write(h, rel, "cgroup.event_control", text);
        return r < 0 ? r : TAKE_FD(event);
}

static int open_v2(const struct hierarchy *h, const char *rel) {
        int fd = cg_open(h, rel, "memory.events", O_RDONLY);
        char text[512];

        /* Reading it marks what happened so far as seen. */
        if (fd >= 0 && pread(fd, text, sizeof(text), 0) < 0)
                return close_fd(fd), -errno;
        return fd;
}

int cgroup_oom_watcher_add(struct cgroup_oom_watcher *w, const char *path, void *key, struct err **err) {
        const struct hierarchy *h = w->cgroups->by_controller[CGROUP_MEMORY];
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ struct watch *watch = calloc(1, sizeof(*watch));
        char rel[CGROUP_PATH_MAX];
        struct epoll_event event = { .events = EPOLLPRI | EPOLLET, .data.ptr = watch };
        int r = cg_resolve(w->cgroups, path, rel, err);

        if (r < 0 || !h)
                return r;
        if (!watch)
                return err_errno(err, ENOMEM, "cgroup %s: watch", rel);
        if (!h->mount.v2)
                event.events = EPOLLIN | EPOLLET;
        fd = h->mount.v2 ? open_v2(h, rel) : open_v1(h, rel);
        if (fd < 0)
                return err_errno(err, -fd, "cgroup %s: watch for OOM kills", rel);
        if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                return err_errno(err, errno, "cgroup %s: watch for OOM kills", rel);
        watch->fd = TAKE_FD(fd);
        watch->key = key;
        watch->next = *bucket(w, key);
        *bucket(w, key) = TAKE_PTR(watch);
        return 0;
}

void cgroup_oom_watcher_remove(struct cgroup_oom_watcher *w, void *key) {
        for (struct watch **p = bucket(w, key); *p; p = &(*p)->next) {
                struct watch *watch = *p;

                if (watch->key != key)
                        continue;
                *p = watch->next;
                /* Closing alone would leave it there while a child between fork and exec has the descriptor too. */
                epoll_ctl(w->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
                close_fd(watch->fd);
                free(watch);
                return;
        }
}

void *cgroup_oom_watcher_next(struct cgroup_oom_watcher *w) {
        struct epoll_event event;
        struct watch *watch;
        char text[512];

        if (epoll_wait(w->epoll, &event, 1, 0) != 1)
                return NULL;
        watch = event.data.ptr;
        /* A v2 file is read to arm it again; an eventfd to empty it. */
        if (pread(watch->fd, text, sizeof(text), 0) < 0 && read(watch->fd, text, sizeof(text)) < 0)
                return watch->key; /* its cgroup is gone: reading its state will say so */
        return watch->key;
}
