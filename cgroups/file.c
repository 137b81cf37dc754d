/* Files and directories of one hierarchy. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cgroups/stats.h"
#include "cgroups/tree.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* v1 writes "no limit" as the largest multiple of a page. */
#define V1_UNLIMITED UINT64_C(0x7ffffffffffff000)

int cg_open(const struct hierarchy *h, const char *rel, const char *file, int flags) {
        char path[CGROUP_PATH_MAX + NAME_MAX + 2];
        int n, fd;

        n = snprintf(path, sizeof(path), "%s%s%s", *rel ? rel : ".", *file ? "/" : "", file);
        if (n < 0 || (size_t)n >= sizeof(path))
                return -ENAMETOOLONG;
        fd = openat(h->fd, path, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int cg_write(const struct hierarchy *h, const char *rel, const char *file, const char *value) {
        _cleanup_close_ int fd = cg_open(h, rel, file, O_WRONLY);
        ssize_t n;

        if (fd < 0)
                return fd;
        do
                n = write(fd, value, strlen(value));
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

int cg_set(const struct hierarchy *h, const char *rel, const char *file, const char *value, struct err **err) {
        int r = cg_write(h, rel, file, value);

        return r < 0 ? err_errno(err, -r, "cgroup %s: write \"%s\" to %s", rel, value, file) : 0;
}

int cg_read(const struct hierarchy *h, const char *rel, const char *file, char *ret_text, size_t size) {
        _cleanup_close_ int fd = cg_open(h, rel, file, O_RDONLY);
        size_t used = 0;

        if (fd < 0)
                return fd;
        /* One read gives the whole of a small file; only large ones need more than one. */
        while (used < size - 1) {
                ssize_t n = read(fd, ret_text + used, size - 1 - used);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                used += (size_t)n;
                if (n == 0 || n < 2048)
                        break;
        }
        ret_text[used] = '\0';
        return 0;
}

int cg_read_u64(const struct hierarchy *h, const char *rel, const char *file, uint64_t *ret_number) {
        char text[64], *end;
        int r;

        *ret_number = CGROUP_UNKNOWN;
        if (!h)
                return -ENOENT;
        r = cg_read(h, rel, file, text, sizeof(text));
        if (r < 0)
                return r;
        unsigned long long n = strtoull(text, &end, 10);
        if (end != text && n < V1_UNLIMITED)
                *ret_number = n;
        return 0;
}

uint64_t cg_field(const char *text, const char *key) {
        size_t n = strlen(key);

        for (const char *p = text; p; p = strchr(p, '\n')) {
                p += *p == '\n';
                if (strncmp(p, key, n) == 0 && p[n] == ' ')
                        return strtoull(p + n + 1, NULL, 10);
                if (!*p)
                        break;
        }
        return CGROUP_UNKNOWN;
}

/* The subdirectories of @fd one after the other; @path holds the parent's and is extended for each. */
static int walk(const struct hierarchy *h, char path[CGROUP_PATH_MAX], unsigned depth, cg_visit visit, void *userdata) {
        int fd = cg_open(h, path, "", O_RDONLY | O_DIRECTORY);
        _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        size_t used = strlen(path);
        struct dirent *d;
        int r;

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        if (!dir) {
                close_fd(fd);
                return -ENOMEM;
        }
        if (depth == 0)
                return -ELOOP;
        while ((d = readdir(dir))) {
                if (d->d_type != DT_DIR || strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                        continue;
                if (used + strlen(d->d_name) + 2 > CGROUP_PATH_MAX)
                        return -ENAMETOOLONG;
                sprintf(path + used, "%s%s", used ? "/" : "", d->d_name);
                r = walk(h, path, depth - 1, visit, userdata);
                path[used] = '\0';
                if (r != 0)
                        return r;
        }
        return visit(h, path, userdata);
}

int cg_walk(const struct hierarchy *h, const char *rel, cg_visit visit, void *userdata) {
        char path[CGROUP_PATH_MAX];

        snprintf(path, sizeof(path), "%s", rel);
        return walk(h, path, CG_DEPTH_MAX, visit, userdata);
}
