/* Which hierarchies there are, and what they are used for. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cgroups/bpf.h"
#include "cgroups/cgroup.h"
#include "cgroups/tree.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

#define TOP "/sys/fs/cgroup"
#define MOUNTINFO_MAX (16 << 20)
#define SELF_CGROUP_MAX (128 << 10) /* a path of PATH_MAX for each hierarchy */

/* Those without which a container would be neither limited nor measured. */
#define V1_REQUIRED (CG_BIT(CGROUP_CPU) | CG_BIT(CGROUP_CPUACCT) | CG_BIT(CGROUP_MEMORY) | CG_BIT(CGROUP_PIDS))
#define V1_WITHOUT_V2 (CG_BIT(CGROUP_FREEZER) | CG_BIT(CGROUP_DEVICES))

uint32_t cg_offered(const struct hierarchy *h, const char *rel, const char *file) {
        uint32_t bits = 0;
        char text[512];

        if (cg_read(h, rel, file, text, sizeof(text)) < 0)
                return 0;
        for (char *save, *name = strtok_r(text, " \n", &save); name; name = strtok_r(NULL, " \n", &save))
                for (unsigned i = 0; i < _CGROUP_CONTROLLER_MAX; i++)
                        if (strcmp(name, cg_controller_names[i]) == 0)
                                bits |= CG_BIT(i);
        return bits;
}

static void assign_controllers(struct cgroups *c, struct hierarchy *h) {
        uint32_t bits =
                h->mount.v2 ? cg_offered(h, "", "cgroup.controllers") & CG_V2_CONTROLLERS : h->mount.controllers;

        if (h->mount.v2) {
                c->v2 = h;
                h->mount.controllers = bits;
                if (bits & CG_BIT(CGROUP_CPU))
                        c->by_controller[CGROUP_CPUACCT] = h;
        }
        for (unsigned i = 0; i < _CGROUP_CONTROLLER_MAX; i++)
                if (bits & CG_BIT(i))
                        c->by_controller[i] = h;
}

static void decide_use(struct cgroups *c) {
        bool any_v1 = false;

        for (size_t i = 0; i < c->n; i++)
                any_v1 |= !c->hierarchies[i].mount.v2;
        c->mode = !c->v2 ? CGROUP_V1 : any_v1 ? CGROUP_HYBRID : CGROUP_V2;
        c->bpf_devices = c->v2 && cg_bpf_usable(c->v2->mount.path);
        for (size_t i = 0; i < c->n; i++) {
                struct hierarchy *h = &c->hierarchies[i];
                uint32_t required =
                        V1_REQUIRED | (c->v2 ? 0 : V1_WITHOUT_V2) | (c->bpf_devices ? 0 : CG_BIT(CGROUP_DEVICES));

                h->required = h->mount.v2 || (h->mount.controllers & required);
        }
}

/* Where v2 is alone it is where it belongs, and where there are others most often too; else all mounts must be looked
 * through. */
static int find_mounts(struct cg_mount mounts[CGROUP_HIERARCHIES_MAX], int fds[CGROUP_HIERARCHIES_MAX], size_t *ret_n,
                       struct err **err) {
        _cleanup_free_ char *self = NULL, *all = NULL;
        struct statfs fs;
        int r;

        if (statfs(TOP, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
                mounts[0] = (struct cg_mount){ .path = TOP, .v2 = true };
                *ret_n = 1;
                return 0;
        }
        *ret_n = 0;
        if (files_read("/proc/self/cgroup", SELF_CGROUP_MAX, &self, NULL, NULL) == 0)
                *ret_n = cg_mounts_usual(self, TOP, mounts, fds, CGROUP_HIERARCHIES_MAX);
        if (*ret_n > 0)
                return 0;
        r = files_read("/proc/self/mountinfo", MOUNTINFO_MAX, &all, NULL, err);
        if (r < 0)
                return r;
        *ret_n = cg_mounts_parse(all, mounts, CGROUP_HIERARCHIES_MAX);
        return 0;
}

static int open_hierarchies(struct cgroups *c, struct err **err) {
        struct cg_mount mounts[CGROUP_HIERARCHIES_MAX];
        int fds[CGROUP_HIERARCHIES_MAX], r;
        size_t n;

        memset(fds, 0xff, sizeof(fds));
        r = find_mounts(mounts, fds, &n, err);
        if (r < 0)
                return r;
        if (n == 0)
                return err_set(err, ENOENT, "no cgroup file system is mounted; mount cgroup2 at /sys/fs/cgroup");
        for (size_t i = 0; i < n; i++) {
                struct hierarchy *h = &c->hierarchies[c->n];

                h->mount = mounts[i];
                h->fd = fds[i] >= 0 ? fds[i] : open(mounts[i].path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (h->fd < 0)
                        return err_errno(err, errno, "open %s", mounts[i].path);
                c->n++;
                assign_controllers(c, h);
        }
        decide_use(c);
        return 0;
}

int cgroups_open(const char *root, struct cgroups **ret_cgroups, struct err **err) {
        _cleanup_cgroups_ struct cgroups *c = calloc(1, sizeof(*c));
        char rel[CGROUP_PATH_MAX];
        int r;

        if (c)
                c->programs = calloc(1, sizeof(*c->programs));
        if (!c || !c->programs)
                return err_errno(err, ENOMEM, "cgroups");
        pthread_mutex_init(&c->programs->lock, NULL);
        r = open_hierarchies(c, err);
        if (r < 0)
                return r;
        if (*root && strcmp(root, "/") != 0) {
                r = cg_resolve(c, root, rel, err);
                if (r < 0)
                        return r;
                strcpy(c->root, rel);
                r = cgroup_create(c, "", err);
                if (r < 0)
                        return r;
        }
        *ret_cgroups = TAKE_PTR(c);
        return 0;
}

void cgroups_free(struct cgroups *c) {
        if (!c)
                return;
        for (size_t i = 0; i < c->n; i++)
                close_fd(c->hierarchies[i].fd);
        if (c->programs)
                cg_bpf_cache_done(c->programs);
        free(c->programs);
        free(c);
}

void cgroups_freep(struct cgroups **c) {
        cgroups_free(*c);
        *c = NULL;
}
