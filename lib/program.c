#include "lib/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/files.h"

extern char **environ;

struct process {
        const struct program_call *call;
        struct program_result *result;
        pid_t pid;
        int pidfd, out, error;
};

/* A file in memory: unlike a pipe it takes all of the input at once, whether it is read or not. */
static int make_input(const struct program_call *call, int *ret_fd, struct err **err) {
        _cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return err_errno(err, errno, "make a file for the input");
        r = files_write_all(fd, call->input, call->n_input);
        if (r < 0)
                return err_errno(err, -r, "write the input");
        if (lseek(fd, 0, SEEK_SET) < 0)
                return err_errno(err, errno, "write the input");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int program_spawn(const char *path, char *const *arguments, char *const *environment,
                  const posix_spawn_file_actions_t *actions, pid_t *ret_pid, struct err **err) {
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int r = posix_spawnattr_init(&attributes);

        if (r != 0)
                return err_errno(err, r, "start %s", path);
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        r = posix_spawn(ret_pid, path, actions, &attributes, arguments, environment ?: environ);
        posix_spawnattr_destroy(&attributes);
        return r == 0 ? 0 : err_errno(err, r, "start %s", path);
}

static int spawn(struct process *process, const int fds[3], struct err **err) {
        const struct program_call *call = process->call;
        posix_spawn_file_actions_t actions;
        int r = posix_spawn_file_actions_init(&actions);

        if (r != 0)
                return err_errno(err, r, "start %s", call->path);
        for (int i = 0; i < 3 && r == 0; i++)
                r = posix_spawn_file_actions_adddup2(&actions, fds[i], i);
        r = r != 0 ? err_errno(err, r, "start %s", call->path) :
                     program_spawn(call->path, (char *const *)(uintptr_t)call->arguments, call->environment, &actions,
                                   &process->pid, err);
        posix_spawn_file_actions_destroy(&actions);
        return r;
}

static int start(struct process *process, struct err **err) {
        _cleanup_close_ int input = -EBADF, out = -EBADF, error = -EBADF;
        int pipes[2], r = make_input(process->call, &input, err);

        if (r < 0)
                return r;
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_errno(err, errno, "make a pipe");
        process->out = pipes[0];
        out = pipes[1];
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_errno(err, errno, "make a pipe");
        process->error = pipes[0];
        error = pipes[1];
        r = spawn(process, (const int[3]){ input, out, error }, err);
        if (r < 0)
                return r;
        process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
        if (process->pidfd >= 0)
                return 0;
        r = err_errno(err, errno, "open the process");
        kill(-process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
        return r;
}

/* Reads what is there, into memory that is never moved; at the end, or when it is too much, the descriptor is closed.
 */
static void drain(int *fd, size_t max, struct program_output *output) {
        ssize_t n = -1;
        char more;

        if (!output->text)
                output->text = malloc(max + 1); /* pages count when they are written to */
        if (output->text && output->length < max)
                n = read(*fd, output->text + output->length, max - output->length);
        else
                output->cut = read(*fd, &more, 1) > 0;
        if (n <= 0) {
                *fd = close_fd(*fd);
                return;
        }
        output->length += (size_t)n;
}

/* Reads both outputs until the process is gone. What it leaves running may keep the pipes open: they are not waited
 * for, only emptied. */
static int wait_until(struct process *process, int64_t deadline) {
        const struct program_call *call = process->call;

        for (bool ended = false;;) {
                struct pollfd fds[4] = { { .fd = process->out, .events = POLLIN },
                                         { .fd = process->error, .events = POLLIN },
                                         { .fd = ended ? -1 : process->pidfd, .events = POLLIN },
                                         { .fd = ended ? -1 : call->cancel_fd, .events = POLLIN } };
                int64_t left = deadline - clock_ms(CLOCK_MONOTONIC);
                int n = poll(fds, ELEMENTS(fds), ended ? 0 : left > 0 ? (int)left : 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return ended ? 0 : -ETIMEDOUT;
                if (fds[3].revents)
                        return -ECANCELED;
                if (fds[0].revents)
                        drain(&process->out, call->output_max, &process->result->out);
                if (fds[1].revents)
                        drain(&process->error, call->output_max, &process->result->error);
                ended = ended || fds[2].revents;
        }
}

/* What the program started is our child now, where we are a child subreaper. */
static void reap_group(pid_t group, int flags) {
        pid_t pid;

        do
                pid = waitpid(-group, NULL, flags);
        while (pid > 0 || (pid < 0 && errno == EINTR));
}

static int wait_for(struct process *process, struct err **err) {
        int r = wait_until(process, clock_ms(CLOCK_MONOTONIC) + process->call->timeout_ms);

        if (r < 0)
                kill(-process->pid, SIGKILL);
        while (waitpid(process->pid, &process->result->status, 0) < 0 && errno == EINTR)
                continue;
        reap_group(process->pid, r < 0 ? 0 : WNOHANG);
        if (r == -ETIMEDOUT)
                return err_set(err, ETIMEDOUT, "took longer than %d ms", process->call->timeout_ms);
        return r < 0 ? err_set(err, -r, "was cancelled") : 0;
}

int program_run(const struct program_call *call, struct program_result *ret_result, struct err **err) {
        struct process process = {
                .call = call, .result = ret_result, .pidfd = -EBADF, .out = -EBADF, .error = -EBADF
        };
        struct program_output *outputs[] = { &ret_result->out, &ret_result->error };
        int r;

        *ret_result = (struct program_result){ .status = 0 };
        r = start(&process, err);
        if (r == 0)
                r = wait_for(&process, err);
        for (size_t i = 0; i < ELEMENTS(outputs); i++)
                if (outputs[i]->text)
                        outputs[i]->text[outputs[i]->length] = '\0';
        close_fd(process.pidfd);
        close_fd(process.out);
        close_fd(process.error);
        return r;
}

int program_failed(const struct program_result *result, const char *says, int code, struct err **err) {
        const char *colon = *says ? ": " : "";

        if (WIFSIGNALED(result->status))
                return err_set(err, code, "killed by signal %d%s%s", WTERMSIG(result->status), colon, says);
        return err_set(err, code, "exit code %d%s%s", WEXITSTATUS(result->status), colon, says);
}

void program_result_clear(struct program_result *result) {
        struct program_output *outputs[] = { &result->out, &result->error };

        for (size_t i = 0; i < ELEMENTS(outputs); i++) {
                if (outputs[i]->text)
                        explicit_bzero(outputs[i]->text, outputs[i]->length);
                free(outputs[i]->text);
                *outputs[i] = (struct program_output){ .text = NULL };
        }
}

const char *program_complaint(struct program_output *output, size_t max) {
        char *end;

        if (!output->text)
                return "";
        end = output->text + (output->length < max ? output->length : max);
        while (end > output->text && (end[-1] == '\n' || end[-1] == '\r'))
                end--;
        *end = '\0';
        for (char *p = output->text; p < end; p++)
                if ((unsigned char)*p < ' ')
                        *p = ' ';
        return output->text;
}
