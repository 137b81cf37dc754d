#include "runtime/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "runtime/internal.h"
#include "runtime/sys.h"

/* How long killed processes may take to end, and sandboxes listed at most. */
#define END_MILLISECONDS 10000
#define SANDBOXES_MAX 16384

void sandbox_spec_init(struct sandbox_spec *spec) {
        *spec = (struct sandbox_spec){ .cgroup_fd = -EBADF, .netns_fd = -EBADF };
}

const char *sandbox_netns_path(const struct runtime *runtime, const char *id, char ret_path[SANDBOX_PATH_MAX]) {
        snprintf(ret_path, SANDBOX_PATH_MAX, "%s/netns/%s", runtime->run_dir, id);
        return ret_path;
}

static int create(struct runtime *runtime, const char *id, const struct sandbox_spec *spec, struct sandbox_info *info,
                  struct err **err) {
        struct sandbox_join join = SANDBOX_JOIN_NONE;
        _cleanup_close_ int dir = -EBADF;
        int r = runtime_open_sandbox(runtime, id, &dir, err);

        if (r < 0 || (r = shim_process_start(runtime, id, dir, &info->shim_pid, err)) < 0)
                return r;
        join.net_fd = spec->netns_fd;
        if ((r = sandbox_setup(runtime, id, spec, &join, info, err)) < 0 ||
            (!spec->host_network && spec->netns_fd < 0 &&
             (r = sandbox_pin_netns(runtime, id, info->shim_pid, err)) < 0))
                shim_process_kill(info->shim_pid);
        return r;
}

int sandbox_begin(struct runtime *runtime, const char *id, struct err **err) {
        int r = runtime_check_id("sandbox", id, err);

        if (r < 0)
                return r;
        return mkdirat(runtime->sandboxes_fd, id, 0700) < 0 ? err_errno(err, errno, "sandbox %s", id) : 0;
}

int sandbox_create(struct runtime *runtime, const char *id, const struct sandbox_spec *spec,
                   struct sandbox_info *ret_info, struct err **err) {
        struct sandbox_info info = { .started_at = (uint64_t)clock_ns(CLOCK_REALTIME) };
        int r = spec->netns_fd < 0 ? sandbox_begin(runtime, id, err) : 0;

        if (r < 0)
                return r;
        r = create(runtime, id, spec, &info, err);
        if (r < 0) {
                err_wrap(err, r, "sandbox %s", id);
                sandbox_delete(runtime, id, NULL);
                return r;
        }
        *ret_info = info;
        return 0;
}

static int probed(void *data, struct client_reply *reply) {
        if (reply->head.type == WIRE_DONE)
                ((struct sandbox_info *)data)->shim_pid = reply->head.pid;
        return 0;
}

int sandbox_probe(struct runtime *runtime, const char *id, struct sandbox_info *ret_info, struct err **err) {
        struct sandbox_info info = { 0 };
        struct wire_request request;
        int r;

        client_request(&request, WIRE_LIST, "");
        r = client_call(runtime, id, &(struct client_exchange){ .request = &request, .state = probed, .data = &info },
                        err);
        if (r == 0)
                *ret_info = info;
        return r;
}

