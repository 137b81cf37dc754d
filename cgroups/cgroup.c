#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cgroups/stats.h"
#include "cgroups/tree.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"
#include "lib/log.h"

enum cgroup_mode cgroups_mode(const struct cgroups *c) {
        return c->mode;
}

bool cgroups_has(const struct cgroups *c, enum cgroup_controller controller) {
        if (controller == CGROUP_DEVICES && c->bpf_devices)
                return true;
        if (controller == CGROUP_FREEZER && c->v2)
                return true;
        return c->by_controller[controller];
}

void cg_warn(const struct cgroups *c, enum cgroup_controller controller, const char *what) {
        /* Only the mark that it was said changes. */
        unsigned before = atomic_fetch_or(&((struct cgroups *)c)->warned, CG_BIT(controller));

        if (!(before & CG_BIT(controller)))
                log_warning("cgroups: controller %s: %s; its limits have no effect", cg_controller_names[controller],
                            what);
}

/* Appends the parts of @path to @rel. */
static int append_parts(char rel[CGROUP_PATH_MAX], const char *path, struct err **err) {
        for (const char *p = path; *p;) {
                size_t n = strcspn(p, "/"), used = strlen(rel);

                if (n == 0) {
                        p++;
                        continue;
                }
                if (strncmp(p, ".", n) == 0 || strncmp(p, "..", n) == 0 || memchr(p, '\n', n))
                        return err_set(err, EINVAL, "cgroup path \"%s\": \".\", \"..\" and line ends are not allowed",
                                       path);
                if (n > NAME_MAX || used + n + 2 > CGROUP_PATH_MAX)
                        return err_set(err, ENAMETOOLONG, "cgroup path \"%s\": too long", path);
                sprintf(rel + used, "%s%.*s", used ? "/" : "", (int)n, p);
                p += n;
        }
        return 0;
}

int cg_resolve(const struct cgroups *c, const char *path, char ret_rel[CGROUP_PATH_MAX], struct err **err) {
        char rel[CGROUP_PATH_MAX];
        int r;

        strcpy(rel, path[0] == '/' ? "" : c->root);
        r = append_parts(rel, path, err);
        if (r < 0)
                return r;
        if (!*rel)
                return err_set(err, EINVAL, "cgroup path \"%s\": the root is not ours", path);
        strcpy(ret_rel, rel);
        return 0;
}

/* Enables controllers for the children of each cgroup from the root down to @rel's parent. */
static void enable(const struct cgroups *c, const struct hierarchy *h, const char *rel, uint32_t wanted) {
        char at[CGROUP_PATH_MAX] = "";

        for (const char *p = rel; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
                size_t n = (size_t)(p - rel);
                uint32_t missing;

                memcpy(at, rel, n);
                at[n > 0 ? n - 1 : 0] = '\0';
                missing =
                        wanted & cg_offered(h, at, "cgroup.controllers") & ~cg_offered(h, at, "cgroup.subtree_control");
                for (unsigned i = 0; i < _CGROUP_CONTROLLER_MAX; i++) {
                        char value[32];
                        int r;

                        if (!(missing & CG_BIT(i)))
                                continue;
                        snprintf(value, sizeof(value), "+%s", cg_controller_names[i]);
                        r = cg_write(h, at, "cgroup.subtree_control", value);
                        if (r == -EBUSY)
                                cg_warn(c, i, "cannot be enabled where processes are; use another --cgroup-root");
                        else if (r < 0)
                                cg_warn(c, i, strerrordesc_np(-r));
                }
        }
}

/* A new v1 cpuset is empty and takes no process until it has its parent's CPUs and memory nodes. Those below it have
 * them by themselves from then on. */
static void inherit_cpuset(const struct hierarchy *h, const char *rel) {
        static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
        char parent[CGROUP_PATH_MAX], own[16], *slash;

        if (cg_read(h, rel, files[0], own, sizeof(own)) == 0 && own[0] != '\n' && own[0] != '\0')
                return;
        strcpy(parent, rel);
        slash = strrchr(parent, '/');
        *(slash ?: parent) = '\0';
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                char value[CG_FILE_MAX];

                if (cg_read(h, parent, files[i], value, sizeof(value)) == 0)
                        cg_write(h, rel, files[i], value);
        }
        cg_write(h, rel, "cgroup.clone_children", "1");
}

static int make_one(const struct hierarchy *h, const char *rel) {
        if (mkdirat(h->fd, rel, 0755) < 0)
                return -errno;
        if (!h->mount.v2 && (h->mount.controllers & CG_BIT(CGROUP_CPUSET)))
                inherit_cpuset(h, rel);
        return 0;
}

static int make_parents(const struct hierarchy *h, const char *rel) {
        char path[CGROUP_PATH_MAX];

        strcpy(path, rel);
        for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
                int r;

                *slash = '\0';
                r = make_one(h, path);
                if (r < 0 && r != -EEXIST)
                        return r;
                *slash = '/';
        }
        return make_one(h, rel);
}

