#include "agent/config/claims.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cni/network.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/ip.h"
#include "lib/sha1.h"

/* ROOT and name of a claim, and the bridge of who has it. */
#define RECORD_MAX (PATH_MAX + 1024 + 32)

struct record {
        char text[RECORD_MAX]; /* what the others point into */
        const char *root, *name, *bridge;
};

static bool cgroup_in_use(const char *name, const char *bridge) {
        _cleanup_cgroups_ struct cgroups *cgroups = NULL;
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;

        (void)bridge;
        return cgroups_open("/", &cgroups, NULL) == 0 && cgroup_pids(cgroups, name, true, &pids, &n, NULL) == 0 &&
               n > 0;
}

static bool bridge_in_use(const char *name, const char *bridge) {
        (void)name;
        return network_bridge_used(bridge);
}

static bool never_in_use(const char *name, const char *bridge) {
        (void)name;
        (void)bridge;
        return false;
}

static bool cidrs_meet(const char *a, const char *b) {
        struct ip_cidr one, other;

        return ip_cidr_parse(a, &one, NULL) == 0 && ip_cidr_parse(b, &other, NULL) == 0 &&
               (ip_cidr_contains(&one, &other.ip) || ip_cidr_contains(&other, &one.ip));
}

enum kind { KIND_CGROUP, KIND_BRIDGE, KIND_CIDR, KIND_MANIFESTS, KIND_CNI };

static const struct {
        const char *name, *flag;
        bool in_netns; /* a thing of the network namespace */
        /* Whether pods of the agent that claimed it, by this name and with this bridge, live on it. */
        bool (*in_use)(const char *name, const char *bridge);
        bool (*meets)(const char *name, const char *other); /* NULL: only what has the same name */
} kinds[] = {
        [KIND_CGROUP] = { "cgroup", "--cgroup-root", false, cgroup_in_use, NULL },
        [KIND_BRIDGE] = { "bridge", "--bridge", true, bridge_in_use, NULL },
        [KIND_CIDR] = { "cidr", "--pod-cidr", true, bridge_in_use, cidrs_meet },
        [KIND_MANIFESTS] = { "manifests", "--pod-manifest-path", false, never_in_use, NULL },
        [KIND_CNI] = { "cni", "--cni-conf-dir", false, never_in_use, NULL },
};

/* "KIND-NAMESPACE-" that the files of this kind begin with. */
static int write_prefix(enum kind kind, char ret_prefix[64], struct err **err) {
        struct stat st = { 0 };

        if (kinds[kind].in_netns && stat("/proc/self/ns/net", &st) < 0)
                return err_errno(err, errno, "/proc/self/ns/net");
        snprintf(ret_prefix, 64, "%s-%ju-", kinds[kind].name, (uintmax_t)st.st_ino);
        return 0;
}

static void write_path(const char *prefix, const char *name, char ret_path[128]) {
        uint8_t digest[SHA1_SIZE];
        int n = snprintf(ret_path, 128, CLAIMS_DIR "/%s", prefix);

        sha1(name, strlen(name), digest);
        for (size_t i = 0; i < SHA1_SIZE; i++)
                n += snprintf(ret_path + n, (size_t)(128 - n), "%02x", digest[i]);
}

/* Empty texts when nobody wrote it. */
static void read_record(int fd, struct record *ret_record) {
        char *save = NULL, *text = ret_record->text;
        ssize_t n = pread(fd, text, sizeof(ret_record->text) - 1, 0);
        const char **fields[] = { &ret_record->root, &ret_record->name, &ret_record->bridge };

        text[n > 0 ? n : 0] = '\0';
        for (size_t i = 0; i < ELEMENTS(fields); i++) {
                const char *line = strtok_r(i == 0 ? text : NULL, "\n", &save);

                *fields[i] = line ? line : "";
        }
}

