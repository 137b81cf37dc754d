#include "agent/container/log_links.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cri/state/events.h"
#include "kube/pod/pod.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/pool.h"

#define SUFFIX ".log"

void log_link_name(const char *pod, const char *namespace_, const char *container, const char *id, char *ret_name,
                   size_t size) {
        int most = NAME_MAX - (int)strlen(SUFFIX);
        char name[1024];

        snprintf(name, sizeof(name), "%s_%s_%s-%s", pod, namespace_, container, id);
        snprintf(ret_name, size, "%.*s" SUFFIX, most, name);
}

static int open_links(void) {
        return open(LOG_LINKS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool is_below(const char *path, const char *dir) {
        size_t n = strlen(dir);

        return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* Where a link of the directory leads; false when it is none, or not into @logs. */
static bool read_link(int dir, const char *name, const char *logs, char ret_target[PATH_MAX]) {
        ssize_t n = readlinkat(dir, name, ret_target, PATH_MAX - 1);

        if (n < 0)
                return false;
        ret_target[n] = '\0';
        return is_below(ret_target, logs);
}

/* Calls @each for the links that lead into @logs and whose names end with @end. */
static void each_link(const char *logs, const char *end, void (*each)(int dir, const char *name, const char *target)) {
        int fd = open_links();
        _cleanup_closedir_ DIR *dir = open_dir(fd);
        char target[PATH_MAX];
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                size_t n = strlen(entry->d_name), n_end = strlen(end);

                if (n >= n_end && strcmp(entry->d_name + n - n_end, end) == 0 &&
                    read_link(dirfd(dir), entry->d_name, logs, target))
                        each(dirfd(dir), entry->d_name, target);
        }
}

static void remove_link(int dir, const char *name, const char *target) {
        if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
                log_warning("cannot remove %s/%s: %s", LOG_LINKS_DIR, name, strerror(errno));
}

static void remove_dead(int dir, const char *name, const char *target) {
        if (access(target, F_OK) < 0 && errno == ENOENT)
                remove_link(dir, name, target);
}

int log_links_prepare(const char *logs, struct err **err) {
        int r = files_make_dirs(LOG_LINKS_DIR, 0755, err);

        if (r == 0)
                each_link(logs, SUFFIX, remove_dead);
        return r;
}

void log_links_sweep(const char *logs) {
        each_link(logs, SUFFIX, remove_link);
}

/* -- a container's ------------------------------------------------------------------------------------------ */

struct job {
        struct pool_job job;
        char *target, *logs;     /* target: of the link to make */
        char name[NAME_MAX + 1]; /* or how the link of the container that is gone ends */
};

static void job_done(struct pool_job *pool_job) {
        struct job *job = (struct job *)pool_job;

        free(job->target);
        free(job->logs);
        free(job);
}

static void make_link(struct pool_job *pool_job) {
        const struct job *job = (const struct job *)pool_job;
        _cleanup_close_ int dir = open_links();

        /* kubelet's way: nothing that leads nowhere is made */
        if (access(job->target, F_OK) < 0 && errno == ENOENT)
                return;
        if (dir < 0 || (symlinkat(job->target, dir, job->name) < 0 && errno != EEXIST))
                log_warning("cannot link %s/%s to %s: %s", LOG_LINKS_DIR, job->name, job->target, strerror(errno));
}

/* The log of an attempt that has a successor, with the files that it was rotated to: "DIR/3.log", "DIR/3.log.DATE". */
static void remove_log(const char *target) {
        const char *slash = strrchr(target, '/');
        _cleanup_free_ char *path = strndup(target, (size_t)(slash - target));
        int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -EBADF, n = 0;
        _cleanup_closedir_ DIR *dir = open_dir(fd);
        struct dirent *entry;
        char next[32];
        unsigned attempt;

        if (!dir || sscanf(slash + 1, "%u" SUFFIX "%n", &attempt, &n) != 1 || n == 0 || slash[1 + n])
                return;
        snprintf(next, sizeof(next), "%u" SUFFIX, attempt + 1);
        if (faccessat(dirfd(dir), next, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return;
        while ((entry = readdir(dir)))
                if (strncmp(entry->d_name, slash + 1, (size_t)n) == 0 &&
                    (entry->d_name[n] == '\0' || entry->d_name[n] == '.'))
                        unlinkat(dirfd(dir), entry->d_name, 0);
}

static void remove_both(int dir, const char *name, const char *target) {
        remove_log(target);
        remove_link(dir, name, target);
}

static void remove_links(struct pool_job *pool_job) {
        const struct job *job = (const struct job *)pool_job;

        each_link(job->logs, job->name, remove_both);
}

void log_links_heard(struct pool *pool, const struct pod *pod, const struct cri_event *event,
                     const struct cri_container_info *info, const char *logs) {
        bool started = event->type == CRI_EVENT_CONTAINER_STARTED;
        struct job *job;

        if (started ? !pod || !info || !*info->log_path : event->type != CRI_EVENT_CONTAINER_DELETED)
                return;
        job = calloc(1, sizeof(*job));
        if (!job)
                return;
        job->job = (struct pool_job){ .work = started ? make_link : remove_links, .done = job_done };
        job->logs = strdup(logs);
        if (started) {
                job->target = strdup(info->log_path);
                log_link_name(pod->metadata.name, pod->metadata.namespace, info->name, info->id, job->name,
                              sizeof(job->name));
        } else
                snprintf(job->name, sizeof(job->name), "-%s" SUFFIX, event->container_id);
        if (!job->logs || (started && !job->target))
                job_done(&job->job);
        else
                pool_submit(pool, &job->job);
}