/* What the kernel keeps of a cgroup is charged to those above it: the one of them whose limit leaves the least. */
static int no_memory(const struct cgroups *c, const struct hierarchy *h, const char *rel, struct err **err) {
        const struct hierarchy *memory = c->by_controller[CGROUP_MEMORY];
        const char *file = memory && memory->mount.v2 ? "memory.max" : "memory.limit_in_bytes";
        char above[CGROUP_PATH_MAX], least[CGROUP_PATH_MAX] = "";
        uint64_t lowest = CGROUP_UNKNOWN, limit;

        strcpy(above, rel);
        for (char *slash; (slash = strrchr(above, '/'));) {
                *slash = '\0';
                if (cg_read_u64(memory, above, file, &limit) == 0 && limit < lowest) {
                        lowest = limit;
                        strcpy(least, above);
                }
        }
        if (lowest == CGROUP_UNKNOWN)
                return err_errno(err, ENOMEM, "cgroup %s: make it in %s", rel, h->mount.path);
        return err_set(err, ENOMEM,
                       "cgroup %s: the memory limit of %s, %" PRIu64
                       " bytes, is too small for anything to start; raise it",
                       rel, least, lowest);
}

int cg_make(const struct cgroups *c, const struct hierarchy *h, const char *rel, uint32_t controllers,
            struct err **err) {
        int r = make_one(h, rel);

        if (r == -ENOENT)
                r = make_parents(h, rel);
        if (r == -ENOMEM)
                return no_memory(c, h, rel, err);
        if (r < 0 && r != -EEXIST)
                return err_errno(err, -r, "cgroup %s: make it in %s", rel, h->mount.path);
        controllers &= h->mount.controllers;
        if (h->mount.v2 && controllers && (controllers & ~cg_offered(h, rel, "cgroup.controllers")))
                enable(c, h, rel, controllers);
        return 0;
}

static bool is_no_right(int r) {
        return r == -EACCES || r == -EPERM || r == -EROFS;
}

static int create(const struct cgroups *c, const char *path, bool holds_others, struct err **err) {
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);

        for (size_t i = 0; i < c->n && r == 0; i++) {
                const struct hierarchy *h = &c->hierarchies[i];
                /* On hybrid, v2 has hugetlb at most, which few ask for: then it is enabled. */
                uint32_t wanted = c->mode == CGROUP_V2 ? CG_V2_CONTROLLERS : 0;

                if (holds_others && !h->required)
                        continue;
                r = cg_make(c, h, rel, wanted, h->required ? err : NULL);
                if (r < 0 && !h->required)
                        r = is_no_right(r) ? 0 : cg_make(c, h, rel, wanted, err);
        }
        return r;
}

int cgroup_create(const struct cgroups *c, const char *path, struct err **err) {
        return create(c, path, false, err);
}

int cgroup_create_above(const struct cgroups *c, const char *path, struct err **err) {
        return create(c, path, true, err);
}

/* The hierarchy that tells whether a cgroup is there and what is in it. */
static const struct hierarchy *main_hierarchy(const struct cgroups *c) {
        if (c->v2)
                return c->v2;
        for (size_t i = 0; i < c->n; i++)
                if (c->hierarchies[i].required)
                        return &c->hierarchies[i];
        return &c->hierarchies[0];
}

bool cgroup_exists(const struct cgroups *c, const char *path) {
        char rel[CGROUP_PATH_MAX];
        struct stat st;

        return cg_resolve(c, path, rel, NULL) == 0 && fstatat(main_hierarchy(c)->fd, rel, &st, 0) == 0;
}

int cgroup_children(const struct cgroups *c, const char *path, char ***ret_names, struct err **err) {
        char rel[CGROUP_PATH_MAX], **names = NULL;
        _cleanup_closedir_ DIR *dir = NULL;
        size_t n = 0, allocated = 0;
        struct dirent *d;
        int fd, r = cg_resolve(c, path, rel, err);

        if (r < 0)
                return r;
        fd = cg_open(main_hierarchy(c), rel, "", O_RDONLY | O_DIRECTORY);
        if (fd < 0)
                return err_errno(err, -fd, "cgroup %s", rel);
        dir = open_dir(fd);
        if (!dir)
                return err_errno(err, errno, "cgroup %s", rel);
        do {
                d = readdir(dir);
                if (d && (d->d_type != DT_DIR || d->d_name[0] == '.'))
                        continue;
                if (GROW(names, allocated, n + 1, GROW_NO_MAX) < 0)
                        goto no_memory;
                names[n] = d ? strdup(d->d_name) : NULL;
                if (d && !names[n++])
                        goto no_memory;
        } while (d);
        *ret_names = names;
        return 0;
no_memory:
        while (n-- > 0)
                free(names[n]);
        free(names);
        return err_errno(err, ENOMEM, "cgroup %s", rel);
}

int cgroup_full_path(const struct cgroups *c, const char *path, char ret_path[CGROUP_PATH_MAX], struct err **err) {
        char rel[CGROUP_PATH_MAX];
        int r = cg_resolve(c, path, rel, err);

        if (r < 0)
                return r;
        if (strlen(rel) + 2 > CGROUP_PATH_MAX)
                return err_set(err, ENAMETOOLONG, "cgroup path \"%s\": too long", path);
        ret_path[0] = '/';
        memcpy(ret_path + 1, rel, strlen(rel) + 1);
        return 0;
}
