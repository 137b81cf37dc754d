#include "runtime/delegate/delegate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <linux/capability.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/value.h"
#include "runtime/plan/bind.h"
#include "runtime/container.h"

#define LOG_MAX (256 * 1024)
#define ARGS_MAX 24
#define CONSOLE_MILLISECONDS 10000

/* Of one delegated container. */
struct delegated {
        const struct container_at *at;
        int dir; /* of the sandbox */
        char program[DELEGATE_PATH_MAX];
        char base[DELEGATE_PATH_MAX - 64]; /* RUN/sandboxes/ID/CID */
        char oci[DELEGATE_PATH_MAX], log[DELEGATE_PATH_MAX], bundle[DELEGATE_PATH_MAX], pid_file[DELEGATE_PATH_MAX];
};

static const char *const files[] = { "oci", "bundle", "runtime.log", "runtime.pid", "console", "runtime" };

bool delegate_is(int dir, const char *id) {
        char name[2 * RUNTIME_ID_MAX + 16], program[2];

        snprintf(name, sizeof(name), "%s/runtime", id);
        return readlinkat(dir, name, program, sizeof(program)) > 0;
}

void delegate_forget(int dir, const char *id) {
        char path[RUNTIME_ID_MAX + 96];

        if (!delegate_is(dir, id))
                return;
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                snprintf(path, sizeof(path), "/proc/self/fd/%d/%s/%s", dir, id, files[i]);
                files_remove_tree(path, NULL);
        }
}

static int open_delegated(const struct container_at *at, int dir, struct delegated *d, struct err **err) {
        char name[RUNTIME_ID_MAX + 16];
        ssize_t n;

        d->at = at;
        d->dir = dir;
        snprintf(name, sizeof(name), "%s/runtime", at->id);
        n = readlinkat(dir, name, d->program, sizeof(d->program) - 1);
        if (n < 0)
                return err_errno(err, errno, "container %s: its runtime", at->id);
        d->program[n] = '\0';
        snprintf(d->base, sizeof(d->base), "%s/sandboxes/%s/%s", at->runtime->run_dir, at->sandbox, at->id);
        snprintf(d->oci, sizeof(d->oci), "%s/oci", d->base);
        snprintf(d->log, sizeof(d->log), "%s/runtime.log", d->base);
        snprintf(d->bundle, sizeof(d->bundle), "%s/bundle", d->base);
        snprintf(d->pid_file, sizeof(d->pid_file), "%s/runtime.pid", d->base);
        return 0;
}

/* ---- the program, run by the shim ---- */

static void plan_program(struct plan *plan, int ns, const char *const *args) {
        static const char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
        size_t n = 0;

        while (args[n])
                n++;
        plan_add_strings(plan, PLAN_ARGS, -1, args, n);
        plan_add_strings(plan, PLAN_ENV, -1, env, ELEMENTS(env));
        plan_add(plan, PLAN_JOIN, plan_take_fd(plan, ns), NULL, 0)->a = CLONE_NEWNS;
        plan_add_string(plan, PLAN_CWD, "/");
}

static void plan_stdio(struct plan *plan, const struct prepare_stdio *stdio) {
        int in = plan_dup_fd(plan, stdio->in), out = plan_dup_fd(plan, stdio->out),
            error = plan_dup_fd(plan, stdio->err);
        struct plan_step *step = plan_add(plan, PLAN_STDIO, in, NULL, 0);

        step->a = (uint64_t)(int64_t)out;
        step->b = (uint64_t)(int64_t)error;
}

/* Waits for the program's end. */
static int call_shim(struct delegated *d, const struct container_spec *spec, struct plan *plan, int *ret_status,
                     struct err **err) {
        _cleanup_close_ int socket = -EBADF;
        struct wire_request request;
        int r;

        client_request(&request, WIRE_EXEC, "");
        request.flags = WIRE_F_HELPER;
        /* Beside v1 hierarchies the program does not see cgroup2: what it starts is there before it. */
        if (spec && spec->n_cgroup_procs_fds > 0)
                request.cgroup_fd = plan_dup_fd(plan, spec->cgroup_fd);
        r = plan_check(plan);
        if (r < 0)
                return err_errno(err, -r, "run %s", d->program);
        r = client_connect(d->at->runtime, d->at->sandbox, 0, &socket, err);
        if (r == 0)
                r = client_send(socket, &request, plan, err);
        while (r == 0) {
                struct client_reply reply;

                r = client_receive(socket, &reply, err);
                if (r < 0)
                        break;
                close_fd(reply.fd);
                if (reply.head.type == WIRE_EXITED) {
                        *ret_status = reply.head.exit_code;
                        return 0;
                }
                if (reply.head.type == WIRE_DONE)
                        r = err_set(err, reply.head.code ? reply.head.code : EIO, "run %s: %s", d->program,
                                    reply.head.text);
        }
        return r;
}

