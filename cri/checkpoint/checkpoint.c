/* CheckpointContainer: criu writes the container down while it goes on, and all of it becomes one archive. */
#include "cri/checkpoint/checkpoint.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cgroups/cgroup.h"
#include "cri/call/call.h"
#include "cri/call/handlers.h"
#include "cri/state/record.h"
#include "cri/container/spec.h"
#include "lib/files.h"
#include "images/tar_writer.h"
#include "runtime/criu/criu.h"
#include "runtime/sys.h"

#define DEFAULT_SECONDS 120
#define SECONDS_MAX (24 * 3600)

struct checkpoint {
        struct cri_call *call;
        pid_t pid;
        const char *staging; /* ROOT/containers/ID/checkpoint: what goes into the archive, until it is there */
        int dir_fd;          /* ROOT/containers/ID: criu's log, which stays when it failed */
        int staging_fd, images_fd;
};

static unsigned seconds_of(int64_t timeout) {
        return timeout == 0 ? DEFAULT_SECONDS : timeout > SECONDS_MAX ? SECONDS_MAX : (unsigned)timeout;
}

/* One that was cut off by the agent's end may have left its files. */
static int open_staging(struct checkpoint *c, struct err **err) {
        const char *dir = record_dir(c->call->cri, c->call->arena, RECORD_CONTAINER, c->call->container->id);
        int r;

        c->staging = dir ? arena_printf(c->call->arena, "%s/" CHECKPOINT_DIRECTORY, dir) : NULL;
        if (!c->staging)
                return err_set(err, ENOMEM, "out of memory");
        r = files_remove_tree(c->staging, err);
        if (r < 0)
                return r;
        c->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c->dir_fd < 0)
                return err_errno(err, errno, "%s", dir);
        if (mkdir(c->staging, 0700) < 0)
                return err_errno(err, errno, "make %s", c->staging);
        c->staging_fd = open(c->staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c->staging_fd < 0 || mkdirat(c->staging_fd, CHECKPOINT_DIRECTORY, 0700) < 0)
                return err_errno(err, errno, "%s", c->staging);
        c->images_fd = openat(c->staging_fd, CHECKPOINT_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return c->images_fd < 0 ? err_errno(err, errno, "%s/" CHECKPOINT_DIRECTORY, c->staging) : 0;
}

/* Whether the process is one of the container's cgroup, and not another that got its number after its end. */
static int check_process(const struct checkpoint *c, struct err **err) {
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        int r = cgroup_pids(c->call->cri->cgroups, c->call->container->cgroup, true, &pids, &n, err);

        for (size_t i = 0; r == 0 && i < n; i++)
                if (pids[i] == c->pid)
                        return 0;
        return r < 0 ? r : err_set(err, ESRCH, "it has ended");
}

static int dump(struct checkpoint *c, const char *program, struct err **err) {
        const Cri__CheckpointContainerRequest *request = (const Cri__CheckpointContainerRequest *)c->call->request;
        const struct cri_container *container = c->call->container;
        Cri__NamespaceMode pid = cri_container_namespaces(container->config)->pid;
        struct criu_externals externals = {
                .net = !cri_sandbox_host_network(container->sandbox),
                .pid = pid == CRI__NAMESPACE_MODE__TARGET ||
                       (pid == CRI__NAMESPACE_MODE__POD &&
                        cri_sandbox_namespaces(container->sandbox->config)->pid == CRI__NAMESPACE_MODE__POD),
        };
        struct criu_request criu = {
                .program = program,
                .images_fd = c->images_fd,
                .work_fd = c->dir_fd,
                .pid = c->pid,
                .leave_running = true,
                .tcp_established = true,
                .file_locks = true,
                .cgroups = CRIU_CGROUPS_SOFT,
                .seconds = seconds_of(request->timeout),
        };
        _cleanup_close_ int process = sys_pidfd_open(c->pid);
        struct pollfd ended = { .fd = process, .events = POLLIN };
        int r = process < 0 ? err_errno(err, errno, "its process") : check_process(c, err);

        if (r < 0 || (r = criu_externals_find(c->call->arena, c->pid, &externals, err)) < 0 ||
            (r = criu_externals_list(c->call->arena, c->pid, &externals, &criu.external, &criu.n_external, err)) < 0 ||
            (r = criu_externals_write(c->images_fd, &externals, err)) < 0 || (r = criu_dump(&criu, err)) < 0)
                return r;
        return poll(&ended, 1, 0) != 0 ? err_set(err, ESRCH, "it has ended meanwhile") : 0;
}

