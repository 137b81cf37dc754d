#include "runtime/spec.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/err.h"

void mount_spec_init(struct mount_spec *mount) {
        *mount = (struct mount_spec){ .source_fd = -EBADF };
}

void spec_init(struct container_spec *spec) {
        *spec = (struct container_spec){
                .process = { .umask = 0022 },
                .namespaces = { [NAMESPACE_MOUNT] = { .mode = NAMESPACE_NEW } },
                .root_fd = -EBADF,
                .cgroup_fd = -EBADF,
                .late_cgroup = -1,
                .start_fd = -EBADF,
        };
        for (int i = 0; i < NAMESPACE_TYPES; i++)
                spec->namespaces[i].fd = -EBADF;
}

static int check_count(const char *what, size_t n, size_t max, struct err **err) {
        return n <= max ? 0 : err_set(err, EINVAL, "%zu %s; %zu are supported", n, what, max);
}

/* Beyond this the kernel takes none, whatever the stack's limit is; below, it says so itself. */
static int check_strings(const struct process_spec *process, struct err **err) {
        const char *const *lists[] = { process->args, process->env };
        size_t size = 0;

        for (size_t l = 0; l < 2; l++)
                for (size_t i = 0; lists[l] && lists[l][i]; i++)
                        size += environment_exec_size(lists[l] + i, 1);
        return size <= ENVIRONMENT_EXEC_MAX ?
                       0 :
                       err_set(err, EINVAL,
                               "process: args and env take %zu bytes; a program can be given %zu at most (ARG_MAX)",
                               size, ENVIRONMENT_EXEC_MAX);
}

static int check_mounts(const struct container_spec *spec, struct err **err) {
        for (size_t i = 0; i < spec->n_mounts; i++) {
                const struct mount_spec *m = &spec->mounts[i];
                const char *to = m->destination ? m->destination : "";

                if (to[0] != '/' || to[strspn(to, "/.")] == '\0')
                        return err_set(err, EINVAL, "mounts[%zu].destination \"%s\": must be an absolute path below /",
                                       i, to);
                if ((!m->type || strcmp(m->type, "bind") == 0) && !m->source && m->source_fd < 0)
                        return err_set(err, EINVAL, "mounts[%zu].source: a bind mount at %s needs one", i, to);
        }
        return 0;
}

int spec_check(const struct container_spec *spec, struct err **err) {
        const struct process_spec *process = &spec->process;
        int r;

        if (!process->args || !process->args[0] || process->args[0][0] == '\0')
                return err_set(err, EINVAL, "process.args: there is no command");
        if ((r = check_strings(process, err)) < 0 ||
            (r = check_count("mounts", spec->n_mounts, SPEC_MOUNTS_MAX, err)) < 0 ||
            (r = check_count("layers", spec->root.n_lowers, SPEC_LAYERS_MAX, err)) < 0 ||
            (r = check_count("supplementary groups", process->n_groups, SPEC_GROUPS_MAX, err)) < 0 ||
            (r = check_count("cgroups", spec->n_cgroup_procs_fds, SPEC_CGROUPS_MAX, err)) < 0)
                return r;
        if (process->cwd && process->cwd[0] != '/')
                return err_set(err, EINVAL, "process.cwd \"%s\": must be absolute", process->cwd);
        if (spec->namespaces[NAMESPACE_MOUNT].mode == NAMESPACE_NEW && spec->root.n_lowers == 0 && !spec->root.path)
                return err_set(err, EINVAL, "root: neither layers nor a path");
        return check_mounts(spec, err);
}
