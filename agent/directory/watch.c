#include "agent/directory/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* Only what may change where the path leads is watched, so that a busy folder on the way (/tmp, /run) wakes nobody:
 * a directory for its own move or removal, a folder for a name in it only where that is a symlink or missing. One
 * inode has one watch, so masks add up. */
#define MASK_SELF (IN_DELETE_SELF | IN_MOVE_SELF)
#define MASK_NAME (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define MASK_FILES (MASK_NAME | IN_CLOSE_WRITE)

struct link {
        int wd;
        char *name; /* the symlink or missing component in that folder; NULL: only the folder itself counts */
        bool last;  /* the watched directory */
};

struct watch {
        uv_poll_t poll;
        int fd;
        char *dir;
        struct link chain[WATCH_CHAIN_MAX];
        size_t n_chain;
        struct watch_events events;
};

static void forget_links(struct link *chain, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(chain[i].name);
}

/* Watches the folder @path, for @name in it if given. A folder that cannot be watched ends the walk. */
static int add_link(struct watch *w, const char *path, const char *name, uint32_t mask) {
        int wd;

        if (w->n_chain == WATCH_CHAIN_MAX)
                return -ELOOP;
        wd = inotify_add_watch(w->fd, path[0] ? path : "/", mask | MASK_SELF | IN_ONLYDIR | IN_MASK_ADD);
        if (wd < 0)
                return -errno;
        w->chain[w->n_chain] =
                (struct link){ .wd = wd, .name = name ? strdup(name) : NULL, .last = mask == MASK_FILES };
        if (name && !w->chain[w->n_chain].name)
                return -ENOMEM;
        w->n_chain++;
        return 0;
}

/* Puts a symlink's target in front of what is left of the path. */
static int follow(const char *path, char *at, char *rest, size_t size) {
        char target[PATH_MAX], joined[PATH_MAX];
        ssize_t n = readlink(path, target, sizeof(target) - 1);

        if (n <= 0)
                return -ENOENT;
        target[n] = '\0';
        if (snprintf(joined, sizeof(joined), "%s/%s", target, rest) >= (int)sizeof(joined))
                return -ENAMETOOLONG;
        if (target[0] == '/')
                at[0] = '\0';
        snprintf(rest, size, "%s", joined);
        return 0;
}

/* Passes @name in @at, whose path is @next: into a directory, along a symlink, or no further. */
static bool step(struct watch *w, char *at, const char *name, const char *next, char *rest, size_t size) {
        struct stat st;

        if (lstat(next, &st) == 0 && S_ISDIR(st.st_mode) && add_link(w, next, NULL, 0) == 0) {
                memcpy(at, next, strlen(next) + 1);
                return true;
        }
        /* Watched before it is looked at again: what comes in between is not missed. */
        if (add_link(w, at, name, MASK_NAME) < 0 || lstat(next, &st) < 0)
                return false;
        if (S_ISLNK(st.st_mode))
                return follow(next, at, rest, size) == 0;
        memcpy(at, next, strlen(next) + 1);
        return S_ISDIR(st.st_mode);
}

/* Walks from the root, watching each folder for the component that comes next; ends at the directory, or where
 * the path leads no further. */
static void walk(struct watch *w) {
        char at[PATH_MAX] = "", next[PATH_MAX], rest[PATH_MAX], name[NAME_MAX + 1];

        snprintf(rest, sizeof(rest), "%s", w->dir);
        for (;;) {
                char *p = rest + strspn(rest, "/");
                size_t length = strcspn(p, "/");

                if (!length)
                        break;
                if (length > NAME_MAX)
                        return;
                memcpy(name, p, length);
                name[length] = '\0';
                memmove(rest, p + length, strlen(p + length) + 1);
                if (strcmp(name, ".") == 0)
                        continue;
                if (strcmp(name, "..") == 0) {
                        char *slash = strrchr(at, '/');
                        if (slash)
                                *slash = '\0';
                        continue;
                }
                if (snprintf(next, sizeof(next), "%s/%s", at, name) >= (int)sizeof(next))
                        return;
                if (!step(w, at, name, next, rest, sizeof(rest)))
                        return;
        }
        add_link(w, at, NULL, MASK_FILES);
}

/* Watches anew; what the old walk watched and the new one does not is dropped. */
static void rewalk(struct watch *w) {
        struct link old[WATCH_CHAIN_MAX];
        size_t n_old = w->n_chain;

        memcpy(old, w->chain, sizeof(old));
        w->n_chain = 0;
        walk(w);
        for (size_t i = 0; i < n_old; i++) {
                bool kept = false;

                for (size_t k = 0; k < w->n_chain; k++)
                        kept |= w->chain[k].wd == old[i].wd;
                if (!kept)
                        inotify_rm_watch(w->fd, old[i].wd);
        }
        forget_links(old, n_old);
}

/* Whether an event says that the path may lead elsewhere now. */
static bool moves_path(const struct watch *w, const struct inotify_event *e, const char *name) {
        if (e->mask & IN_Q_OVERFLOW)
                return true;
        for (size_t i = 0; i < w->n_chain; i++) {
                const struct link *link = &w->chain[i];

                if (link->wd != e->wd)
                        continue;
                if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
                        return true;
                if (link->name && strcmp(link->name, name) == 0 && !(e->mask & IN_CLOSE_WRITE))
                        return true;
        }
        return false;
}

static bool is_directory(const struct watch *w, int wd) {
        const struct link *last = w->n_chain ? &w->chain[w->n_chain - 1] : NULL;

        return last && last->last && last->wd == wd;
}

static void on_readable(uv_poll_t *poll, int status, int what) {
        struct watch *w = poll->data;
        _Alignas(struct inotify_event) char buffer[16 * 1024];
        bool moved = false;

        for (;;) {
                ssize_t n = read(w->fd, buffer, sizeof(buffer));
                if (n <= 0)
                        break;
                for (char *p = buffer; p < buffer + n;) {
                        const struct inotify_event *e = (const void *)p;
                        const char *name = e->len ? e->name : "";

                        p += sizeof(*e) + e->len;
                        if (moves_path(w, e, name))
                                moved = true;
                        else if (is_directory(w, e->wd) && name[0])
                                w->events.entry(w->events.data, name, e->mask);
                }
        }
        if (moved) {
                rewalk(w);
                w->events.rescan(w->events.data);
        }
}

int watch_new(uv_loop_t *loop, const char *dir, const struct watch_events *events, struct watch **ret_watch,
              struct err **err) {
        struct watch *w = calloc(1, sizeof(*w));

        if (!w || !(w->dir = strdup(dir))) {
                free(w);
                return err_set(err, ENOMEM, "out of memory");
        }
        w->events = *events;
        w->poll.data = w;
        w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (w->fd < 0) {
                int code = errno;

                free(w->dir);
                free(w);
                return err_errno(err, code, "cannot watch %s (see fs.inotify.max_user_instances)", dir);
        }
        uv_poll_init(loop, &w->poll, w->fd);
        uv_poll_start(&w->poll, UV_READABLE, on_readable);
        rewalk(w);
        *ret_watch = w;
        return 0;
}

static void on_closed(uv_handle_t *handle) {
        struct watch *w = handle->data;

        close(w->fd);
        forget_links(w->chain, w->n_chain);
        free(w->dir);
        free(w);
}

void watch_free(struct watch *w) {
        if (!w)
                return;
        uv_poll_stop(&w->poll);
        uv_close((uv_handle_t *)&w->poll, on_closed);
}
