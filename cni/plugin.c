#include "cni/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

extern char **environ;

/* CNI's own variables, at most. */
#define VARIABLES 5

/* Bytes of a plugin's standard error that an error quotes. */
#define COMPLAINT_MAX 1024

/* One of the plugin's outputs, as far as it was read. */
struct output {
        int fd;
        char *text;
        size_t length;
        bool cut;
};

struct process {
        const struct plugin_call *call;
        char path[PATH_MAX];
        pid_t pid;
        int pidfd;
        struct output out, error;
        int status;
};

static void process_done(struct process *process) {
        close_fd(process->pidfd);
        close_fd(process->out.fd);
        close_fd(process->error.fd);
        free(process->out.text);
        free(process->error.text);
}

static int find_plugin(const struct plugin_call *call, char ret_path[PATH_MAX], struct err **err) {
        char dirs[1024] = "";

        for (const char *const *dir = call->bin_dirs; *dir; dir++) {
                size_t n = strlen(dirs);

                if (snprintf(ret_path, PATH_MAX, "%s/%s", *dir, call->type) < PATH_MAX && access(ret_path, X_OK) == 0)
                        return 0;
                snprintf(dirs + n, sizeof(dirs) - n, "%s%s", n > 0 ? ", " : "", *dir);
        }
        return err_set(err, ENOENT, "CNI plugin %s: not found in %s", call->type, dirs);
}

/* The agent's environment without CNI variables of its own, and the call's. */
static char **make_environment(struct arena *arena, const struct plugin_call *call) {
        const char *const variables[VARIABLES][2] = {
                { "CNI_COMMAND", call->command }, { "CNI_CONTAINERID", call->container_id },
                { "CNI_NETNS", call->netns },     { "CNI_IFNAME", call->interface },
                { "CNI_ARGS", call->arguments },
        };
        char **environment, *path = arena_strdup(arena, "CNI_PATH=");
        size_t n = 0;

        while (environ && environ[n])
                n++;
        environment = arena_alloc_array(arena, n + VARIABLES + 2, sizeof(*environment));
        if (!environment)
                return NULL;
        n = 0;
        for (char **variable = environ; variable && *variable; variable++)
                if (strncmp(*variable, "CNI_", 4) != 0)
                        environment[n++] = *variable;
        for (size_t i = 0; i < VARIABLES; i++) {
                if (!variables[i][1])
                        continue;
                environment[n] = arena_printf(arena, "%s=%s", variables[i][0], variables[i][1]);
                if (!environment[n++])
                        return NULL;
        }
        for (const char *const *dir = call->bin_dirs; path && *dir; dir++)
                path = arena_printf(arena, "%s%s%s", path, dir == call->bin_dirs ? "" : ":", *dir);
        environment[n] = path;
        return path ? environment : NULL;
}

