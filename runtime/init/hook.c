#include "runtime/init/init.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "runtime/sys.h"

#define HOOK_STRINGS_MAX 1024

static _Noreturn void run(const struct plan_step *step, int input) {
        char *strings[HOOK_STRINGS_MAX + 2], *none = NULL, **env = &none;
        const char *path = plan_string(step, 0);
        sigset_t set;
        unsigned n = 0;

        if (step->a + step->b + 2 > HOOK_STRINGS_MAX)
                _exit(126);
        for (; n < step->a; n++)
                strings[n] = (char *)(uintptr_t)plan_string(step, n + 2);
        strings[n] = NULL;
        if (n == 0) {
                strings[0] = (char *)(uintptr_t)path;
                strings[1] = NULL;
                n = 1;
        }
        if (step->b > 0) {
                env = strings + n + 1;
                for (unsigned i = 0; i < step->b; i++)
                        env[i] = (char *)(uintptr_t)plan_string(step, (unsigned)step->a + 2 + i);
                env[step->b] = NULL;
        }
        sigemptyset(&set);
        sigprocmask(SIG_SETMASK, &set, NULL);
        dup2(input, 0);
        sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        execve(path, strings, env);
        _exit(127);
}

/* OCI runtime-spec, "POSIX-platform Hooks": the state on standard input, an exit code other than 0 is a failure. */
int init_hook(struct init *init, const struct plan_step *step) {
        const char *path = plan_string(step, 0), *state = plan_string(step, 1);
        int pipes[2], pid_fd = -EBADF, status;
        struct pollfd ended = { .events = POLLIN };
        pid_t pid;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return init_fail(init, errno, "hook %s", path);
        pid = sys_clone(0, -EBADF, &pid_fd);
        if (pid == 0)
                run(step, pipes[0]);
        close(pipes[0]);
        if (pid < 0) {
                close(pipes[1]);
                return init_fail(init, errno, "hook %s", path);
        }
        signal(SIGPIPE, SIG_IGN);
        if (write(pipes[1], state, strlen(state)) < 0) {
                /* It need not read it. */
        }
        close(pipes[1]);
        ended.fd = pid_fd;
        if (poll(&ended, 1, step->c ? (int)step->c * 1000 : -1) == 0) {
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                close(pid_fd);
                return init_fail(init, ETIMEDOUT, "hook %s", path);
        }
        close(pid_fd);
        if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return init_fail(init, ECANCELED, "hook %s: exit status %d", path,
                                 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        return 0;
}
