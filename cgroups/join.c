/* Getting processes into a cgroup. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cgroups/tree.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static bool is_in(const struct hierarchy *h, const char *rel) {
        return h->required || faccessat(h->fd, rel, F_OK, 0) == 0;
}

int cgroup_join_open(const struct cgroups *c, const char *path, struct cgroup_join *ret_join, struct err **err) {
        struct cgroup_join join = CGROUP_JOIN_NONE;
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);

        for (size_t i = 0; i < c->n && r == 0; i++) {
                const struct hierarchy *h = &c->hierarchies[i];
                int fd;

                fd = h->mount.v2 ? cg_open(h, rel, "", O_RDONLY | O_DIRECTORY) : cg_open(h, rel, "tasks", O_WRONLY);
                if (fd < 0 && !h->required)
                        continue;
                if (fd < 0)
                        r = err_errno(err, -fd, "cgroup %s: join it in %s", rel, h->mount.path);
                else if (h->mount.v2)
                        join.dir_fd = fd;
                else {
                        if (h->mount.controllers == 1u << CGROUP_MEMORY)
                                join.memory = (int)join.n_tasks;
                        join.tasks[join.n_tasks++] = fd;
                }
        }
        if (r < 0) {
                cgroup_join_close(&join);
                return r;
        }
        *ret_join = join;
        return 0;
}

void cgroup_join_close(struct cgroup_join *join) {
        join->dir_fd = close_fd(join->dir_fd);
        while (join->n_tasks > 0)
                close_fd(join->tasks[--join->n_tasks]);
}

int cg_make_late(const struct cgroups *c, const struct hierarchy *h, const char *rel, struct err **err) {
        _cleanup_free_ pid_t *pids = NULL;
        char path[CGROUP_PATH_MAX + 1], value[16];
        size_t n = 0;
        int r;

        if (is_in(h, rel))
                return 0;
        r = cg_make(c, h, rel, 0, err);
        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "/%s", rel);
        r = cgroup_pids(c, path, false, &pids, &n, err);
        for (size_t i = 0; i < n && r == 0; i++) {
                snprintf(value, sizeof(value), "%d", pids[i]);
                r = cg_write(h, rel, "cgroup.procs", value);
                if (r == -ESRCH)
                        r = 0;
                else if (r < 0)
                        err_errno(err, -r, "cgroup %s: move process %d there in %s", rel, pids[i], h->mount.path);
        }
        return r;
}

/* The directory that the hierarchy is mounted at has the name that all know it by. */
static const char *name_of(const struct hierarchy *h) {
        const char *slash = strrchr(h->mount.path, '/');

        return slash ? slash + 1 : h->mount.path;
}

int cgroup_mounts(const struct cgroups *c, const char *path, struct cgroup_mount ret_mounts[CGROUP_HIERARCHIES_MAX],
                  size_t *ret_n, struct err **err) {
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);
        size_t n = 0;

        if (r < 0)
                return r;
        for (size_t i = 0; i < c->n; i++) {
                const struct hierarchy *h = &c->hierarchies[i];
                struct cgroup_mount *m = &ret_mounts[n];

                if ((h->mount.v2 && c->mode == CGROUP_HYBRID) || !is_in(h, rel))
                        continue;
                *m = (struct cgroup_mount){ 0 };
                if (!h->mount.v2) {
                        snprintf(m->name, sizeof(m->name), "%.63s", name_of(h));
                        snprintf(m->options, sizeof(m->options), "%s", h->mount.options);
                }
                if ((size_t)snprintf(m->source, sizeof(m->source), "%s/%s", h->mount.path, rel) >= sizeof(m->source))
                        return err_errno(err, ENAMETOOLONG, "cgroup %s", rel);
                n++;
        }
        *ret_n = n;
        return 0;
}
