#include "cgroups/mounts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cgroups/tree.h"
#include "lib/cleanup.h"

const char *const cg_controller_names[_CGROUP_CONTROLLER_MAX] = {
        [CGROUP_CPU] = "cpu",         [CGROUP_CPUACCT] = "cpuacct", [CGROUP_CPUSET] = "cpuset",
        [CGROUP_MEMORY] = "memory",   [CGROUP_PIDS] = "pids",       [CGROUP_IO] = "io",
        [CGROUP_HUGETLB] = "hugetlb", [CGROUP_DEVICES] = "devices", [CGROUP_FREEZER] = "freezer",
};

static uint32_t controller_bit(const char *name, size_t size) {
        if (size == 5 && memcmp(name, "blkio", 5) == 0)
                return CG_BIT(CGROUP_IO);
        for (unsigned i = 0; i < _CGROUP_CONTROLLER_MAX; i++)
                if (strlen(cg_controller_names[i]) == size && memcmp(cg_controller_names[i], name, size) == 0)
                        return CG_BIT(i);
        return 0;
}

/* What a v1 hierarchy's super block options have besides its controllers. */
static bool is_flag(const char *option, size_t size) {
        static const char *const flags[] = { "rw",       "ro",           "xattr",          "noprefix",
                                             "seclabel", "favordynmods", "clone_children", "cpuset_v2_mode" };

        for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
                if (strlen(flags[i]) == size && memcmp(flags[i], option, size) == 0)
                        return true;
        return strncmp(option, "release_agent=", 14) == 0;
}

/* The controllers and the name among a v1 mount's super block options "rw,cpu,cpuacct": their text goes to @ret_text.
 * One that is not in the table of controllers is a part of the text only. */
static uint32_t controllers_of(const char *options, char *ret_text, size_t size) {
        uint32_t all = 0;

        ret_text[0] = '\0';
        for (const char *p = options; *p;) {
                size_t n = strcspn(p, ","), used = strlen(ret_text);

                if (!is_flag(p, n) && used + n + 2 < size) {
                        snprintf(ret_text + used, size - used, "%s%.*s", used ? "," : "", (int)n, p);
                        all |= controller_bit(p, n);
                }
                p += n + (p[n] == ',');
        }
        return all;
}

/* One line: ID PARENT DEV ROOT PATH OPTIONS [TAGS] - TYPE SOURCE SUPER-OPTIONS. */
static bool parse_line(const char *line, struct cg_mount *ret_mount) {
        char root[CG_MOUNT_PATH_MAX], path[CG_MOUNT_PATH_MAX], type[16], options[256];
        const char *separator = strstr(line, " - ");

        if (!separator || strncmp(separator + 3, "cgroup", 6) != 0 ||
            sscanf(line, "%*u %*u %*s %255s %255s", root, path) != 2 ||
            sscanf(separator, " - %15s %*s %255s", type, options) != 2)
                return false;
        /* A bind mount of some cgroup is not the hierarchy. */
        if (strcmp(root, "/") != 0)
                return false;
        *ret_mount = (struct cg_mount){ .v2 = strcmp(type, "cgroup2") == 0 };
        if (!ret_mount->v2 && strcmp(type, "cgroup") != 0)
                return false;
        strcpy(ret_mount->path, path);
        if (!ret_mount->v2)
                ret_mount->controllers = controllers_of(options, ret_mount->options, sizeof(ret_mount->options));
        return true;
}

static bool known(const struct cg_mount *mounts, size_t n, const struct cg_mount *mount) {
        for (size_t i = 0; i < n; i++)
                if (mounts[i].v2 == mount->v2 && strcmp(mounts[i].options, mount->options) == 0)
                        return true;
        return false;
}

size_t cg_mounts_parse(const char *mountinfo, struct cg_mount *ret_mounts, size_t max) {
        size_t n = 0;

        for (const char *p = mountinfo; *p && n < max;) {
                size_t size = strcspn(p, "\n");
                char line[1024];

                if (size < sizeof(line)) {
                        memcpy(line, p, size);
                        line[size] = '\0';
                        if (parse_line(line, &ret_mounts[n]) && !known(ret_mounts, n, &ret_mounts[n]))
                                n++;
                }
                p += size + (p[size] == '\n');
        }
        return n;
}

/* A mount of a hierarchy from its root on, which is the first thing that the kernel makes of it; -EBADF: it is not. */
static int open_root(const char *path, unsigned long magic) {
        _cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct statfs fs;
        struct stat st;

        if (fd < 0 || fstatfs(fd, &fs) < 0 || (unsigned long)fs.f_type != magic || fstat(fd, &st) < 0 || st.st_ino != 1)
                return -EBADF;
        return TAKE_FD(fd);
}

/* One line: ID:CONTROLLERS:PATH, of cgroup2 0::PATH. */
static int open_usual(const char *line, const char *top, struct cg_mount *ret_mount) {
        char text[64] = "";
        const char *name = text;
        unsigned id;
        int n;

        if (sscanf(line, "%u:%63[^:\n]:", &id, text) < 1)
                return -EBADF;
        *ret_mount = (struct cg_mount){ .v2 = text[0] == '\0' };
        if (ret_mount->v2 != (id == 0))
                return -EBADF;
        if (ret_mount->v2)
                name = "unified";
        else if (strncmp(text, "name=", 5) == 0)
                name += 5;
        ret_mount->controllers = controllers_of(text, ret_mount->options, sizeof(ret_mount->options));
        n = snprintf(ret_mount->path, sizeof(ret_mount->path), "%s/%s", top, name);
        if (n < 0 || (size_t)n >= sizeof(ret_mount->path) || strchr(name, '/'))
                return -EBADF;
        return open_root(ret_mount->path, ret_mount->v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
}

size_t cg_mounts_usual(const char *self_cgroup, const char *top, struct cg_mount *ret_mounts, int *ret_fds,
                       size_t max) {
        size_t n = 0;

        for (const char *p = self_cgroup; *p; p += *p == '\n') {
                int fd = n < max ? open_usual(p, top, &ret_mounts[n]) : -EBADF;

                if (fd < 0) {
                        for (; n > 0; n--)
                                ret_fds[n - 1] = close_fd(ret_fds[n - 1]);
                        return 0;
                }
                ret_fds[n++] = fd;
                p += strcspn(p, "\n");
        }
        return n;
}
