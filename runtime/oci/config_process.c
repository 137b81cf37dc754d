#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "runtime/capability.h"
#include "runtime/oci/oci.h"
#include "runtime/seccomp.h"

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

static const char *const refused[] = { "scheduler", "ioPriority", "execCPUAffinity", "commandLine" };

const char **oci_strings(struct oci *oci, const struct value *list) {
        uint32_t n = value_count(list);
        const char **strings = arena_alloc_array(oci->arena, n + 1, sizeof(*strings));

        for (uint32_t i = 0; strings && i < n; i++)
                strings[i] = value_string_or(value_at(list, i), "");
        return strings;
}

static int read_set(const struct value *list, uint64_t *ret_mask, struct err **err) {
        for (uint32_t i = 0; i < value_count(list); i++) {
                uint64_t mask;
                int r = capability_parse(value_string_or(value_at(list, i), ""), &mask, err);

                if (r < 0)
                        return r;
                *ret_mask |= mask;
        }
        return 0;
}

static int read_capabilities(const struct value *json, struct capability_sets *sets, struct err **err) {
        const struct {
                const char *name;
                uint64_t *mask;
        } all[] = {
                { "bounding", &sets->bounding },   { "effective", &sets->effective },
                { "permitted", &sets->permitted }, { "inheritable", &sets->inheritable },
                { "ambient", &sets->ambient },
        };

        for (size_t i = 0; i < ELEMENTS(all); i++) {
                int r = read_set(value_get(json, all[i].name), all[i].mask, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* A number of 64 bits without a sign; -1 and what does not fit is "unlimited". */
static uint64_t read_limit(const struct value *value) {
        int64_t n;

        if (value_integer(value, &n))
                return n < 0 ? RLIM_INFINITY : (uint64_t)n;
        return value_is(value, VALUE_NUMBER) ? strtoull(value->text, NULL, 10) : 0;
}

static int read_rlimits(struct oci *oci, const struct value *list, struct process_spec *process, struct err **err) {
        uint32_t n = value_count(list);
        struct rlimit_spec *limits = arena_alloc_array(oci->arena, n + 1, sizeof(*limits));

        if (!limits)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < n; i++) {
                const struct value *json = value_at(list, i);
                const char *type = value_string_or(value_get(json, "type"), "");
                size_t k = 0;

                while (k < ELEMENTS(rlimits) && strcmp(rlimits[k].name, type) != 0)
                        k++;
                if (k == ELEMENTS(rlimits))
                        return err_set(err, EINVAL, "process.rlimits[%u].type \"%s\": unknown", i, type);
                limits[i] = (struct rlimit_spec){ rlimits[k].resource, read_limit(value_get(json, "soft")),
                                                  read_limit(value_get(json, "hard")) };
                if (limits[i].soft > limits[i].hard)
                        return err_set(err, EINVAL, "process.rlimits[%u]: soft is above hard", i);
        }
        process->rlimits = limits;
        process->n_rlimits = n;
        return 0;
}

static int read_user(struct oci *oci, const struct value *json, struct process_spec *process, struct err **err) {
        const struct value *groups = value_get(json, "additionalGids");
        gid_t *list = arena_alloc_array(oci->arena, value_count(groups) + 1, sizeof(*list));
        int64_t n = 0;

        if (!list)
                return err_set(err, ENOMEM, "out of memory");
        if (value_integer(value_get(json, "uid"), &n))
                process->uid = (uint32_t)n;
        if (value_integer(value_get(json, "gid"), &n))
                process->gid = (uint32_t)n;
        process->umask = value_integer(value_get(json, "umask"), &n) ? (mode_t)n : 0022;
        for (uint32_t i = 0; i < value_count(groups); i++)
                if (value_integer(value_at(groups, i), &n))
                        list[process->n_groups++] = (gid_t)n;
        process->groups = list;
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
} apparmor = { "AppArmor", "apparmorProfile", "/sys/module/apparmor/parameters/enabled" },
  selinux = { "SELinux", "selinuxLabel", "/sys/fs/selinux/enforce" };

/* What is to be confined is not made where nothing confines it: the kernel's own refusal comes with the start only. */
static int read_label(const struct value *json, const struct security_module *module, const char **ret_label,
                      struct err **err) {
        const char *label = value_string(value_get(json, module->field));
        _cleanup_close_ int fd = -EBADF;
        char state = 'N';

        *ret_label = label && label[0] ? label : NULL;
        if (!*ret_label)
                return 0;
        fd = open(module->state, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, &state, 1) != 1 || state == 'N')
                return err_set(err, ENOTSUP, "process.%s: \"%s\": this kernel does not run %s", module->field, label,
                               module->name);
        return 0;
}

int oci_config_process(struct oci *oci, const struct value *json, const struct value *seccomp,
                       struct process_spec *process, struct err **err) {
        int64_t n;
        int r;

        *process = (struct process_spec){ 0 };
        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (!value_is_null(value_get(json, refused[i])))
                        return err_set(err, ENOTSUP, "process.%s: not supported", refused[i]);
        process->args = oci_strings(oci, value_get(json, "args"));
        process->env = oci_strings(oci, value_get(json, "env"));
        process->cwd = value_string(value_get(json, "cwd"));
        if (!process->args || !process->env)
                return err_set(err, ENOMEM, "out of memory");
        process->terminal = value_bool_or(value_get(json, "terminal"), false);
        if (value_integer(value_find(json, "consoleSize.height"), &n))
                process->rows = (uint16_t)n;
        if (value_integer(value_find(json, "consoleSize.width"), &n))
                process->columns = (uint16_t)n;
        process->no_new_privileges = value_bool_or(value_get(json, "noNewPrivileges"), false);
        if (value_integer(value_get(json, "oomScoreAdj"), &n)) {
                process->oom_score_adj = (int)n;
                process->set_oom_score_adj = true;
        }
        r = read_label(json, &apparmor, &process->apparmor, err);
        if (r == 0)
                r = read_label(json, &selinux, &process->selinux, err);
        if (r == 0)
                r = read_user(oci, value_get(json, "user"), process, err);
        if (r == 0)
                r = read_capabilities(value_get(json, "capabilities"), &process->capabilities, err);
        if (r == 0)
                r = read_rlimits(oci, value_get(json, "rlimits"), process, err);
        if (r == 0)
                r = read_seccomp(seccomp, process, err);
        return r;
}
