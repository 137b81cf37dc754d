#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/oci/oci.h"
#include "runtime/sys.h"

static int run(const struct hook_spec *hook, const char *kind, const char *state, struct err **err) {
        static const char *const nothing[] = { NULL };
        int pipes[2], pid_fd = -EBADF, status, r;
        const char *const *env = hook->env && hook->env[0] ? hook->env : nothing;
        const char *own[] = { hook->path, NULL };
        struct pollfd ended = { .events = POLLIN };
        pid_t pid;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_errno(err, errno, "%s hook %s", kind, hook->path);
        pid = sys_clone(0, -EBADF, &pid_fd);
        if (pid == 0) {
                dup2(pipes[0], 0);
                execve(hook->path, (char *const *)(uintptr_t)(hook->args && hook->args[0] ? hook->args : own),
                       (char *const *)(uintptr_t)env);
                _exit(127);
        }
        close(pipes[0]);
        if (pid < 0) {
                close(pipes[1]);
                return err_errno(err, errno, "%s hook %s", kind, hook->path);
        }
        if (write(pipes[1], state, strlen(state)) < 0) {
                /* It need not read it. */
        }
        close(pipes[1]);
        ended.fd = pid_fd;
        r = poll(&ended, 1, hook->timeout ? (int)hook->timeout * 1000 : -1);
        close(pid_fd);
        if (r == 0)
                kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        if (r == 0)
                return err_set(err, ETIMEDOUT, "%s hook %s: not done after %u s", kind, hook->path, hook->timeout);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return err_set(err, ECANCELED, "%s hook %s: exit status %d", kind, hook->path,
                               WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        return 0;
}

int oci_run_hooks(const struct oci_hooks *hooks, const char *kind, const char *state, struct err **err) {
        for (size_t i = 0; i < hooks->n; i++) {
                int r = run(&hooks->list[i], kind, state, err);

                if (r < 0)
                        return r;
        }
        return 0;
}
