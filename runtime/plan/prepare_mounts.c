/* What is mounted in a container: binds, new file systems, its cgroups. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/cgroup.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/plan/bind.h"
#include "runtime/plan/prepare.h"
#include "runtime/plan/userns.h"
#include "runtime/sys.h"

#define OPTIONS_MAX 4096

static bool same_mappings(const struct id_mappings *a, const struct id_mappings *b) {
        return a->n_uids == 0 || (a->n_uids == b->n_uids && a->n_gids == b->n_gids &&
                                  memcmp(a->uids, b->uids, a->n_uids * sizeof(*a->uids)) == 0 &&
                                  memcmp(a->gids, b->gids, a->n_gids * sizeof(*a->gids)) == 0);
}

static int add_bind(const struct container_spec *spec, const struct mount_spec *mount, int pod_user_fd, uint16_t flags,
                    struct plan *plan, struct err **err) {
        _cleanup_userns_ struct userns own = USERNS_NONE;
        bool directory;
        int tree, r;

        if (mount->idmap && (pod_user_fd < 0 || !same_mappings(&mount->mappings, &spec->mappings))) {
                r = userns_open(&mount->mappings, 0, &own, err);
                if (r < 0)
                        return r;
        }
        r = bind_open(mount, own.user_fd >= 0 ? own.user_fd : pod_user_fd, &tree, &directory, err);
        if (r < 0)
                return r;
        plan_add_strings(plan, PLAN_MOUNT, plan_take_fd(plan, tree), &mount->destination, 1)->flags =
                (uint16_t)(flags | (directory ? PLAN_F_DIRECTORY : 0) | (mount->nofollow ? PLAN_F_NOFOLLOW : 0));
        return 0;
}

/* The options with the ids in them as the host has them. */
static const char *host_options(const struct container_spec *spec, const struct mount_spec *mount,
                                char text[OPTIONS_MAX]) {
        const char *options = mount->options ? mount->options : "";
        const char *gid = strstr(options, "gid=");

        if (spec->mappings.n_uids == 0)
                return options;
        if (strcmp(mount->type, "tmpfs") == 0 && !strstr(options, "uid="))
                snprintf(text, OPTIONS_MAX, "%s,uid=%u,gid=%u", options, prepare_host_uid(&spec->mappings, 0),
                         prepare_host_gid(&spec->mappings, 0));
        else if (strcmp(mount->type, "devpts") == 0 && gid)
                snprintf(text, OPTIONS_MAX, "%.*sgid=%u%s", (int)(gid - options), options,
                         prepare_host_gid(&spec->mappings, (uint32_t)strtoul(gid + 4, NULL, 10)),
                         gid + 4 + strspn(gid + 4, "0123456789"));
        else
                return options;
        return text;
}

static struct plan_step *add_new(const struct container_spec *spec, const struct mount_spec *mount, struct plan *plan) {
        char text[OPTIONS_MAX];
        const char *strings[] = { mount->destination, mount->type, mount->source, host_options(spec, mount, text) };
        struct plan_step *step = plan_add_strings(plan, PLAN_MOUNT_NEW, -1, strings, ELEMENTS(strings));

        step->a = mount->attributes;
        step->b = mount->propagation;
        step->flags = mount->copy_up ? PLAN_F_COPY_UP : 0;
        return step;
}

/* A hierarchy of several controllers is found by each of their names. */
static void add_cgroup_links(const struct mount_spec *mount, const struct cgroup_mount *cgroup, struct plan *plan) {
        char options[sizeof(cgroup->options)], *save = NULL;

        if (!strchr(cgroup->options, ','))
                return;
        snprintf(options, sizeof(options), "%s", cgroup->options);
        for (char *one = strtok_r(options, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
                const char *strings[] = { mount->destination, one, cgroup->name };

                if (!strchr(one, '=') && strcmp(one, cgroup->name) != 0)
                        plan_add_strings(plan, PLAN_LINK, -1, strings, ELEMENTS(strings));
        }
}

/* The container's cgroups by binds of their directories: as the mounts of a cgroup namespace would look, and the same
 * without one. */
static int add_cgroups(const struct container_spec *spec, const struct mount_spec *mount, struct plan *plan,
                       struct err **err) {
        const struct mount_spec place = { .type = "tmpfs",
                                          .source = "tmpfs",
                                          .destination = mount->destination,
                                          .options = "mode=755",
                                          .attributes = mount->attributes & ~(uint64_t)MOUNT_ATTR_RDONLY };
        bool hybrid = spec->n_cgroup_mounts > 0 && spec->cgroup_mounts[0].name[0] != '\0';
        int r;

        if (hybrid)
                add_new(spec, &place, plan)->flags |= PLAN_F_HOLD;
        for (size_t i = 0; i < spec->n_cgroup_mounts; i++) {
                char path[512];
                const struct mount_spec bind = { .source = spec->cgroup_mounts[i].source,
                                                 .source_fd = -EBADF,
                                                 .destination = path,
                                                 .attributes = mount->attributes };

                snprintf(path, sizeof(path), "%s%s%s", mount->destination, hybrid ? "/" : "",
                         spec->cgroup_mounts[i].name);
                if ((r = add_bind(spec, &bind, -EBADF, hybrid ? PLAN_F_HELD : 0, plan, err)) < 0)
                        return r;
                add_cgroup_links(mount, &spec->cgroup_mounts[i], plan);
        }
        if (hybrid && mount->attributes & MOUNT_ATTR_RDONLY)
                plan_add_string(plan, PLAN_READONLY, mount->destination);
        return 0;
}

static int add_mount(const struct container_spec *spec, const struct mount_spec *mount, int user_fd, struct plan *plan,
                     struct err **err) {
        const char *type = mount->type;

        if (!type || strcmp(type, "bind") == 0)
                return add_bind(spec, mount, user_fd, 0, plan, err);
        if (strcmp(type, "shm") == 0)
                plan_add_string(plan, PLAN_MOUNT_SHM, mount->destination)->a = mount->attributes;
        else if (strcmp(type, "cgroup") == 0)
                return add_cgroups(spec, mount, plan, err);
        else
                add_new(spec, mount, plan);
        return 0;
}

int prepare_mounts(const struct container_spec *spec, int user_fd, struct plan *plan, struct err **err) {
        for (size_t i = 0; i < spec->n_mounts; i++) {
                int r = add_mount(spec, &spec->mounts[i], user_fd, plan, err);

                if (r < 0)
                        return r;
        }
        return 0;
}