/* The last error in the program's log, whose lines are JSON. */
static void last_error(const struct delegated *d, char *text, size_t size) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *log = NULL;
        size_t length;

        text[0] = '\0';
        if (!arena || files_read(d->log, LOG_MAX, &log, &length, NULL) < 0)
                return;
        for (char *line = log, *end; line && *line; line = end) {
                const struct value *value = NULL;

                end = strchr(line, '\n');
                if (end)
                        *end++ = '\0';
                if (json_parse(arena, line, strlen(line), NULL, &value, NULL) == 0 &&
                    strcmp(value_string_or(value_get(value, "level"), ""), "error") == 0)
                        snprintf(text, size, "%s", value_string_or(value_get(value, "msg"), ""));
        }
}

/* Runs `PROGRAM --root ... COMMAND`, where @command is NULL-terminated. */
static int run(struct delegated *d, int ns, const struct container_spec *spec, const struct prepare_stdio *stdio,
               const char *const *command, struct err **err) {
        const char *args[ARGS_MAX] = { d->program, "--root", d->oci, "--log", d->log, "--log-format", "json" };
        _cleanup_plan_ struct plan plan = { 0 };
        char why[512];
        size_t n = 7;
        int status = -1, r;

        for (size_t i = 0; command[i] && n + 1 < ARGS_MAX; i++)
                args[n++] = command[i];
        plan_program(&plan, ns, args);
        plan_stdio(&plan, stdio);
        plan_add(&plan, PLAN_EXEC, -1, NULL, 0);
        unlink(d->log);
        r = call_shim(d, spec, &plan, &status, err);
        if (r < 0 || status == 0)
                return r;
        last_error(d, why, sizeof(why));
        return err_set(err, EIO, "%s %s: %s", d->program, command[0],
                       why[0] ? why : "it failed and left no error in its log");
}

static int run_plain(struct delegated *d, const char *const *command, struct err **err) {
        static const struct prepare_stdio none = { -EBADF, -EBADF, -EBADF };
        const struct delegate_place place = { .bundle = d->bundle, .rootfs = -EBADF };
        int ns, r = delegate_place(&place, &ns, err);

        return r < 0 ? r : run(d, ns, NULL, &none, command, err);
}

/* ---- create ---- */

/* What cannot be handed over: user namespaces. */
static int delegate_check(const struct container_spec *spec, struct err **err) {
        if (spec->mappings.n_uids > 0)
                return err_set(err, EOPNOTSUPP, "%s: user namespaces are made by nacelle's own runtime only",
                               spec->delegate->path);
        for (size_t i = 0; i < spec->n_mounts; i++)
                if (spec->mounts[i].idmap)
                        return err_set(err, EOPNOTSUPP, "%s: idmapped mount at %s: made by nacelle's own runtime only",
                                       spec->delegate->path, spec->mounts[i].destination);
        return 0;
}

struct sources {
        int fds[SPEC_MOUNTS_MAX];
        const char **names; /* one for each mount of the spec; NULL: its own */
        char (*texts)[DELEGATE_PATH_MAX];
        size_t n;
        bool shm;
};

static void sources_free(struct sources **sources) {
        if (!*sources)
                return;
        for (size_t i = 0; i < (*sources)->n; i++)
                close_fd((*sources)->fds[i]);
        free((*sources)->names);
        free((*sources)->texts);
        free(*sources);
}

