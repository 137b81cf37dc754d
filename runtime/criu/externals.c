/* Which things of a container lie outside of it: bind mounts, masks, output, namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/mountinfo.h"
#include "lib/value.h"
#include "runtime/criu/criu.h"

#define MOUNTINFO_MAX (16 << 20)
#define MOUNTS_MAX 65536
#define EXTERNALS_MAX (4 << 20)

struct mounts {
        char *text;
        struct mountinfo *list;
        size_t n;
};

static void mounts_clear(struct mounts *mounts) {
        free(mounts->text);
        free(mounts->list);
}
#define _cleanup_mounts_ __attribute__((cleanup(mounts_clear)))

static int read_mounts(const char *path, struct mounts *mounts, struct err **err) {
        size_t room = 0;
        char *at;
        int r = files_read(path, MOUNTINFO_MAX, &mounts->text, NULL, err);

        if (r < 0)
                return r;
        for (const char *p = mounts->text; *p; p++)
                room += *p == '\n';
        if (room > MOUNTS_MAX)
                return err_set(err, E2BIG, "%s: more than %d mounts", path, MOUNTS_MAX);
        mounts->list = calloc(room + 1, sizeof(*mounts->list));
        if (!mounts->list)
                return err_set(err, ENOMEM, "out of memory");
        for (at = mounts->text; mounts->n <= room && mountinfo_next(&at, &mounts->list[mounts->n]);)
                mounts->n++;
        return 0;
}

/* ---- mounts ---- */

/* What criu mounts anew without asking where it came from. */
static const char *const made_anew[] = { "proc", "sysfs", "cgroup", "cgroup2", "mqueue" };

static const struct mountinfo *find_root(const struct mounts *mounts) {
        for (size_t i = mounts->n; i > 0; i--)
                if (strcmp(mounts->list[i - 1].path, "/") == 0)
                        return &mounts->list[i - 1];
        return NULL;
}

static bool has_device(const struct mounts *mounts, const char *device, bool whole) {
        for (size_t i = 0; i < mounts->n; i++)
                if (strcmp(mounts->list[i].device, device) == 0 && (!whole || strcmp(mounts->list[i].root, "/") == 0))
                        return true;
        return false;
}