static int write_record(int fd, const char *path, const struct options *o, const char *name, struct err **err) {
        _cleanup_free_ char *text = NULL;
        int n = asprintf(&text, "%s\n%s\n%s\n", o->root_dir, name, o->bridge);

        if (n < 0) {
                text = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
                return err_errno(err, errno, "write %s", path);
        return 0;
}

/* The process that has the lock, 0: nobody; a number below 0: one that is not seen from here. */
static pid_t holder_of(int fd) {
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        if (fcntl(fd, F_GETLK, &whole) < 0 || whole.l_type == F_UNLCK)
                return 0;
        return whole.l_pid > 0 ? whole.l_pid : -1;
}

/* Refuses what the record's agent has still: it runs, or its pods do. */
static int refuse_if_held(int fd, enum kind kind, const struct options *o, const char *name, struct err **err) {
        const char *flag = kinds[kind].flag;
        pid_t pid = holder_of(fd);
        struct record record;

        read_record(fd, &record);
        if (pid)
                return err_set(
                        err, EBUSY,
                        "another nacelle-agent holds %s (%s %s; process %d, with --root-dir %s); give this one a "
                        "%s of its own",
                        name, flag, record.name, pid, record.root, flag);
        if (*record.root && strcmp(record.root, o->root_dir) != 0 && kinds[kind].in_use(record.name, record.bridge))
                return err_set(err, EBUSY,
                               "pods of another nacelle-agent, which does not run now, hold %s (%s %s; with --root-dir "
                               "%s); give this one a %s of its own, or start that one and end its pods",
                               name, flag, record.name, record.root, flag);
        return 0;
}

static bool is_held(const struct claims *claims, const char *file) {
        for (size_t i = 0; i < claims->n; i++)
                if (strcmp(claims->held[i].path + strlen(CLAIMS_DIR "/"), file) == 0)
                        return true;
        return false;
}

/* Others of the kind, whose names are other ones, and that the thing of this name would meet all the same. Our own are
 * not opened: a close() would give up their locks. */
static int check_others(const struct claims *claims, enum kind kind, const char *prefix, const struct options *o,
                        const char *name, struct err **err) {
        _cleanup_closedir_ DIR *dir = opendir(CLAIMS_DIR);
        struct dirent *entry;
        int r = 0;

        while (dir && r == 0 && (entry = readdir(dir))) {
                _cleanup_close_ int fd = -EBADF;
                struct record record;

                if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || is_held(claims, entry->d_name))
                        continue;
                fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
                if (fd < 0)
                        continue;
                read_record(fd, &record);
                if (kinds[kind].meets(name, record.name))
                        r = refuse_if_held(fd, kind, o, name, err);
        }
        return r;
}

/* As for ROOT/lock, not flock(). */
static int lock(int fd, const char *path, enum kind kind, const struct options *o, const char *name, struct err **err) {
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        int r = 0;

        while (r == 0 && fcntl(fd, F_SETLK, &whole) < 0) {
                if (errno != EAGAIN && errno != EACCES)
                        return err_errno(err, errno, "cannot lock %s", path);
                r = refuse_if_held(fd, kind, o, name, err); /* 0: its holder has just gone */
        }
        return r < 0 ? r : refuse_if_held(fd, kind, o, name, err);
}

