/* The processes of a cgroup: list, freeze, kill; and its removal, which waits for them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cgroups/stats.h"
#include "cgroups/tree.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/grow.h"

#define FREEZE_SECONDS 10

/* v1 has no event for "empty" that a process can wait for without an agent on the host. */
#define V1_RETRY_NS 1000000

struct pid_list {
        pid_t *pids;
        size_t n, allocated;
};

static int add_pid(struct pid_list *list, pid_t pid) {
        int r = GROW(list->pids, list->allocated, list->n + 1, CGROUP_PIDS_MAX);

        if (r == 0)
                list->pids[list->n++] = pid;
        return r;
}

static int list_one(const struct hierarchy *h, const char *rel, void *userdata) {
        int fd = cg_open(h, rel, "cgroup.procs", O_RDONLY), pid, r = 0;
        _cleanup_fclose_ FILE *f = fd >= 0 ? fdopen(fd, "re") : NULL;

        if (!f) {
                close_fd(fd);
                return fd == -ENOENT || fd == -ENODEV ? 0 : fd < 0 ? fd : -ENOMEM;
        }
        /* Zero is a process outside our PID namespace. */
        while (r == 0 && fscanf(f, "%d", &pid) == 1)
                if (pid > 0)
                        r = add_pid(userdata, pid);
        return r;
}

static const struct hierarchy *process_hierarchy(const struct cgroups *c) {
        return c->v2 ?: c->by_controller[CGROUP_FREEZER] ?: c->by_controller[CGROUP_PIDS] ?: &c->hierarchies[0];
}

int cgroup_pids(const struct cgroups *c, const char *path, bool recursive, pid_t **ret_pids, size_t *ret_n,
                struct err **err) {
        const struct hierarchy *h = process_hierarchy(c);
        struct pid_list list = { 0 };
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);

        if (r < 0)
                return r;
        r = recursive ? cg_walk(h, rel, list_one, &list) : list_one(h, rel, &list);
        if (r < 0) {
                free(list.pids);
                return err_errno(err, -r, "cgroup %s: list its processes", rel);
        }
        *ret_pids = list.pids;
        *ret_n = list.n;
        return 0;
}

/* Waits until `key` in cgroup.events is @value; the kernel notifies of changes. */
static int wait_event(const struct hierarchy *h, const char *rel, const char *key, uint64_t value,
                      int64_t deadline_ms) {
        _cleanup_close_ int fd = cg_open(h, rel, "cgroup.events", O_RDONLY);

        if (fd < 0)
                return fd;
        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLPRI };
                int64_t left = deadline_ms - clock_ms(CLOCK_MONOTONIC);
                char text[256];
                ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

                if (n < 0)
                        return -errno;
                text[n] = '\0';
                if (cg_field(text, key) == value)
                        return 0;
                if (left <= 0)
                        return -ETIMEDOUT;
                if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
                        return -errno;
        }
}

static void pause_v1(void) {
        nanosleep(&(struct timespec){ .tv_nsec = V1_RETRY_NS }, NULL);
}

static int freeze_v1(const struct hierarchy *h, const char *rel, bool frozen, int64_t deadline_ms) {
        const char *state = frozen ? "FROZEN" : "THAWED";

        for (;;) {
                char text[32];
                /* Written again each time: a process that was forked meanwhile is caught by that. */
                int r = cg_write(h, rel, "freezer.state", state);

                if (r < 0 || (r = cg_read(h, rel, "freezer.state", text, sizeof(text))) < 0)
                        return r;
                if (strncmp(text, state, strlen(state)) == 0)
                        return 0;
                if (clock_ms(CLOCK_MONOTONIC) >= deadline_ms)
                        return -ETIMEDOUT;
                pause_v1();
        }
}

int cgroup_freeze(const struct cgroups *c, const char *path, bool frozen, struct err **err) {
        const struct hierarchy *v1 = c->by_controller[CGROUP_FREEZER];
        int64_t deadline_ms = clock_ms(CLOCK_MONOTONIC) + FREEZE_SECONDS * 1000;
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);

        if (r < 0)
                return r;
        if (c->v2) {
                r = cg_write(c->v2, rel, "cgroup.freeze", frozen ? "1" : "0");
                if (r == 0)
                        r = wait_event(c->v2, rel, "frozen", frozen, deadline_ms);
        } else {
                r = v1 ? freeze_v1(v1, rel, frozen, deadline_ms) : -EOPNOTSUPP;
        }
        if (r == -ETIMEDOUT && frozen) /* half a freeze is worse than none */
                cgroup_freeze(c, path, false, NULL);
        return r < 0 ? err_errno(err, -r, "cgroup %s: %s", rel, frozen ? "freeze" : "thaw") : 0;
}

/* One signal to each process, by number: between listing and signal the freezer keeps them from forking and ending. */
static int kill_each(const struct cgroups *c, const char *rel) {
        char path[CGROUP_PATH_MAX + 1];
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;
        int r;

        snprintf(path, sizeof(path), "/%s", rel);
        r = cgroup_pids(c, path, true, &pids, &n, NULL);
        for (size_t i = 0; i < n && r == 0; i++)
                kill(pids[i], SIGKILL);
        return r;
}

