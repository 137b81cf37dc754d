/* The user namespace of a container: a new one that owns the other new ones, or one that is there. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/oci/oci.h"
#include "runtime/sys.h"
#include "runtime/plan/userns.h"

#define MAP_FILE_MAX 16384

bool oci_is_users(void) {
        _cleanup_free_ char *map = NULL;
        unsigned own, host;

        return geteuid() != 0 || (files_read("/proc/self/uid_map", MAP_FILE_MAX, &map, NULL, NULL) == 0 &&
                                  sscanf(map, "%u %u", &own, &host) == 2 && own != host);
}

static bool is_own(int fd) {
        struct stat theirs, ours;

        return fstat(fd, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 && theirs.st_ino == ours.st_ino &&
               theirs.st_dev == ours.st_dev;
}

static int read_map(struct oci *oci, pid_t pid, const char *file, const struct id_mapping **ret_map, size_t *ret_n,
                    struct err **err) {
        struct id_mapping *map = arena_alloc_array(oci->arena, USERNS_RANGES_MAX, sizeof(*map));
        _cleanup_free_ char *text = NULL;
        char path[64];
        size_t n = 0;
        int r, used;

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
        r = map ? files_read(path, MAP_FILE_MAX, &text, NULL, err) : err_set(err, ENOMEM, "out of memory");
        if (r < 0)
                return r;
        for (const char *p = text; n < USERNS_RANGES_MAX; p += used, n++)
                if (sscanf(p, "%" SCNu32 " %" SCNu32 " %" SCNu32 "%n", &map[n].container, &map[n].host, &map[n].size,
                           &used) != 3)
                        break;
        *ret_map = map;
        *ret_n = n;
        return 0;
}

static int read_maps(struct oci *oci, pid_t pid, struct id_mappings *mappings, struct err **err) {
        int r = read_map(oci, pid, "uid_map", &mappings->uids, &mappings->n_uids, err);

        return r < 0 ? r : read_map(oci, pid, "gid_map", &mappings->gids, &mappings->n_gids, err);
}

int oci_mappings_of(struct oci *oci, pid_t pid, struct id_mappings *ret_mappings, struct err **err) {
        struct id_mappings mappings = { 0 };
        _cleanup_close_ int fd = -EBADF;
        char path[64];
        int r = 0;

        snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "%s", path);
        if (!is_own(fd))
                r = read_maps(oci, pid, &mappings, err);
        if (r == 0)
                *ret_mappings = mappings;
        return r;
}

/* Only a process in the namespace has files that tell its mappings. */
static int read_mappings(struct oci *oci, int fd, struct id_mappings *mappings, struct err **err) {
        char answer = 0;
        int pipes[2], r;
        pid_t parent = getpid(), pid;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_errno(err, errno, "pipe");
        pid = sys_clone(0, -EBADF, NULL);
        if (pid == 0) {
                answer = setns(fd, CLONE_NEWUSER) < 0 ? (char)errno : 0;
                prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
                if (getppid() == parent && write(pipes[1], &answer, 1) == 1)
                        pause();
                _exit(0);
        }
        close(pipes[1]);
        if (pid < 0 || read(pipes[0], &answer, 1) != 1)
                answer = ECHILD;
        close(pipes[0]);
        r = answer ? err_errno(err, answer, "linux.namespaces: join the user namespace") : 0;
        if (r == 0)
                r = read_maps(oci, pid, mappings, err);
        if (pid > 0) {
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
        }
        return r;
}

static int join(struct oci *oci, struct container_spec *spec, struct userns *ret_userns, struct err **err) {
        struct namespace_spec *ns = &spec->namespaces[NAMESPACE_USER];
        int r = 0;

        if (is_own(ns->fd)) {
                ns->mode = NAMESPACE_INHERIT;
                return 0;
        }
        if (spec->mappings.n_uids == 0)
                r = read_mappings(oci, ns->fd, &spec->mappings, err);
        if (r < 0)
                return r;
        if (spec->mappings.n_uids == 0 || spec->mappings.n_gids == 0)
                return err_set(err, EINVAL, "linux.namespaces: the user namespace has no mappings");
        ret_userns->user_fd = fcntl(ns->fd, F_DUPFD_CLOEXEC, 3);
        return ret_userns->user_fd < 0 ? err_errno(err, errno, "linux.namespaces: user") : 0;
}

static void take(struct container_spec *spec, enum namespace_type type, int fd) {
        if (fd >= 0)
                spec->namespaces[type] = (struct namespace_spec){ NAMESPACE_JOIN, fd };
}

int oci_user_namespace(struct oci *oci, struct container_spec *spec, struct userns *ret_userns, struct err **err) {
        static const struct id_mapping same = { 0, 0, UINT32_MAX };
        uint64_t flags = (spec->namespaces[NAMESPACE_NET].mode == NAMESPACE_NEW ? CLONE_NEWNET : 0) |
                         (spec->namespaces[NAMESPACE_IPC].mode == NAMESPACE_NEW ? CLONE_NEWIPC : 0) |
                         (spec->namespaces[NAMESPACE_UTS].mode == NAMESPACE_NEW ? CLONE_NEWUTS : 0);
        int r;

        switch (spec->namespaces[NAMESPACE_USER].mode) {
        case NAMESPACE_NEW:
                break;
        case NAMESPACE_JOIN:
                return join(oci, spec, ret_userns, err);
        default:
                return spec->mappings.n_uids > 0 ? err_set(err, EINVAL, "linux.uidMappings: without a user namespace") :
                                                   0;
        }
        /* Without mappings every id is itself, as far as our own namespace goes. */
        if (spec->mappings.n_uids == 0 && spec->mappings.n_gids == 0)
                spec->mappings = (struct id_mappings){ &same, 1, &same, 1 };
        r = userns_open(&spec->mappings, flags, ret_userns, err);
        if (r < 0)
                return r;
        take(spec, NAMESPACE_USER, ret_userns->user_fd);
        take(spec, NAMESPACE_NET, ret_userns->net_fd);
        take(spec, NAMESPACE_IPC, ret_userns->ipc_fd);
        take(spec, NAMESPACE_UTS, ret_userns->uts_fd);
        return 0;
}