/* A file in memory: unlike a pipe it takes all of the configuration at once, whether it is read or not. */
static int make_input(const char *text, int *ret_fd, struct err **err) {
        _cleanup_close_ int fd = memfd_create("cni-config", MFD_CLOEXEC);
        size_t n = strlen(text);

        if (fd < 0 || write(fd, text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) < 0)
                return err_errno(err, errno ? errno : ENOSPC, "configuration for a CNI plugin");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* In a process group of its own, so that a timeout ends what it started too; signals as by default. */
static int spawn(struct process *process, char *const environment[], const int fds[3], struct err **err) {
        char *const arguments[] = { process->path, NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int r;

        sigemptyset(&none);
        sigfillset(&all);
        r = posix_spawnattr_init(&attributes);
        if (r != 0)
                return err_errno(err, r, "CNI plugin %s", process->call->type);
        r = posix_spawn_file_actions_init(&actions);
        if (r == 0) {
                posix_spawnattr_setflags(&attributes,
                                         POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
                posix_spawnattr_setsigmask(&attributes, &none);
                posix_spawnattr_setsigdefault(&attributes, &all);
                for (int i = 0; i < 3 && r == 0; i++)
                        r = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
                if (r == 0)
                        r = posix_spawn(&process->pid, process->path, &actions, &attributes, arguments, environment);
                posix_spawn_file_actions_destroy(&actions);
        }
        posix_spawnattr_destroy(&attributes);
        return r == 0 ? 0 : err_errno(err, r, "CNI plugin %s: start %s", process->call->type, process->path);
}

static int start(struct process *process, struct err **err) {
        _cleanup_close_ int input = -EBADF, out = -EBADF, error = -EBADF;
        _cleanup_arena_ struct arena *arena = arena_new();
        char **environment = arena ? make_environment(arena, process->call) : NULL;
        int pipes[2], r;

        if (!environment)
                return err_errno(err, ENOMEM, "CNI plugin %s", process->call->type);
        r = make_input(process->call->config, &input, err);
        if (r < 0)
                return r;
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_errno(err, errno, "CNI plugin %s", process->call->type);
        process->out.fd = pipes[0];
        out = pipes[1];
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_errno(err, errno, "CNI plugin %s", process->call->type);
        process->error.fd = pipes[0];
        error = pipes[1];
        r = spawn(process, environment, (const int[3]){ input, out, error }, err);
        if (r < 0)
                return r;
        process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
        if (process->pidfd >= 0)
                return 0;
        r = err_errno(err, errno, "CNI plugin %s", process->call->type);
        kill(-process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
        return r;
}

/* Reads what is there; at the end, or when it is too much, the descriptor is closed. */
static void drain(struct output *output) {
        char block[16384], *text = NULL;
        ssize_t n = read(output->fd, block, sizeof(block));

        if (n > 0 && output->length + (size_t)n <= PLUGIN_OUTPUT_MAX)
                text = realloc(output->text, output->length + (size_t)n + 1);
        if (!text) {
                output->cut = n > 0;
                output->fd = close_fd(output->fd);
                return;
        }
        memcpy(text + output->length, block, (size_t)n);
        output->text = text;
        output->length += (size_t)n;
        output->text[output->length] = '\0';
}

static int64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads both outputs until the process is gone. What it leaves running may keep the pipes open: they are not waited
 * for, only emptied. */
static bool wait_until(struct process *process, int64_t deadline) {
        for (bool ended = false;;) {
                struct pollfd fds[3] = { { .fd = process->out.fd, .events = POLLIN },
                                         { .fd = process->error.fd, .events = POLLIN },
                                         { .fd = ended ? -1 : process->pidfd, .events = POLLIN } };
                int64_t left = deadline - now_ms();
                int n = poll(fds, ELEMENTS(fds), ended ? 0 : left > 0 ? (int)left : 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return ended;
                if (fds[0].revents)
                        drain(&process->out);
                if (fds[1].revents)
                        drain(&process->error);
                ended = ended || fds[2].revents;
        }
}

/* What the plugin started is the agent's child now, where the agent is a child subreaper. */
static void reap_group(pid_t group, int flags) {
        pid_t pid;

        do
                pid = waitpid(-group, NULL, flags);
        while (pid > 0 || (pid < 0 && errno == EINTR));
}

static int wait_for(struct process *process, struct err **err) {
        bool ended = wait_until(process, now_ms() + process->call->timeout_ms);

        if (!ended)
                kill(-process->pid, SIGKILL);
        while (waitpid(process->pid, &process->status, 0) < 0 && errno == EINTR)
                continue;
        reap_group(process->pid, ended ? WNOHANG : 0);
        if (!ended)
                return err_set(err, ETIMEDOUT, "CNI plugin %s: %s took longer than %d ms", process->call->type,
                               process->call->command, process->call->timeout_ms);
        return 0;
}

/* What the plugin wrote for people, as one line. */
static const char *complaint(struct output *output) {
        char *end;

        if (!output->text)
                return "";
        end = output->text + (output->length < COMPLAINT_MAX ? output->length : COMPLAINT_MAX);
        while (end > output->text && (end[-1] == '\n' || end[-1] == '\r'))
                end--;
        *end = '\0';
        for (char *p = output->text; p < end; p++)
                if ((unsigned char)*p < ' ')
                        *p = ' ';
        return output->text;
}

/* The specification's error object, else what the plugin wrote for people. */
static int report(struct process *process, struct err **err) {
        const struct plugin_call *call = process->call;
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *object = NULL;
        const char *message, *details;
        int64_t code = 0;

        if (arena && process->out.text)
                json_parse(arena, process->out.text, process->out.length, NULL, &object, NULL);
        message = value_string(value_get(object, "msg"));
        details = value_string_or(value_get(object, "details"), "");
        value_integer(value_get(object, "code"), &code);
        if (message)
                return err_set(err, ECANCELED, "CNI plugin %s: %s: %s%s%s (code %" PRId64 ")", call->type,
                               call->command, message, details[0] ? "; " : "", details, code);
        message = complaint(&process->error);
        if (WIFSIGNALED(process->status))
                return err_set(err, ECANCELED, "CNI plugin %s: %s: killed by signal %d%s%s", call->type, call->command,
                               WTERMSIG(process->status), message[0] ? ": " : "", message);
        return err_set(err, ECANCELED, "CNI plugin %s: %s: exit code %d%s%s", call->type, call->command,
                       WEXITSTATUS(process->status), message[0] ? ": " : "", message);
}

int plugin_run(const struct plugin_call *call, char **ret_output, size_t *ret_length, struct err **err) {
        struct process process = { .call = call, .pidfd = -EBADF, .out.fd = -EBADF, .error.fd = -EBADF };
        int r = find_plugin(call, process.path, err);

        if (r == 0)
                r = start(&process, err);
        if (r == 0)
                r = wait_for(&process, err);
        if (r == 0 && process.status != 0)
                r = report(&process, err);
        if (r == 0 && process.out.cut)
                r = err_set(err, E2BIG, "CNI plugin %s: %s answered more than %d bytes", call->type, call->command,
                            PLUGIN_OUTPUT_MAX);
        if (r == 0) {
                *ret_length = process.out.length;
                *ret_output = process.out.text ? TAKE_PTR(process.out.text) : strdup("");
                if (!*ret_output)
                        r = err_errno(err, ENOMEM, "CNI plugin %s", call->type);
        }
        process_done(&process);
        return r;
}
