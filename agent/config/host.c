#include "agent/config/host.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/spread.h"

/* The agent is needed to free memory again: killed late, but before the kernel's own threads starve. */
#define OOM_SCORE "-999"

/* mkdir -p; @mode is for the last one. */
static int make_dir(const char *path, mode_t mode, struct err **err) {
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return err_set(err, ENOMEM, "out of memory");
        for (char *p = copy + 1; (p = strchr(p, '/')); p++) {
                *p = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return err_errno(err, errno, "cannot create the directory %s", copy);
                *p = '/';
        }
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
                return err_errno(err, errno, "cannot create the directory %s", path);

        struct stat st;
        if (stat(path, &st) < 0)
                return err_errno(err, errno, "%s", path);
        if (!S_ISDIR(st.st_mode))
                return err_set(err, ENOTDIR, "%s is not a directory", path);
        return 0;
}

static int take_lock(const char *dir, const char *flag, int *ret_lock, struct err **err) {
        _cleanup_free_ char *path = NULL;
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        _cleanup_close_ int fd = -EBADF;

        if (asprintf(&path, "%s/lock", dir) < 0) {
                path = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return err_errno(err, errno, "cannot open %s", path);
        /* Not flock(): a child that a killed agent made, and that has not reached its execve() yet, would go on holding
         * it. */
        if (fcntl(fd, F_SETLK, &whole) < 0) {
                if (errno == EAGAIN || errno == EACCES) {
                        fcntl(fd, F_GETLK, &whole);
                        return err_set(err, EBUSY,
                                       "another nacelle-agent holds %s (process %d); give this one a %s of its own",
                                       dir, whole.l_pid, flag);
                }
                return err_errno(err, errno, "cannot lock %s", path);
        }
        *ret_lock = TAKE_FD(fd);
        return 0;
}

int host_prepare(const struct options *o, struct host_locks *ret_locks, struct err **err) {
        _cleanup_close_ int root = -EBADF, run = -EBADF;
        _cleanup_free_ char *pods = NULL;
        int r;

        if (geteuid() != 0)
                return err_set(err, EPERM, "nacelle-agent must run as root: it makes namespaces, mounts and cgroups");
        if (asprintf(&pods, "%s/pods", o->root_dir) < 0) {
                pods = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if ((r = make_dir(o->root_dir, 0700, err)) < 0 || (r = make_dir(o->run_dir, 0700, err)) < 0)
                return r;
        if ((r = take_lock(o->root_dir, "--root-dir", &root, err)) < 0 ||
            (r = take_lock(o->run_dir, "--run-dir", &run, err)) < 0 || (r = files_make_private(pods, err)) < 0 ||
            (r = make_dir(o->pod_logs_dir, 0755, err)) < 0 || (r = claims_take(o, &ret_locks->claims, err)) < 0)
                return r;
        spread_directory(pods);
        spread_directory(o->pod_logs_dir);
        ret_locks->root = TAKE_FD(root);
        ret_locks->run = TAKE_FD(run);
        return 0;
}

static void raise_files(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
                return;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                log_warning("cannot raise the limit of open files: %s", strerror(errno));
}

static void lower_oom_score(void) {
        _cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, OOM_SCORE, strlen(OOM_SCORE)) < 0)
                log_debug("cannot lower the agent's OOM score: %s", strerror(errno));
}

void host_set_process(void) {
        umask(0022);
        /* A shim that dies leaves its containers' first processes to the agent, which gives them a new one. */
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                log_warning("cannot become child subreaper: %s", strerror(errno));
        raise_files();
        lower_oom_score();
        signal(SIGPIPE, SIG_IGN);

        /* One arena and an early trim: pool threads come and go, and each would leave an arena of its own. */
        mallopt(M_ARENA_MAX, 1);
        mallopt(M_TRIM_THRESHOLD, 64 * 1024);
        mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}