int cgroup_kill(const struct cgroups *c, const char *path, struct err **err) {
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);
        bool frozen;

        if (r < 0)
                return r;
        r = c->v2 ? cg_write(c->v2, rel, "cgroup.kill", "1") : -EOPNOTSUPP;
        if (r < 0 && cgroup_exists(c, path)) { /* before Linux 5.14, or v1 */
                frozen = cgroup_freeze(c, path, true, NULL) == 0;
                r = kill_each(c, rel);
                if (frozen)
                        cgroup_freeze(c, path, false, NULL);
        } else if (r == -ENOENT || r == -ENODEV) {
                r = 0;
        }
        return r < 0 ? err_errno(err, -r, "cgroup %s: kill its processes", rel) : 0;
}

/* Whether processes are in the cgroup or below. */
static bool is_populated(const struct cgroups *c, const char *rel) {
        char path[CGROUP_PATH_MAX + 1], text[256];
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;

        if (c->v2)
                return cg_read(c->v2, rel, "cgroup.events", text, sizeof(text)) == 0 &&
                       cg_field(text, "populated") == 1;
        snprintf(path, sizeof(path), "/%s", rel);
        return cgroup_pids(c, path, true, &pids, &n, NULL) == 0 && n > 0;
}

static int remove_one(const struct hierarchy *h, const char *rel, void *userdata) {
        return unlinkat(h->fd, rel, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

#define BELOW_MAX 2048 /* bytes of paths */

/* What was below a cgroup in one hierarchy, each with its NUL, the deepest first: the same is in the others, where it
 * goes without a look at their files. What has no room is looked for. */
struct below {
        char paths[BELOW_MAX];
        size_t n;
};

static int remove_and_note(const struct hierarchy *h, const char *rel, void *userdata) {
        struct below *below = userdata;
        size_t size = strlen(rel) + 1;
        int r = remove_one(h, rel, NULL);

        if (r == 0 && size <= sizeof(below->paths) - below->n) {
                memcpy(below->paths + below->n, rel, size);
                below->n += size;
        }
        return r;
}

/* Without anything below and in it, which is how a stopped container's is, one call does. */
static int remove_tree(const struct hierarchy *h, const char *rel, struct below *below) {
        bool known = below->n > 0;
        int r;

        for (size_t at = 0; at < below->n; at += strlen(below->paths + at) + 1)
                remove_one(h, below->paths + at, NULL);
        r = remove_one(h, rel, NULL);
        return r == -EBUSY || r == -ENOTEMPTY ? cg_walk(h, rel, known ? remove_one : remove_and_note, below) : r;
}

static int remove_all(const struct cgroups *c, const char *rel) {
        struct below below = { .n = 0 };
        int busy = 0;

        for (size_t i = 0; i < c->n; i++) {
                int r = remove_tree(&c->hierarchies[i], rel, &below);

                if (r < 0)
                        busy = r;
        }
        return busy;
}

int cgroup_prune(const struct cgroups *c, const char *path, struct err **err) {
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);

        for (size_t i = 0; i < c->n && r == 0; i++) {
                r = remove_one(&c->hierarchies[i], rel, NULL);
                if (r == -EBUSY || r == -ENOTEMPTY)
                        r = 0;
                if (r < 0)
                        err_errno(err, -r, "cgroup %s: remove it from %s", rel, c->hierarchies[i].mount.path);
        }
        return r;
}

static int still_busy(const struct cgroups *c, const char *rel, int seconds, struct err **err) {
        char path[CGROUP_PATH_MAX + 1];
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;

        snprintf(path, sizeof(path), "/%s", rel);
        cgroup_pids(c, path, true, &pids, &n, NULL);
        if (n > 0)
                return err_set(err, EBUSY, "cgroup %s: process %d does not end within %d s of SIGKILL", rel, pids[0],
                               seconds);
        return err_set(err, EBUSY, "cgroup %s: cannot be removed though it has no processes", rel);
}

int cgroup_remove(const struct cgroups *c, const char *path, struct err **err) {
        int64_t deadline_ms = clock_ms(CLOCK_MONOTONIC) + CGROUP_KILL_SECONDS * 1000;
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);

        if (r < 0)
                return r;
        r = remove_all(c, rel);
        if (r == 0)
                return 0;
        if (r != -EBUSY && r != -ENOTEMPTY)
                return err_errno(err, -r, "cgroup %s: remove", rel);
        r = cgroup_kill(c, path, err);
        if (r < 0)
                return r;
        for (;;) {
                if (c->v2)
                        wait_event(c->v2, rel, "populated", 0, deadline_ms);
                if (remove_all(c, rel) == 0)
                        return 0;
                if (clock_ms(CLOCK_MONOTONIC) >= deadline_ms)
                        return still_busy(c, rel, CGROUP_KILL_SECONDS, err);
                pause_v1(); /* the last process is on its way out of the other hierarchies */
        }
}

int cgroup_end(const struct cgroups *c, const char *path, struct err **err) {
        int64_t deadline_ms = clock_ms(CLOCK_MONOTONIC) + CGROUP_END_SECONDS * 1000;
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);

        if (r < 0 || !is_populated(c, rel))
                return r;
        r = cgroup_kill(c, path, err);
        if (r < 0)
                return r;
        if (c->v2)
                wait_event(c->v2, rel, "populated", 0, deadline_ms);
        while (is_populated(c, rel)) {
                if (clock_ms(CLOCK_MONOTONIC) >= deadline_ms)
                        return still_busy(c, rel, CGROUP_END_SECONDS, err);
                pause_v1();
        }
        return 0;
}
