#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/oci/oci.h"
#include "runtime/sys.h"

#define HOOK_SECONDS_MAX (INT_MAX / 1000) /* poll(2) counts milliseconds in an int */

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

static int read_hooks(struct oci *oci, const struct member_list *list, struct oci_hooks *hooks, struct err **err) {
        hooks->list = arena_alloc_array(oci->arena, list->n + 1, sizeof(*hooks->list));
        hooks->n = list->n;
        if (!hooks->list)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < list->n; i++) {
                const struct oci_document_hook *from = MEMBER_AT(*list, struct oci_document_hook, i);

                hooks->list[i] = (struct hook_spec){
                        .path = from->path ?: "",
                        .args = oci_strings(&from->args),
                        .env = oci_strings(&from->env),
                        .timeout = from->timeout.u > HOOK_SECONDS_MAX ? HOOK_SECONDS_MAX : (unsigned)from->timeout.u,
                };
                if (hooks->list[i].path[0] != '/')
                        return err_set(err, EINVAL, "hooks: path \"%s\" must be absolute", hooks->list[i].path);
        }
        return 0;
}

int oci_config_hooks(struct oci *oci, const struct oci_document_hooks *from, struct oci_all_hooks *hooks,
                     struct err **err) {
        const struct {
                const struct member_list *list;
                struct oci_hooks *hooks;
        } all[] = {
                { &from->prestart, &hooks->prestart },
                { &from->create_runtime, &hooks->create_runtime },
                { &from->create_container, &hooks->create_container },
                { &from->start_container, &hooks->start_container },
                { &from->poststart, &hooks->poststart },
                { &from->poststop, &hooks->poststop },
        };

        for (size_t i = 0; i < ELEMENTS(all); i++) {
                int r = read_hooks(oci, all[i].list, all[i].hooks, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int oci_state_hooks(struct oci *oci, const struct value *value, struct oci_all_hooks *hooks, struct err **err) {
        struct oci_document_hooks document = { 0 };
        int r = members_read(oci->arena, &(struct members_source){ "state.json", "hooks", value }, &oci_document_hooks,
                             &document, err);

        return r < 0 ? r : oci_config_hooks(oci, &document, hooks, err);
}