/* Mounts whose source has no path on the host are put into the bundle. */
static int open_sources(const struct delegated *d, const struct container_spec *spec, struct sources **ret_sources,
                        struct err **err) {
        struct sources *s = *ret_sources = calloc(1, sizeof(*s));
        size_t needed = 0;
        int r = 0;

        for (size_t i = 0; i < spec->n_mounts; i++)
                needed += spec->mounts[i].source_fd >= 0 ||
                          (spec->mounts[i].type && strcmp(spec->mounts[i].type, "shm") == 0);
        if (s) {
                s->names = calloc(spec->n_mounts + 1, sizeof(*s->names));
                s->texts = calloc(needed + 1, sizeof(*s->texts));
        }
        if (!s || !s->names || !s->texts)
                return err_set(err, ENOMEM, "out of memory");
        needed = 0;
        for (size_t i = 0; i < spec->n_mounts && r == 0; i++) {
                const struct mount_spec *mount = &spec->mounts[i];
                char *text = s->texts[needed];
                bool directory;

                if (mount->type && strcmp(mount->type, "shm") == 0) {
                        snprintf(text, DELEGATE_PATH_MAX, "%.4000s/shm", d->bundle);
                        s->shm = true;
                } else if (mount->source_fd >= 0) {
                        r = bind_open(mount, -EBADF, &s->fds[s->n], &directory, err);
                        if (r < 0)
                                break;
                        snprintf(text, DELEGATE_PATH_MAX, "%.4000s/mount%zu", d->bundle, s->n++);
                } else
                        continue;
                s->names[i] = text;
                needed++;
        }
        return r;
}

static int pid_namespace(const struct delegated *d, const struct container_spec *spec, char *ret_path, size_t size,
                         struct err **err) {
        struct container_state target;
        pid_t pid = 0;
        int r;

        *ret_path = '\0';
        switch (spec->namespaces[NAMESPACE_PID].mode) {
        case NAMESPACE_POD:
                pid = sandbox_read_pid(d->dir, "holder");
                break;
        case NAMESPACE_TARGET:
                r = container_status(d->at->runtime, d->at->sandbox, spec->pid_target, &target, err);
                if (r < 0)
                        return r;
                pid = target.pid;
                break;
        default:
                return 0;
        }
        if (pid <= 0)
                return err_set(err, ESRCH, "the pid namespace to join is gone");
        snprintf(ret_path, size, "/proc/%d/ns/pid", pid);
        return 0;
}

static int make_bundle(struct delegated *d, const struct container_spec *spec, const struct sources *sources,
                       struct err **err) {
        struct container_spec given = *spec;
        _cleanup_free_ char *json = NULL;
        char path[DELEGATE_PATH_MAX + 16], pid_ns[64];
        int r = files_make_dirs(d->bundle, 0700, err);

        /* As our own runtime has it: what may not be set is left. */
        if (given.process.oom_score_adj < 0 && prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 0) {
                log_warning("container %s: oom_score_adj %d: not permitted", d->at->id, given.process.oom_score_adj);
                given.process.set_oom_score_adj = false;
        }
        if (r < 0 || (r = files_make_dirs(d->oci, 0700, err)) < 0 ||
            (r = pid_namespace(d, spec, pid_ns, sizeof(pid_ns), err)) < 0 ||
            (r = delegate_config(&given, pid_ns, sources->names, &json, err)) < 0)
                return r;
        snprintf(path, sizeof(path), "%s/config.json", d->bundle);
        return files_replace(path, json, strlen(json), 0600, err);
}

/* By descriptor: a socket's path may have 107 bytes only. */
static int listen_console(const struct delegated *d, int own, char *ret_path, size_t size, int *ret_fd,
                          struct err **err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        snprintf(ret_path, size, "/proc/%d/fd/%d/console", getpid(), own);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", ret_path);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
                return err_errno(err, errno, "container %s: its terminal's socket", d->at->id);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int take_console(const struct delegated *d, int listener, int *ret_master, struct err **err) {
        struct pollfd wait = { .fd = listener, .events = POLLIN };
        _cleanup_close_ int fd = -EBADF;
        char name[256];
        size_t n = 0;
        int master = -EBADF;

        if (poll(&wait, 1, CONSOLE_MILLISECONDS) == 1)
                fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || wire_receive(fd, name, sizeof(name), &master, 1, &n) < 0 || n != 1)
                return err_set(err, EPROTO, "%s create: it sent no terminal", d->program);
        fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
        *ret_master = master;
        return 0;
}

static int read_pid(const struct delegated *d, pid_t *ret_pid, struct err **err) {
        _cleanup_free_ char *text = NULL;
        int r = files_read(d->pid_file, 64, &text, NULL, err);
        long pid = r < 0 ? 0 : strtol(text, NULL, 10);

        if (r < 0 || pid <= 1 || pid > INT32_MAX)
                return r < 0 ? r : err_set(err, EPROTO, "%s create: its pid file says \"%s\"", d->program, text);
        *ret_pid = (pid_t)pid;
        return 0;
}

