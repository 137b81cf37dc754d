#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "runtime/capability.h"
#include "runtime/oci/oci.h"
#include "runtime/seccomp/seccomp.h"

static const struct {
        const char *name;
        int resource;
} rlimits[] = {
        { "RLIMIT_AS", RLIMIT_AS },
        { "RLIMIT_CORE", RLIMIT_CORE },
        { "RLIMIT_CPU", RLIMIT_CPU },
        { "RLIMIT_DATA", RLIMIT_DATA },
        { "RLIMIT_FSIZE", RLIMIT_FSIZE },
        { "RLIMIT_LOCKS", RLIMIT_LOCKS },
        { "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
        { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
        { "RLIMIT_NICE", RLIMIT_NICE },
        { "RLIMIT_NOFILE", RLIMIT_NOFILE },
        { "RLIMIT_NPROC", RLIMIT_NPROC },
        { "RLIMIT_RSS", RLIMIT_RSS },
        { "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
        { "RLIMIT_RTTIME", RLIMIT_RTTIME },
        { "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
        { "RLIMIT_STACK", RLIMIT_STACK },
};

const char *const *oci_strings(const struct member_list *list) {
        static const char *const none[] = { NULL };

        return list->n > 0 ? list->items : none;
}

static int read_set(const struct member_list *list, uint64_t *ret_mask, struct err **err) {
        for (size_t i = 0; i < list->n; i++) {
                uint64_t mask;
                int r = capability_parse(*MEMBER_AT(*list, const char *, i), &mask, err);

                if (r < 0)
                        return r;
                *ret_mask |= mask;
        }
        return 0;
}

static int read_capabilities(const struct oci_document_capabilities *from, struct capability_sets *sets,
                             struct err **err) {
        const struct {
                const struct member_list *list;
                uint64_t *mask;
        } all[] = {
                { &from->bounding, &sets->bounding },   { &from->effective, &sets->effective },
                { &from->permitted, &sets->permitted }, { &from->inheritable, &sets->inheritable },
                { &from->ambient, &sets->ambient },
        };

        for (size_t i = 0; i < ELEMENTS(all); i++) {
                int r = read_set(all[i].list, all[i].mask, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_rlimits(struct oci *oci, const struct member_list *list, struct process_spec *process,
                        struct err **err) {
        struct rlimit_spec *limits = arena_alloc_array(oci->arena, list->n + 1, sizeof(*limits));

        if (!limits)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < list->n; i++) {
                const struct oci_document_rlimit *from = MEMBER_AT(*list, struct oci_document_rlimit, i);
                const char *type = from->type ?: "";
                size_t k = 0;

                while (k < ELEMENTS(rlimits) && strcmp(rlimits[k].name, type) != 0)
                        k++;
                if (k == ELEMENTS(rlimits))
                        return err_set(err, EINVAL, "process.rlimits[%zu].type \"%s\": unknown", i, type);
                limits[i] = (struct rlimit_spec){ rlimits[k].resource, from->soft.u, from->hard.u };
                if (limits[i].soft > limits[i].hard)
                        return err_set(err, EINVAL, "process.rlimits[%zu]: soft is above hard", i);
        }
        process->rlimits = limits;
        process->n_rlimits = list->n;
        return 0;
}

static int read_user(struct oci *oci, const struct oci_document_user *from, struct process_spec *process,
                     struct err **err) {
        gid_t *list = arena_alloc_array(oci->arena, from->groups.n + 1, sizeof(*list));

        if (!list)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < from->groups.n; i++)
                list[i] = (gid_t)MEMBER_AT(from->groups, struct member_number, i)->u;
        process->uid = (uint32_t)from->uid.u;
        process->gid = (uint32_t)from->gid.u;
        process->umask = from->umask.set ? (mode_t)from->umask.u : 0022;
        process->groups = list;
        process->n_groups = from->groups.n;
        return 0;
}

static int read_seccomp(const struct value *json, struct process_spec *process, struct err **err) {
        _cleanup_free_ char *text = NULL;
        size_t length;

        if (value_is_null(json))
                return 0;
        if (json_format(json, false, &text, &length) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return seccomp_profile_compile("linux.seccomp", text, length, process->capabilities.bounding, &process->seccomp,
                                       err);
}

static const struct security_module {
        const char *name, *field;
        const char *state; /* a file of one letter, N where the module sleeps */
} apparmor = { "AppArmor", "process.apparmorProfile", "/sys/module/apparmor/parameters/enabled" },
  selinux = { "SELinux", "process.selinuxLabel", "/sys/fs/selinux/enforce" },
  mounts = { "SELinux", "linux.mountLabel", "/sys/fs/selinux/enforce" };

/* What is to be confined is not made where nothing confines it: the kernel's own refusal comes with the start only. */
static int read_label(const char *label, const struct security_module *module, const char **ret_label,
                      struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        char state = 'N';

        *ret_label = label && label[0] ? label : NULL;
        if (!*ret_label)
                return 0;
        fd = open(module->state, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, &state, 1) != 1 || state == 'N')
                return err_set(err, ENOTSUP, "%s: \"%s\": this kernel does not run %s", module->field, label,
                               module->name);
        return 0;
}

int oci_config_mount_label(const char *label, struct err **err) {
        const char *checked;

        return read_label(label, &mounts, &checked, err);
}

static int check_cwd(const char *cwd, struct err **err) {
        return cwd && cwd[0] == '/' ? 0 :
                                      err_set(err, EINVAL, "process.cwd \"%s\": must be an absolute path", cwd ?: "");
}

int oci_config_process(struct oci *oci, const struct oci_document_process *from, const struct value *seccomp,
                       struct process_spec *process, struct err **err) {
        int r;

        *process = (struct process_spec){
                .args = oci_strings(&from->args),
                .cwd = from->cwd,
                .fill_home = true,
                .terminal = from->terminal,
                .rows = (uint16_t)from->console.height.u,
                .columns = (uint16_t)from->console.width.u,
                .no_new_privileges = from->no_new_privileges,
                .oom_score_adj = (int)from->oom_score_adj.i,
                .set_oom_score_adj = from->oom_score_adj.set,
        };
        if ((r = check_cwd(from->cwd, err)) < 0 ||
            (r = oci_environment(oci, oci_strings(&from->env), NULL, &process->env, err)) < 0 ||
            (r = read_label(from->apparmor, &apparmor, &process->apparmor, err)) < 0 ||
            (r = read_label(from->selinux, &selinux, &process->selinux, err)) < 0 ||
            (r = read_user(oci, &from->user, process, err)) < 0 ||
            (r = read_capabilities(&from->capabilities, &process->capabilities, err)) < 0 ||
            (r = read_rlimits(oci, &from->rlimits, process, err)) < 0)
                return r;
        return read_seccomp(seccomp, process, err);
}