int sandbox_ids(struct runtime *runtime, char ***ret_ids, struct err **err) {
        int fd = openat(runtime->sandboxes_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = open_dir(fd);
        size_t n = 0, size = 0;
        struct dirent *entry;
        char **ids, *text;

        if (!dir)
                return err_errno(err, errno, "list the sandboxes");
        for (; (entry = readdir(dir)); n++)
                size += strlen(entry->d_name) + 1;
        if (n > SANDBOXES_MAX)
                return err_set(err, E2BIG, "%zu sandboxes", n);
        ids = malloc((n + 1) * sizeof(*ids) + size);
        if (!ids)
                return err_set(err, ENOMEM, "out of memory");
        text = (char *)(ids + n + 1);
        rewinddir(dir);
        for (size_t left = n, i = 0;; left--) {
                entry = left > 0 ? readdir(dir) : NULL;
                if (!entry || strlen(entry->d_name) + 1 > size) {
                        ids[i] = NULL;
                        break;
                }
                if (entry->d_name[0] == '.')
                        continue;
                ids[i++] = text;
                size -= strlen(entry->d_name) + 1;
                text = stpcpy(text, entry->d_name) + 1;
        }
        *ret_ids = ids;
        return 0;
}

/* ---- the end ---- */

/* Kills what the file @name names, waits for its end and collects it if it is ours. */
static int end_process(int dir, const char *name) {
        _cleanup_close_ int pidfd = -EBADF;
        struct pollfd ended = { .events = POLLIN };
        pid_t pid;

        errno = 0;
        pid = sandbox_read_pid(dir, name);
        if (pid > 0)
                pidfd = sys_pidfd_open(pid);
        /* Not gone: only not to be looked at for now. */
        if (pidfd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO))
                return -errno;
        ended.fd = pidfd;
        /* Between reading and opening the number could have become another's. */
        if (pidfd < 0 || sandbox_read_pid(dir, name) != pid)
                return 0;
        sys_pidfd_send_signal(pidfd, SIGKILL);
        poll(&ended, 1, END_MILLISECONDS);
        waitid((idtype_t)P_PIDFD, (id_t)pidfd, NULL, WEXITED | WNOHANG);
        return 0;
}

static int end_container(int dir, const char *id) {
        _cleanup_hint_ struct runtime_hint hint = { 0 };
        _cleanup_close_ int pidfd = -EBADF;
        struct pollfd ended = { .events = POLLIN };

        if (hint_read(dir, id, &hint, NULL) == 0 && hint.start_ticks > 0 &&
            hint_start_ticks(hint.pid) == hint.start_ticks)
                pidfd = sys_pidfd_open(hint.pid);
        if (pidfd >= 0 && hint_start_ticks(hint.pid) == hint.start_ticks) {
                sys_pidfd_send_signal(pidfd, SIGKILL);
                ended.fd = pidfd;
                poll(&ended, 1, END_MILLISECONDS);
                waitid((idtype_t)P_PIDFD, (id_t)pidfd, NULL, WEXITED | WNOHANG);
        }
        return fifo_remove_all(dir, id);
}

static int clear_directory(struct runtime *runtime, const char *id, int dir, struct err **err) {
        static const char *const files[] = { "shim.sock", "pid", "holder" };
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *list = open_dir(fd);
        struct dirent *entry;

        if (!list)
                return err_errno(err, errno, "sandbox %s: read its directory", id);
        while ((entry = readdir(list))) {
                int r = entry->d_type == DT_DIR && entry->d_name[0] != '.' ? end_container(dir, entry->d_name) : 0;

                if (r < 0)
                        return err_errno(err, -r, "sandbox %s: remove what is kept of container %s", id, entry->d_name);
        }
        for (size_t i = 0; i < ELEMENTS(files); i++)
                if (unlinkat(dir, files[i], 0) < 0 && errno != ENOENT)
                        return err_errno(err, errno, "sandbox %s: remove %s", id, files[i]);
        if (unlinkat(runtime->sandboxes_fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return err_errno(err, errno, "sandbox %s: remove its directory", id);
        return 0;
}

int sandbox_delete(struct runtime *runtime, const char *id, struct err **err) {
        char path[SANDBOX_PATH_MAX];
        _cleanup_close_ int dir = -EBADF;
        struct wire_request request;
        int r = runtime_check_id("sandbox", id, err);

        if (r < 0)
                return r;
        client_request(&request, WIRE_SHUTDOWN, "");
        client_call(runtime, id, &(struct client_exchange){ .request = &request }, NULL);
        runtime_forget(runtime, id, NULL, UINT32_MAX);

        sandbox_netns_path(runtime, id, path);
        if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
                return err_errno(err, errno, "sandbox %s: release its network namespace", id);
        unlink(path);

        r = runtime_open_sandbox(runtime, id, &dir, NULL);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return err_errno(err, -r, "sandbox %s", id);
        if ((r = end_process(dir, "pid")) < 0 || (r = end_process(dir, "holder")) < 0)
                return err_errno(err, -r, "sandbox %s: end its shim", id);
        return clear_directory(runtime, id, dir, err);
}
