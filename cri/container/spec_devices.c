/* A container's devices: nodes to make, and what its cgroup lets through. */
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cri/container/spec.h"

#define HOST_DEVICES_MAX 4096
#define HOST_DEPTH_MAX 8

struct devices {
        struct arena *arena;
        struct device_spec *specs;
        struct cgroup_device *rules;
        size_t n, n_rules, room;
        struct err **err;
};

static int add(struct devices *d, const char *path, const struct stat *st, const char *permissions) {
        struct device_spec *spec = &d->specs[d->n];
        struct cgroup_device *rule = &d->rules[d->n_rules];

        if (d->n >= d->room)
                return err_set(d->err, EINVAL, "more than %zu devices", d->room);
        *spec = (struct device_spec){ .path = arena_strdup(d->arena, path),
                                      .mode = st->st_mode,
                                      .major = major(st->st_rdev),
                                      .minor = minor(st->st_rdev),
                                      .uid = st->st_uid,
                                      .gid = st->st_gid };
        if (!spec->path)
                return err_set(d->err, ENOMEM, "out of memory");
        d->n++;
        if (!permissions)
                return 0;
        *rule = (struct cgroup_device){ .allow = true,
                                        .type = S_ISBLK(st->st_mode) ? 'b' : 'c',
                                        .major = spec->major,
                                        .minor = spec->minor,
                                        .read = strchr(permissions, 'r'),
                                        .write = strchr(permissions, 'w'),
                                        .mknod = strchr(permissions, 'm') };
        d->n_rules++;
        return 0;
}

static bool is_device(const struct stat *st) {
        return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

/* Host directories of /dev that the container has its own of. */
static bool own_in_container(const char *name) {
        static const char *const names[] = { "pts",  "shm",   "fd",     "mqueue",      "console",
                                             "ptmx", ".udev", ".lxc",   ".lxd-mounts", "null",
                                             "zero", "full",  "random", "urandom",     "tty" };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}

/* All devices below the host's @host, at @inside in the container. */
static int add_tree(struct devices *d, const char *host, const char *inside, const char *permissions, unsigned depth) {
        _cleanup_closedir_ DIR *dir = opendir(host);
        const struct dirent *entry;
        char from[PATH_MAX], to[PATH_MAX];
        struct stat st;
        int r = 0;

        if (!dir || depth > HOST_DEPTH_MAX)
                return 0;
        while (r >= 0 && (entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                    (strcmp(host, "/dev") == 0 && own_in_container(entry->d_name)))
                        continue;
                if (snprintf(from, sizeof(from), "%s/%s", host, entry->d_name) >= (int)sizeof(from) ||
                    snprintf(to, sizeof(to), "%s/%s", inside, entry->d_name) >= (int)sizeof(to) || lstat(from, &st) < 0)
                        continue;
                if (S_ISDIR(st.st_mode))
                        r = add_tree(d, from, to, permissions, depth + 1);
                else if (is_device(&st))
                        r = add(d, to, &st, permissions);
        }
        return r;
}

static int add_asked(struct devices *d, const Cri__Device *device) {
        const char *inside = text_empty(device->container_path) ? device->host_path : device->container_path;
        const char *permissions = text_empty(device->permissions) ? "rwm" : device->permissions;
        struct stat st;

        if (permissions[strspn(permissions, "rwm")])
                return err_set(d->err, EINVAL, "device %s: permissions \"%s\" are none of r, w, m", device->host_path,
                               permissions);
        if (inside[0] != '/' || strstr(inside, "/../"))
                return err_set(d->err, EINVAL, "device %s: \"%s\" is no path for it", device->host_path, inside);
        if (stat(device->host_path, &st) < 0)
                return err_errno(d->err, errno, "device %s", device->host_path);
        if (S_ISDIR(st.st_mode))
                return add_tree(d, device->host_path, inside, permissions, 0);
        if (!is_device(&st))
                return err_set(d->err, EINVAL, "device %s: not a device node", device->host_path);
        return add(d, inside, &st, permissions);
}

int spec_fill_devices(struct cri_container *container, struct arena *arena, struct container_spec *spec,
                      struct cgroup_device **ret_rules, size_t *ret_n_rules, struct err **err) {
        const Cri__ContainerConfig *config = container->config;
        bool privileged = cri_container_security(config)->privileged;
        struct devices d = { .arena = arena, .room = privileged ? HOST_DEVICES_MAX : config->n_devices, .err = err };
        int r = 0;

        for (size_t i = 0; i < config->n_devices; i++) {
                struct stat st;

                /* A directory of devices stands for all in it. */
                if (stat(config->devices[i]->host_path, &st) == 0 && S_ISDIR(st.st_mode))
                        d.room = HOST_DEVICES_MAX;
        }
        d.specs = arena_alloc_array(arena, d.room + 1, sizeof(*d.specs));
        d.rules = arena_alloc_array(arena, d.room + cgroup_n_default_devices + 1, sizeof(*d.rules));
        if (!d.specs || !d.rules)
                return err_set(err, ENOMEM, "out of memory");
        if (privileged) {
                d.rules[d.n_rules++] = (struct cgroup_device){
                        .allow = true, .type = 'a', .major = -1, .minor = -1, .read = true, .write = true, .mknod = true
                };
                r = add_tree(&d, "/dev", "/dev", NULL, 0);
        } else {
                memcpy(d.rules, cgroup_default_devices, cgroup_n_default_devices * sizeof(*d.rules));
                d.n_rules = cgroup_n_default_devices;
                for (size_t i = 0; i < config->n_devices && r >= 0; i++)
                        r = add_asked(&d, config->devices[i]);
        }
        if (r < 0)
                return r;
        spec->devices = d.specs;
        spec->n_devices = d.n;
        *ret_rules = d.rules;
        *ret_n_rules = d.n_rules;
        return 0;
}