static bool is_below(const char *path, const char *directory) {
        size_t n = strlen(directory);

        return n == 1 || (strncmp(path, directory, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

static bool is_cgroup(const struct mountinfo *mount) {
        return strncmp(mount->type, "cgroup", 6) == 0;
}

/* A file system that the host has mounted too came from there; one of which only a part is to be seen came from
 * somewhere. In a cgroup namespace of its own, the part is the whole. */
static bool is_external(const struct mountinfo *mount, const struct mountinfo *root, const struct mounts *own,
                        const struct mounts *host, bool own_cgroups) {
        if (mount == root || strcmp(mount->path, "/") == 0)
                return false;
        if (is_cgroup(mount) && !own_cgroups)
                return strcmp(mount->root, "/") != 0;
        for (size_t i = 0; i < ELEMENTS(made_anew); i++)
                if (strcmp(mount->type, made_anew[i]) == 0)
                        return false;
        if (root && strcmp(mount->device, root->device) == 0)
                return !is_below(mount->root, root->root);
        return has_device(host, mount->device, false) || !has_device(own, mount->device, true);
}

static bool has_own_cgroups(pid_t pid) {
        struct stat theirs, ours;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/ns/cgroup", pid);
        return stat(path, &theirs) == 0 && stat("/proc/self/ns/cgroup", &ours) == 0 && theirs.st_ino != ours.st_ino;
}

static int find_mounts(struct arena *arena, pid_t pid, const struct mounts *own, struct criu_externals *externals,
                       struct err **err) {
        const char **list = arena_alloc_array(arena, own->n + 1, sizeof(*list));
        _cleanup_mounts_ struct mounts host = { 0 };
        const struct mountinfo *root = find_root(own);
        bool own_cgroups = has_own_cgroups(pid);
        int r = read_mounts("/proc/self/mountinfo", &host, err);

        externals->mounts = list;
        externals->n_mounts = 0;
        for (size_t i = 0; r == 0 && list && i < own->n; i++)
                if (is_external(&own->list[i], root, own, &host, own_cgroups)) {
                        list[externals->n_mounts] = arena_strdup(arena, own->list[i].path);
                        if (!list[externals->n_mounts++])
                                list = NULL;
                }
        return r < 0 ? r : list ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* ---- standard streams ---- */

static int mount_id(pid_t pid, int fd) {
        _cleanup_free_ char *text = NULL;
        char path[64];
        const char *p;

        snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
        p = files_read(path, 64 * 1024, &text, NULL, NULL) < 0 ? NULL : strstr(text, "mnt_id:");
        return p ? atoi(p + strlen("mnt_id:")) : -1;
}

static bool is_terminal(const struct stat *st) {
        unsigned device = S_ISCHR(st->st_mode) ? major(st->st_rdev) : 0;

        return device == 4 || device == 5 || (device >= 136 && device <= 143);
}

/* A pipe whose other end is not the container's, or a file that is opened through a mount that it does not have. */
static int find_stream(struct arena *arena, pid_t pid, int fd, const struct mounts *own, const char **ret_key,
                       struct err **err) {
        char path[64], link[PATH_MAX];
        struct stat st;
        ssize_t n;
        int mount;

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
        n = readlink(path, link, sizeof(link) - 1);
        *ret_key = "";
        if (n < 0 || stat(path, &st) < 0)
                return 0; /* closed */
        link[n] = '\0';
        if (strncmp(link, "pipe:", 5) == 0)
                *ret_key = arena_strdup(arena, link);
        mount = link[0] == '/' && !is_terminal(&st) ? mount_id(pid, fd) : -1;
        for (size_t i = 0; mount >= 0 && i < own->n; i++)
                if (own->list[i].id == mount)
                        return 0;
        if (mount >= 0)
                *ret_key = arena_printf(arena, "file[%x:%lx]", (unsigned)mount, (unsigned long)st.st_ino);
        return *ret_key ? 0 : err_set(err, ENOMEM, "out of memory");
}

int criu_externals_find(struct arena *arena, pid_t pid, struct criu_externals *externals, struct err **err) {
        _cleanup_mounts_ struct mounts own = { 0 };
        char path[64];
        int r;

        snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
        if ((r = read_mounts(path, &own, err)) < 0 || (r = find_mounts(arena, pid, &own, externals, err)) < 0)
                return r;
        for (int fd = 0; fd < 3; fd++)
                if ((r = find_stream(arena, pid, fd, &own, &externals->stdio[fd], err)) < 0)
                        return r;
        return 0;
}

/* ---- for criu ---- */

static const char *namespace_key(struct arena *arena, pid_t pid, const char *name, const char *key) {
        char path[64];
        struct stat st;

        snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
        return stat(path, &st) < 0 ? NULL : arena_printf(arena, "%s[%lu]:%s", name, (unsigned long)st.st_ino, key);
}

int criu_externals_list(struct arena *arena, pid_t pid, const struct criu_externals *externals,
                        const char *const **ret_list, size_t *ret_n, struct err **err) {
        const char **list = arena_alloc_array(arena, externals->n_mounts + 5, sizeof(*list));
        size_t n = 0;

        if (!list)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < externals->n_mounts; i++)
                list[n++] = arena_printf(arena, "mnt[%s]:%s", externals->mounts[i], externals->mounts[i]);
        for (int fd = 0; fd < 3; fd++)
                if (strncmp(externals->stdio[fd], "file[", 5) == 0)
                        list[n++] = externals->stdio[fd];
        if (externals->net)
                list[n++] = namespace_key(arena, pid, "net", CRIU_NET_KEY);
        if (externals->pid)
                list[n++] = namespace_key(arena, pid, "pid", CRIU_PID_KEY);
        for (size_t i = 0; i < n; i++)
                if (!list[i])
                        return err_set(err, ESRCH, "process %d has gone", pid);
        *ret_list = list;
        *ret_n = n;
        return 0;
}

int criu_externals_write(int images_fd, const struct criu_externals *externals, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        size_t length;

        json_begin_map(&w);
        json_key(&w, "mounts");
        json_begin_list(&w);
        for (size_t i = 0; i < externals->n_mounts; i++)
                json_string(&w, externals->mounts[i]);
        json_end_list(&w);
        json_key(&w, "stdio");
        json_begin_list(&w);
        for (int i = 0; i < 3; i++)
                json_string(&w, externals->stdio[i]);
        json_end_list(&w);
        json_add_bool(&w, "net", externals->net);
        json_add_bool(&w, "pid", externals->pid);
        json_end_map(&w);
        if (json_writer_finish(&w, &text, &length) < 0)
                return err_set(err, ENOMEM, "out of memory");
        fd = openat(images_fd, CRIU_EXTERNALS_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, text, length) != (ssize_t)length)
                return err_errno(err, errno ? errno : ENOSPC, "checkpoint: write " CRIU_EXTERNALS_FILE);
        return 0;
}

int criu_externals_read(struct arena *arena, int images_fd, struct criu_externals *ret_externals, struct err **err) {
        const struct value_options options = { .name = CRIU_EXTERNALS_FILE };
        struct criu_externals externals = { 0 };
        const struct value *json, *mounts;
        _cleanup_free_ char *text = NULL;
        const char **list;
        char path[64];
        int r;

        snprintf(path, sizeof(path), "/proc/self/fd/%d/" CRIU_EXTERNALS_FILE, images_fd);
        r = files_read(path, EXTERNALS_MAX, &text, NULL, NULL);
        if (r < 0)
                return err_errno(err, -r, "no checkpoint that was made here: " CRIU_EXTERNALS_FILE);
        r = json_parse(arena, text, strlen(text), &options, &json, err);
        if (r < 0)
                return r;
        mounts = value_get(json, "mounts");
        list = arena_alloc_array(arena, value_count(mounts) + 1, sizeof(*list));
        if (!list)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < value_count(mounts); i++) {
                list[i] = value_string_or(value_at(mounts, i), "");
                if (list[i][0] != '/')
                        return err_set(err, EINVAL, CRIU_EXTERNALS_FILE ": mounts[%u]: not a path", i);
        }
        externals.mounts = list;
        externals.n_mounts = value_count(mounts);
        for (uint32_t i = 0; i < 3; i++)
                externals.stdio[i] = value_string_or(value_at(value_get(json, "stdio"), i), "");
        externals.net = value_bool_or(value_get(json, "net"), false);
        externals.pid = value_bool_or(value_get(json, "pid"), false);
        *ret_externals = externals;
        return 0;
}
