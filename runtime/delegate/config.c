#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cgroups/limits.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "runtime/capability.h"
#include "runtime/delegate/delegate.h"
#include "runtime/sys.h"

#define CAPABILITIES 64

static const char *const rlimit_names[RLIM_NLIMITS] = {
        [RLIMIT_AS] = "RLIMIT_AS",
        [RLIMIT_CORE] = "RLIMIT_CORE",
        [RLIMIT_CPU] = "RLIMIT_CPU",
        [RLIMIT_DATA] = "RLIMIT_DATA",
        [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
        [RLIMIT_LOCKS] = "RLIMIT_LOCKS",
        [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
        [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
        [RLIMIT_NICE] = "RLIMIT_NICE",
        [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
        [RLIMIT_NPROC] = "RLIMIT_NPROC",
        [RLIMIT_RSS] = "RLIMIT_RSS",
        [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
        [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
        [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
        [RLIMIT_STACK] = "RLIMIT_STACK",
};

/* ---- the process ---- */

/* What this process could not give is left out, as our own runtime does it; others fail. */
static void add_capabilities(struct json_writer *w, const char *key, uint64_t set) {
        json_key(w, key);
        json_begin_list(w);
        for (unsigned i = 0; i < CAPABILITIES; i++)
                if (set & UINT64_C(1) << i && capability_name(i) && prctl(PR_CAPBSET_READ, i) == 1)
                        json_string(w, capability_name(i));
        json_end_list(w);
}

static void add_user(struct json_writer *w, const struct process_spec *process) {
        json_key(w, "user");
        json_begin_map(w);
        json_add_int(w, "uid", process->uid);
        json_add_int(w, "gid", process->gid);
        json_add_int(w, "umask", process->umask);
        json_key(w, "additionalGids");
        json_begin_list(w);
        for (size_t i = 0; i < process->n_groups; i++)
                json_uint(w, process->groups[i]);
        json_end_list(w);
        json_end_map(w);
}

static void add_rlimits(struct json_writer *w, const struct process_spec *process) {
        json_key(w, "rlimits");
        json_begin_list(w);
        for (size_t i = 0; i < process->n_rlimits; i++) {
                const struct rlimit_spec *limit = &process->rlimits[i];

                if (limit->resource < 0 || limit->resource >= RLIM_NLIMITS || !rlimit_names[limit->resource])
                        continue;
                json_begin_map(w);
                json_add_string(w, "type", rlimit_names[limit->resource]);
                json_key(w, "soft");
                json_uint(w, limit->soft);
                json_key(w, "hard");
                json_uint(w, limit->hard);
                json_end_map(w);
        }
        json_end_list(w);
}

static void add_process(struct json_writer *w, const struct process_spec *process) {
        json_begin_map(w);
        json_add_bool(w, "terminal", process->terminal);
        if (process->terminal && process->rows && process->columns) {
                json_key(w, "consoleSize");
                json_begin_map(w);
                json_add_int(w, "height", process->rows);
                json_add_int(w, "width", process->columns);
                json_end_map(w);
        }
        add_user(w, process);
        json_add_texts(w, "args", process->args);
        json_add_texts(w, "env", process->env);
        json_add_string(w, "cwd", process->cwd && process->cwd[0] ? process->cwd : "/");
        json_key(w, "capabilities");
        json_begin_map(w);
        add_capabilities(w, "bounding", process->capabilities.bounding);
        add_capabilities(w, "effective", process->capabilities.effective);
        add_capabilities(w, "permitted", process->capabilities.permitted);
        add_capabilities(w, "inheritable", process->capabilities.inheritable);
        add_capabilities(w, "ambient", process->capabilities.ambient);
        json_end_map(w);
        add_rlimits(w, process);
        json_add_bool(w, "noNewPrivileges", process->no_new_privileges);
        json_add_string_if(w, "apparmorProfile", process->apparmor);
        json_add_string_if(w, "selinuxLabel", process->selinux);
        if (process->set_oom_score_adj)
                json_add_int(w, "oomScoreAdj", process->oom_score_adj);
        json_end_map(w);
}

int delegate_process(const struct process_spec *process, char **ret_json, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = { .size_max = DELEGATE_DOCUMENT_MAX };
        int r;

        add_process(&w, process);
        r = json_writer_finish(&w, ret_json, NULL);
        return r < 0 ? err_errno(err, -r, "the process's document") : 0;
}

/* ---- mounts ---- */

static const struct {
        uint64_t attribute;
        const char *set, *set_recursive, *clear;
} attributes[] = {
        { MOUNT_ATTR_RDONLY, "ro", "rro", "rw" },
        { MOUNT_ATTR_NOSUID, "nosuid", "rnosuid", "suid" },
        { MOUNT_ATTR_NODEV, "nodev", "rnodev", "dev" },
        { MOUNT_ATTR_NOEXEC, "noexec", "rnoexec", "exec" },
        { MOUNT_ATTR_NODIRATIME, "nodiratime", "rnodiratime", "diratime" },
};

static void add_attributes(struct json_writer *w, const struct mount_spec *mount) {
        for (size_t i = 0; i < ELEMENTS(attributes); i++) {
                if (mount->attributes & attributes[i].attribute)
                        json_string(w, mount->recursive_attributes ? attributes[i].set_recursive : attributes[i].set);
                if (mount->attributes_clear & attributes[i].attribute)
                        json_string(w, attributes[i].clear);
        }
        if ((mount->attributes & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME)
                json_string(w, "noatime");
        else if ((mount->attributes & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME)
                json_string(w, "strictatime");
}

static void add_propagation(struct json_writer *w, unsigned long propagation) {
        bool recursive = !propagation || propagation & MS_REC;

        if (propagation & MS_SHARED)
                json_string(w, recursive ? "rshared" : "shared");
        else if (propagation & MS_SLAVE)
                json_string(w, recursive ? "rslave" : "slave");
        else
                json_string(w, recursive ? "rprivate" : "private");
}

static void add_own_options(struct json_writer *w, const char *options) {
        while (options && *options) {
                size_t n = strcspn(options, ",");

                if (n > 0)
                        json_string_length(w, options, n);
                options += n + (options[n] == ',');
        }
}

static void add_mount(struct json_writer *w, const struct mount_spec *mount, const char *source) {
        bool bind = source || !mount->type || strcmp(mount->type, "bind") == 0;

        json_begin_map(w);
        json_add_string(w, "destination", mount->destination);
        json_add_string(w, "type", bind ? "bind" : mount->type);
        json_add_string(w, "source", source ? source : mount->source ? mount->source : mount->type);
        json_key(w, "options");
        json_begin_list(w);
        if (bind) {
                json_string(w, mount->recursive || source ? "rbind" : "bind");
                add_propagation(w, mount->propagation);
        } else
                add_own_options(w, mount->options);
        add_attributes(w, mount);
        json_end_list(w);
        json_end_map(w);
}

/* ---- what is Linux's ---- */

static void add_namespaces(struct json_writer *w, const struct container_spec *spec, const char *pid_namespace) {
        json_key(w, "namespaces");
        json_begin_list(w);
        json_begin_map(w);
        json_add_string(w, "type", "mount");
        json_end_map(w);
        if (spec->namespaces[NAMESPACE_PID].mode != NAMESPACE_INHERIT) {
                json_begin_map(w);
                json_add_string(w, "type", "pid");
                json_add_string_if(w, "path", pid_namespace);
                json_end_map(w);
        }
        if (spec->namespaces[NAMESPACE_CGROUP].mode == NAMESPACE_NEW) {
                json_begin_map(w);
                json_add_string(w, "type", "cgroup");
                json_end_map(w);
        }
        json_end_list(w);
}

static void add_devices(struct json_writer *w, const struct container_spec *spec) {
        json_key(w, "devices");
        json_begin_list(w);
        for (size_t i = 0; i < spec->n_devices; i++) {
                const struct device_spec *device = &spec->devices[i];

                json_begin_map(w);
                json_add_string(w, "path", device->path);
                json_add_string(w, "type", S_ISBLK(device->mode) ? "b" : S_ISFIFO(device->mode) ? "p" : "c");
                json_add_int(w, "major", device->major);
                json_add_int(w, "minor", device->minor);
                json_add_int(w, "fileMode", device->mode & 07777);
                json_add_int(w, "uid", device->uid);
                json_add_int(w, "gid", device->gid);
                json_end_map(w);
        }
        json_end_list(w);
}

static void add_rule(struct json_writer *w, const struct cgroup_device *rule) {
        char type[2] = { rule->type, '\0' }, access[4];

        snprintf(access, sizeof(access), "%s%s%s", rule->read ? "r" : "", rule->write ? "w" : "",
                 rule->mknod ? "m" : "");
        json_begin_map(w);
        json_add_bool(w, "allow", rule->allow);
        json_add_string(w, "type", type);
        if (rule->major >= 0)
                json_add_int(w, "major", rule->major);
        if (rule->minor >= 0)
                json_add_int(w, "minor", rule->minor);
        json_add_string(w, "access", access);
        json_end_map(w);
}

/* The limits are ours, and there already. The device rules are named once more: runtimes write some in any case. */
static void add_resources(struct json_writer *w, const struct delegate_spec *delegate) {
        const struct cgroup_device none = {
                .type = 'a', .major = -1, .minor = -1, .read = true, .write = true, .mknod = true
        };

        json_key(w, "resources");
        json_begin_map(w);
        json_key(w, "devices");
        json_begin_list(w);
        add_rule(w, &none);
        for (size_t i = 0; i < delegate->n_rules; i++)
                add_rule(w, &delegate->rules[i]);
        json_end_list(w);
        json_end_map(w);
}

/* The root must let through what a mount below it is to pass on. */
static const char *root_propagation(const struct container_spec *spec) {
        const char *propagation = NULL;

        for (size_t i = 0; i < spec->n_mounts; i++) {
                if (spec->mounts[i].propagation & MS_SHARED)
                        return "rshared";
                if (spec->mounts[i].propagation & MS_SLAVE)
                        propagation = "rslave";
        }
        return propagation;
}

static void add_linux(struct json_writer *w, const struct container_spec *spec, const char *pid_namespace) {
        json_key(w, "linux");
        json_begin_map(w);
        json_add_string(w, "cgroupsPath", spec->delegate->cgroup);
        add_namespaces(w, spec, pid_namespace);
        add_devices(w, spec);
        add_resources(w, spec->delegate);
        json_add_texts(w, "maskedPaths", spec->masked_paths);
        json_add_texts(w, "readonlyPaths", spec->readonly_paths);
        json_add_string_if(w, "rootfsPropagation", root_propagation(spec));
        if (spec->delegate->seccomp) {
                json_key(w, "seccomp");
                json_raw(w, spec->delegate->seccomp, strlen(spec->delegate->seccomp));
        }
        json_end_map(w);
}

int delegate_config(const struct container_spec *spec, const char *pid_namespace, const char *const *sources,
                    char **ret_json, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = { .size_max = DELEGATE_DOCUMENT_MAX };
        int r;

        json_begin_map(&w);
        json_add_string(&w, "ociVersion", "1.0.2");
        json_key(&w, "process");
        add_process(&w, &spec->process);
        json_key(&w, "root");
        json_begin_map(&w);
        json_add_string(&w, "path", "rootfs");
        json_add_bool(&w, "readonly", spec->root.readonly);
        json_end_map(&w);
        json_key(&w, "mounts");
        json_begin_list(&w);
        for (size_t i = 0; i < spec->n_mounts; i++)
                add_mount(&w, &spec->mounts[i], sources[i]);
        json_end_list(&w);
        add_linux(&w, spec, pid_namespace);
        json_end_map(&w);
        r = json_writer_finish(&w, ret_json, NULL);
        return r < 0 ? err_errno(err, -r, "the container's bundle") : 0;
}