/* What the container changed, as one file, since its size has to be known before it goes into the archive. */
static int write_diff(struct checkpoint *c, struct err **err) {
        const char *dir = record_dir(c->call->cri, c->call->arena, RECORD_CONTAINER, c->call->container->id);
        const char *path = dir ? arena_printf(c->call->arena, "%s/upper", dir) : NULL;
        _cleanup_close_ int upper = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -EBADF, diff = -EBADF;
        int r;

        if (upper < 0)
                return err_errno(err, path ? errno : ENOMEM, "the container's writable layer");
        diff = openat(c->staging_fd, CHECKPOINT_DIFF, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (diff < 0)
                return err_errno(err, errno, "make " CHECKPOINT_DIFF);
        if ((r = checkpoint_tree(diff, upper, "", true, err)) < 0 || (r = image_tar_write_end(diff, err)) < 0)
                return err_wrap(err, r, CHECKPOINT_DIFF);
        return 0;
}

/* A file that may be missing. */
static int put_file(int archive, int dir, const char *path, const char *name, struct err **err) {
        _cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct tar_item item = { .path = name, .content = fd };
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        item.st = &st;
        return image_tar_write(archive, &item, err);
}

static int put_documents(struct checkpoint *c, int archive, struct err **err) {
        _cleanup_free_ char *config = NULL, *spec = NULL;
        int r = checkpoint_config(c->call->container, &config, err);

        if (r < 0 || (r = checkpoint_spec(c->call->container, c->call->arena, &spec, err)) < 0 ||
            (r = image_tar_write_text(archive, "config.dump", 0600, config, strlen(config), err)) < 0)
                return r;
        return image_tar_write_text(archive, "spec.dump", 0600, spec, strlen(spec), err);
}

static int put_all(struct checkpoint *c, int archive, struct err **err) {
        const char *log = container_log_path(c->call->arena, c->call->container);
        struct tar_item directory = { .path = CHECKPOINT_DIRECTORY, .content = -EBADF };
        struct stat st;
        int r;

        if (!log || fstat(c->images_fd, &st) < 0)
                return err_errno(err, log ? errno : ENOMEM, "the checkpoint");
        directory.st = &st;
        if ((r = image_tar_write(archive, &directory, err)) < 0 ||
            (r = checkpoint_tree(archive, c->images_fd, CHECKPOINT_DIRECTORY, false, err)) < 0 ||
            (r = put_documents(c, archive, err)) < 0 ||
            (r = put_file(archive, c->dir_fd, CRIU_DUMP_LOG, CRIU_DUMP_LOG, err)) < 0 ||
            (r = put_file(archive, c->dir_fd, CRIU_DUMP_STATS, CRIU_DUMP_STATS, err)) < 0 ||
            (*log && (r = put_file(archive, AT_FDCWD, log, "container.log", err)) < 0) ||
            (r = put_file(archive, c->staging_fd, CHECKPOINT_DIFF, CHECKPOINT_DIFF, err)) < 0)
                return r;
        return image_tar_write_end(archive, err);
}

/* The archive appears whole or not at all. */
static int write_archive(struct checkpoint *c, const char *location, struct err **err) {
        const char *partial = arena_printf(c->call->arena, "%s.part", location);
        _cleanup_close_ int archive = -EBADF;
        int r;

        if (!partial)
                return err_set(err, ENOMEM, "out of memory");
        unlink(partial);
        archive = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (archive < 0)
                return err_errno(err, errno, "make %s", partial);
        if ((r = put_all(c, archive, err)) < 0 ||
            (fsync(archive) < 0 && (r = err_errno(err, errno, "write %s", partial)) < 0) ||
            (rename(partial, location) < 0 && (r = err_errno(err, errno, "make %s", location)) < 0))
                unlink(partial);
        return r;
}

static int make(struct checkpoint *c, const char *location, struct err **err) {
        const char *program;
        int r;

        if ((r = criu_find(c->call->arena, &program, err)) < 0 || (r = open_staging(c, err)) < 0 ||
            (r = dump(c, program, err)) < 0 || (r = write_diff(c, err)) < 0 ||
            (r = write_archive(c, location, err)) < 0)
                return r;
        unlinkat(c->dir_fd, CRIU_DUMP_LOG, 0);
        unlinkat(c->dir_fd, CRIU_DUMP_STATS, 0);
        return 0;
}

static int checkpoint_work(struct cri_call *call, struct err **err) {
        const Cri__CheckpointContainerRequest *request = (const Cri__CheckpointContainerRequest *)call->request;
        struct checkpoint *c = call->state;
        int r = make(c, request->location, err);

        close_fd(c->images_fd);
        close_fd(c->staging_fd);
        close_fd(c->dir_fd);
        if (c->staging)
                files_remove_tree(c->staging, NULL);
        return r < 0 ? err_wrap(err, r, "checkpoint of container \"%s\"", call->container->id) : r;
}

static void checkpoint_turn(struct cri_call *call) {
        struct checkpoint *c;

        if (call->container->removed || call->container->phase != CRI_PHASE_RUNNING) {
                call_refuse(call, ESRCH, "container \"%s\" is not running", call->container->id);
                return;
        }
        c = call_alloc(call, sizeof(*c));
        if (!c)
                return;
        *c = (struct checkpoint){
                .call = call, .pid = call->container->pid, .dir_fd = -EBADF, .staging_fd = -EBADF, .images_fd = -EBADF
        };
        call->state = c;
        call_run(call, checkpoint_work, call_reply_empty);
}

void handle_checkpoint_container(struct cri_call *call) {
        const Cri__CheckpointContainerRequest *request = (const Cri__CheckpointContainerRequest *)call->request;

        if (!call_find_container(call, request->container_id))
                return;
        if (text_empty(request->location) || request->location[0] != '/')
                call_refuse(call, EINVAL, "location \"%s\": an absolute path is expected",
                            text_empty(request->location) ? "" : request->location);
        else if (request->timeout < 0)
                call_refuse(call, EINVAL, "timeout %lld: must not be negative", (long long)request->timeout);
        else
                call_take_turn(call, checkpoint_turn);
}
