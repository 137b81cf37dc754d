/* One line a field, `name value`, in RUN/sandboxes/ID/CID/state. A hint: the kernel is asked whether it is still true.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/internal.h"
#include "runtime/sys.h"

void hint_clear(struct runtime_hint *hint) {
        free(hint->log_path);
        free(hint->cgroup);
        for (size_t i = 0; i < hint->n_tasks; i++)
                free(hint->tasks[i]);
        *hint = (struct runtime_hint){ 0 };
}

char *hint_fd_path(int fd) {
        char link[64], path[PATH_MAX];
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = fd >= 0 ? readlink(link, path, sizeof(path) - 1) : -1;
        if (n < 0)
                return NULL;
        path[n] = '\0';
        return strdup(path);
}

uint64_t hint_start_ticks(pid_t pid) {
        _cleanup_close_ int fd = -EBADF;
        char path[64], text[1024], *p;
        unsigned long long ticks = 0;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        /* The name, field 2, may hold anything but ends with the last parenthesis; the start time is field 22. */
        p = strrchr(text, ')');
        for (int field = 2; p && field < 22; field++)
                p = strchr(p + 1, ' ');
        return p && sscanf(p, "%llu", &ticks) == 1 ? ticks : 0;
}

static int append(char *text, size_t *used, const char *format, ...) {
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(text + *used, HINT_SIZE_MAX - *used, format, args);
        va_end(args);
        if (n < 0 || (size_t)n >= HINT_SIZE_MAX - *used)
                return -EFBIG;
        *used += (size_t)n;
        return 0;
}

static int format_hint(const struct runtime_hint *hint, char *text, size_t *used) {
        int r = append(
                text, used,
                "pid %d\nstart_ticks %" PRIu64 "\nstarted_at %" PRIu64 "\njoin %" PRIu64 "\npid_mode %u\nterminal %d\n",
                hint->pid, hint->start_ticks, hint->started_at, hint->join_flags, hint->pid_mode, hint->terminal);

        if (r < 0 ||
            (hint->log_path && (r = append(text, used, "log_size %" PRIu64 "\nlog_files %u\nlog %s\n",
                                           hint->log_max_size, hint->log_max_files, hint->log_path)) < 0) ||
            (hint->cgroup && (r = append(text, used, "cgroup %s\n", hint->cgroup)) < 0))
                return r;
        for (size_t i = 0; i < hint->n_tasks; i++)
                if ((r = append(text, used, "tasks %s\n", hint->tasks[i])) < 0)
                        return r;
        return 0;
}

int hint_write(int dir, const char *id, const struct runtime_hint *hint, struct err **err) {
        _cleanup_free_ char *text = malloc(HINT_SIZE_MAX);
        _cleanup_close_ int own = -EBADF, fd = -EBADF;
        size_t used = 0;
        int r;

        if (!text)
                return err_set(err, ENOMEM, "out of memory");
        r = format_hint(hint, text, &used);
        if (r < 0)
                return err_errno(err, -r, "container %s: what is kept for recovery", id);
        own = openat(dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (own >= 0)
                fd = openat(own, "state.new", O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, text, used) != (ssize_t)used || renameat(own, "state.new", own, "state") < 0)
                return err_errno(err, errno, "container %s: write what is kept for recovery", id);
        return 0;
}

static void parse_field(struct runtime_hint *hint, const char *name, const char *value) {
        if (strcmp(name, "pid") == 0)
                hint->pid = atoi(value);
        else if (strcmp(name, "start_ticks") == 0)
                hint->start_ticks = strtoull(value, NULL, 10);
        else if (strcmp(name, "started_at") == 0)
                hint->started_at = strtoull(value, NULL, 10);
        else if (strcmp(name, "join") == 0)
                hint->join_flags = strtoull(value, NULL, 10);
        else if (strcmp(name, "pid_mode") == 0)
                hint->pid_mode = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "terminal") == 0)
                hint->terminal = atoi(value) != 0;
        else if (strcmp(name, "log_size") == 0)
                hint->log_max_size = strtoull(value, NULL, 10);
        else if (strcmp(name, "log_files") == 0)
                hint->log_max_files = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "log") == 0 && !hint->log_path)
                hint->log_path = strdup(value);
        else if (strcmp(name, "cgroup") == 0 && !hint->cgroup)
                hint->cgroup = strdup(value);
        else if (strcmp(name, "tasks") == 0 && hint->n_tasks < SPEC_CGROUPS_MAX &&
                 (hint->tasks[hint->n_tasks] = strdup(value)))
                hint->n_tasks++;
}

int hint_read(int dir, const char *id, struct runtime_hint *ret_hint, struct err **err) {
        _cleanup_free_ char *text = malloc(HINT_SIZE_MAX);
        _cleanup_close_ int own = -EBADF, fd = -EBADF;
        struct runtime_hint hint = { 0 };
        char *save = NULL;
        ssize_t n;

        own = openat(dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (own >= 0)
                fd = openat(own, "state", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        n = fd < 0 || !text ? -1 : read(fd, text, HINT_SIZE_MAX - 1);
        if (n < 0)
                return err_errno(err, text ? errno : ENOMEM, "container %s: read what was kept for recovery", id);
        text[n] = '\0';
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *value = strchr(line, ' ');

                if (value) {
                        *value++ = '\0';
                        parse_field(&hint, line, value);
                }
        }
        if (hint.pid <= 0) {
                hint_clear(&hint);
                return err_set(err, EBADMSG, "container %s: what was kept for recovery is damaged", id);
        }
        *ret_hint = hint;
        return 0;
}