static int create(struct delegated *d, int own, const struct container_spec *spec, const struct prepare_stdio *stdio,
                  struct delegate_created *ret_created, struct err **err) {
        _cleanup_(sources_free) struct sources *sources = NULL;
        _cleanup_close_ int rootfs = -EBADF, listener = -EBADF;
        char console[64];
        const char *command[] = { "create",  "--bundle", d->bundle, "--pid-file", d->pid_file,
                                  d->at->id, NULL,       NULL,      NULL };
        struct delegate_created created = { .master = -EBADF };
        struct delegate_place place = { .bundle = d->bundle };
        int ns, r;

        if ((r = open_sources(d, spec, &sources, err)) < 0 || (r = prepare_root(spec, -EBADF, &rootfs, err)) < 0 ||
            (r = make_bundle(d, spec, sources, err)) < 0)
                return r;
        if (spec->process.terminal) {
                if ((r = listen_console(d, own, console, sizeof(console), &listener, err)) < 0)
                        return r;
                command[5] = "--console-socket";
                command[6] = console;
                command[7] = d->at->id;
        }
        place.rootfs = rootfs;
        place.sources = sources->fds;
        place.n_sources = sources->n;
        place.shim = sources->shm ? sandbox_read_pid(d->dir, "pid") : 0;
        if ((r = delegate_place(&place, &ns, err)) < 0 || (r = run(d, ns, spec, stdio, command, err)) < 0 ||
            (r = read_pid(d, &created.pid, err)) < 0)
                return r;
        if (spec->process.terminal && (r = take_console(d, listener, &created.master, err)) < 0)
                return r;
        *ret_created = created;
        return 0;
}

int delegate_create(const struct container_at *at, int dir, const struct container_spec *spec,
                    const struct prepare_stdio *stdio, struct delegate_created *ret_created, struct err **err) {
        _cleanup_close_ int own = openat(dir, at->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct delegated d;
        int r = delegate_check(spec, err);

        if (r < 0)
                return r;
        if (own < 0 || (symlinkat(spec->delegate->path, own, "runtime") < 0 && errno != EEXIST))
                return err_errno(err, errno, "container %s: its directory", at->id);
        if ((r = open_delegated(at, dir, &d, err)) < 0)
                return r;
        return create(&d, own, spec, stdio, ret_created, err);
}

int delegate_start(const struct container_at *at, int dir, struct err **err) {
        const char *command[] = { "start", at->id, NULL };
        struct delegated d;
        int r = open_delegated(at, dir, &d, err);

        return r < 0 ? r : run_plain(&d, command, err);
}

int delegate_delete(const struct container_at *at, int dir, struct err **err) {
        const char *command[] = { "delete", "--force", at->id, NULL };
        struct delegated d;
        int r = open_delegated(at, dir, &d, err);

        return r < 0 ? r : run_plain(&d, command, err);
}

/* ---- exec ---- */

/* The document of the process, in a file of its own; allocated. */
static int write_process(const struct delegated *d, const struct process_spec *process, char **ret_path,
                         struct err **err) {
        static atomic_uint number;
        _cleanup_free_ char *json = NULL, *path = malloc(DELEGATE_PATH_MAX);
        int r;

        if (!path)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = delegate_process(process, &json, err)) < 0)
                return r;
        snprintf(path, DELEGATE_PATH_MAX, "%.4000s/exec-%u.json", d->oci, number++);
        if ((r = files_replace(path, json, strlen(json), 0600, err)) < 0) {
                unlink(path);
                return r;
        }
        *ret_path = TAKE_PTR(path);
        return 0;
}

int delegate_exec(const struct container_at *at, int dir, const struct exec_spec *spec, struct plan *plan,
                  char **ret_document, struct err **err) {
        const struct prepare_stdio stdio = { spec->stdin_fd, spec->stdout_fd, spec->stderr_fd };
        const struct delegate_place place = { .rootfs = -EBADF };
        _cleanup_free_ char *document = NULL;
        struct delegated d;
        int ns, r;

        if ((r = open_delegated(at, dir, &d, err)) < 0 || (r = write_process(&d, spec->process, &document, err)) < 0)
                return r;
        if ((r = delegate_place(&place, &ns, err)) < 0) {
                unlink(document);
                return r;
        }
        plan_program(plan, ns,
                     (const char *const[]){ d.program, "--root", d.oci, "exec", "--process", document, at->id, NULL });
        if (spec->process->terminal)
                plan_add(plan, PLAN_TERMINAL, plan_dup_fd(plan, spec->terminal_fd), NULL, 0);
        else
                plan_stdio(plan, &stdio);
        plan_add(plan, PLAN_EXEC, -1, NULL, 0);
        *ret_document = TAKE_PTR(document);
        return 0;
}