static int take(struct claims *claims, const struct options *o, enum kind kind, const char *name, struct err **err) {
        __typeof__(claims->held[0]) *claim = &claims->held[claims->n];
        _cleanup_close_ int fd = -EBADF;
        char prefix[64];
        int r = write_prefix(kind, prefix, err);

        if (r < 0)
                return r;
        if (claims->n == CLAIMS_MAX || strlen(name) >= sizeof(claim->name) || strchr(name, '\n'))
                return err_set(err, EINVAL, "%s: %s is not to be claimed", kinds[kind].flag, name);
        write_path(prefix, name, claim->path);
        if (kinds[kind].meets) {
                r = check_others(claims, kind, prefix, o, name, err);
                if (r < 0)
                        return r;
        }
        fd = open(claim->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return err_errno(err, errno, "cannot open %s", claim->path);
        if ((r = lock(fd, claim->path, kind, o, name, err)) < 0 ||
            (r = write_record(fd, claim->path, o, name, err)) < 0)
                return r;
        claim->lock = TAKE_FD(fd);
        claim->in_use = kinds[kind].in_use;
        strcpy(claim->name, name);
        claims->n++;
        return 0;
}

/* Without doubled and trailing slashes. */
static void clean_path(const char *path, char ret_path[PATH_MAX]) {
        size_t n = 0;

        for (const char *p = path; *p && n < PATH_MAX - 1; p++)
                if (*p != '/' || (p[1] != '/' && (p[1] || n == 0)))
                        ret_path[n++] = *p;
        ret_path[n] = '\0';
}

static int take_cidrs(struct claims *claims, const struct options *o, struct err **err) {
        _cleanup_free_ char *copy = strdup(o->pod_cidr);
        char *rest = copy, *one;
        int r = 0;

        if (!copy)
                return err_set(err, ENOMEM, "out of memory");
        while (r == 0 && *o->pod_cidr && (one = strsep(&rest, ",")))
                r = take(claims, o, KIND_CIDR, one, err);
        return r;
}

/* The file of a directory of CNI configurations lists the ROOTs of all that used it. */
static int note_cni(struct claims *claims, const struct options *o, struct err **err) {
        char name[PATH_MAX], prefix[64], *path = claims->cni_path, text[RECORD_MAX], *save = NULL;
        _cleanup_close_ int fd = -EBADF;
        bool noted = false;
        ssize_t n;

        if (!realpath(o->cni_conf_dir, name))
                clean_path(o->cni_conf_dir, name);
        if (write_prefix(KIND_CNI, prefix, err) < 0)
                return -EIO;
        write_path(prefix, name, path);
        snprintf(claims->cni_records, sizeof(claims->cni_records), "%s/cni", o->root_dir);
        fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
        if (n < 0)
                return err_errno(err, errno, "cannot read %s", path);
        text[n] = '\0';
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                noted |= strcmp(line, o->root_dir) == 0;
                claims->cni_shared |= strcmp(line, o->root_dir) != 0;
        }
        if (!noted && (files_write_all(fd, o->root_dir, strlen(o->root_dir)) < 0 || files_write_all(fd, "\n", 1) < 0))
                return err_errno(err, errno, "cannot write %s", path);
        return 0;
}

static int take_all(struct claims *claims, const struct options *o, struct err **err) {
        char path[PATH_MAX];
        int r;

        if ((r = take(claims, o, KIND_CGROUP, o->cgroup_root, err)) < 0 ||
            (r = take(claims, o, KIND_BRIDGE, o->bridge, err)) < 0 || (r = take_cidrs(claims, o, err)) < 0 ||
            (r = note_cni(claims, o, err)) < 0 || o->runtime_only)
                return r;
        if (!realpath(o->manifest_dir, path)) /* not there yet */
                clean_path(o->manifest_dir, path);
        return take(claims, o, KIND_MANIFESTS, path, err);
}

/* One agent at a time claims, and lets go. */
static int enter(int *ret_dir, struct err **err) {
        _cleanup_close_ int dir = -EBADF;
        int r = files_make_dirs(CLAIMS_DIR, 0700, err);

        if (r < 0)
                return r;
        dir = open(CLAIMS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (dir < 0 || flock(dir, LOCK_EX) < 0)
                return err_errno(err, errno, "cannot lock %s", CLAIMS_DIR);
        *ret_dir = TAKE_FD(dir);
        return 0;
}

static bool is_empty(const char *path) {
        _cleanup_closedir_ DIR *dir = opendir(path);
        struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        return false;
        return true;
}

static void drop(struct claims *claims) {
        for (size_t i = 0; i < claims->n; i++)
                if (!claims->held[i].in_use(claims->held[i].name, claims->bridge))
                        unlink(claims->held[i].path);
        if (!claims->cni_shared && is_empty(claims->cni_records))
                unlink(claims->cni_path);
}

int claims_take(const struct options *o, struct claims *ret_claims, struct err **err) {
        _cleanup_close_ int dir = -EBADF;
        int r = enter(&dir, err);

        *ret_claims = (struct claims){ .n = 0 };
        snprintf(ret_claims->bridge, sizeof(ret_claims->bridge), "%s", o->bridge);
        if (r < 0)
                return r;
        r = take_all(ret_claims, o, err);
        if (r < 0)
                drop(ret_claims);
        return r;
}

void claims_drop(struct claims *claims) {
        _cleanup_close_ int dir = -EBADF;

        if (enter(&dir, NULL) == 0)
                drop(claims);
}
