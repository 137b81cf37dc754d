#include "cri/container/spec.h"

#include <string.h>

#include "cri/container/floor.h"
#include "cri/container/process.h"
#include "cri/state/record.h"
#include "cri/sandbox/sandbox.h"
#include "cri/container/seccomp.h"

static int check_mount(const Cri__Mount *mount, struct err **err) {
        bool image = mount->image && !text_empty(mount->image->image);

        if (text_empty(mount->container_path))
                return err_set(err, EINVAL, "mount of %s: no container path", mount->host_path);
        if (!image && mount->host_path[0] != '/')
                return err_set(err, EINVAL, "mount at %s: host path \"%s\" is not absolute", mount->container_path,
                               mount->host_path);
        if (image && !text_empty(mount->host_path))
                return err_set(err, EINVAL, "mount at %s: both a host path and an image", mount->container_path);
        if (image && mount->image_sub_path[0] == '/')
                return err_set(err, EINVAL, "mount at %s: image sub path \"%s\" is not relative", mount->container_path,
                               mount->image_sub_path);
        if (mount->recursive_read_only && !mount->readonly)
                return err_set(err, EINVAL, "mount at %s: recursive read-only without read-only",
                               mount->container_path);
        if (mount->recursive_read_only && mount->propagation != CRI__MOUNT_PROPAGATION__PROPAGATION_PRIVATE)
                return err_set(err, EINVAL, "mount at %s: recursive read-only needs private propagation",
                               mount->container_path);
        return 0;
}

/* This kernel has no AppArmor that nacelle could load a profile into: only what asks for nothing can be had. */
static int check_apparmor(const Cri__LinuxContainerSecurityContext *security, struct err **err) {
        const char *text = security->apparmor_profile;

        if (security->apparmor ?
                    security->apparmor->profile_type == CRI__SECURITY_PROFILE__PROFILE_TYPE__Localhost :
                    !text_empty(text) && strcmp(text, "runtime/default") != 0 && strcmp(text, "unconfined") != 0)
                return err_set(err, EOPNOTSUPP,
                               "apparmor is not supported on this node, so profile \"%s\" cannot be applied",
                               security->apparmor ? security->apparmor->localhost_ref : text);
        return 0;
}

/* Whether a part of @path is "..". */
static bool leads_up(const char *path) {
        for (const char *p = path; p && *p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
                if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
                        return true;
        return false;
}

int spec_check_config(const Cri__ContainerConfig *config, const Cri__PodSandboxConfig *pod, struct err **err) {
        struct capability_sets sets;
        int r = 0;

        if (config->n_mounts > SPEC_MOUNTS_MAX - 64)
                return err_set(err, EINVAL, "%zu mounts are too many", config->n_mounts);
        for (size_t i = 0; i < config->n_mounts; i++)
                if ((r = check_mount(config->mounts[i], err)) < 0)
                        return r;
        if ((r = process_capabilities(config, &sets, err)) < 0 || (r = seccomp_check(config, err)) < 0 ||
            (r = check_apparmor(cri_container_security(config), err)) < 0)
                return r;
        if (cri_container_security(config)->privileged && !cri_sandbox_security(pod)->privileged)
                return err_set(err, EINVAL, "no privileged container allowed in sandbox");
        if (leads_up(config->log_path))
                return err_set(err, EINVAL, "log path \"%s\" leads out of the log directory", config->log_path);
        return 0;
}

/* Namespaces but net, ipc, uts and user, which are the pod's. */
static int fill_namespaces(struct cri_container *container, struct container_spec *spec, struct err **err) {
        const Cri__NamespaceOption *options = cri_container_namespaces(container->config);
        const struct cri_sandbox *sandbox = container->sandbox;
        struct cri_container *target = sandbox->containers;

        spec->namespaces[NAMESPACE_MOUNT].mode = NAMESPACE_NEW;
        spec->namespaces[NAMESPACE_PID].mode = NAMESPACE_NEW;
        if (!cri_container_security(container->config)->privileged)
                spec->namespaces[NAMESPACE_CGROUP].mode = NAMESPACE_NEW;
        switch (options->pid) {
        case CRI__NAMESPACE_MODE__NODE:
                spec->namespaces[NAMESPACE_PID].mode = NAMESPACE_INHERIT;
                return 0;
        case CRI__NAMESPACE_MODE__POD:
                if (cri_sandbox_namespaces(sandbox->config)->pid == CRI__NAMESPACE_MODE__POD)
                        spec->namespaces[NAMESPACE_PID].mode = NAMESPACE_POD;
                return 0;
        case CRI__NAMESPACE_MODE__TARGET:
                while (target && strcmp(target->id, options->target_id) != 0)
                        target = target->next_in_sandbox;
                if (!target)
                        return err_set(err, EINVAL, "invalid target container %s: it is none of this pod",
                                       options->target_id);
                spec->namespaces[NAMESPACE_PID].mode = NAMESPACE_TARGET;
                spec->pid_target = target->id;
                return 0;
        default:
                return 0;
        }
}

int spec_fill(struct cri_container *container, struct arena *arena, struct container_spec *ret_spec, struct err **err) {
        const Cri__LinuxContainerSecurityContext *security = cri_container_security(container->config);
        const Record__Container *record = container->record;
        char *dir = record_dir(container->sandbox->cri, arena, RECORD_CONTAINER, container->id);
        struct container_spec *spec = ret_spec;
        int r;

        spec_init(spec);
        spec->root.lowers =
                floor_below(container->sandbox->cri, arena, record->layers, record->n_layers, &spec->root.n_lowers);
        spec->root.upper = dir ? arena_printf(arena, "%s/upper", dir) : NULL;
        spec->root.work = dir ? arena_printf(arena, "%s/work", dir) : NULL;
        spec->root.is_volatile = true;
        spec->root.readonly = security->readonly_rootfs;
        if (!spec->root.lowers || !spec->root.upper || !spec->root.work)
                return err_set(err, ENOMEM, "out of memory");
        spec->default_devices = true;
        if (!security->privileged) {
                spec->masked_paths = arena_list(arena, security->masked_paths, security->n_masked_paths);
                spec->readonly_paths = arena_list(arena, security->readonly_paths, security->n_readonly_paths);
                if (!spec->masked_paths || !spec->readonly_paths)
                        return err_set(err, ENOMEM, "out of memory");
        }
        if ((r = fill_namespaces(container, spec, err)) < 0 ||
            (r = sandbox_fill_mappings(container->sandbox->config, arena, &spec->mappings, err)) < 0 ||
            (r = process_fill(container, arena, &spec->process, err)) < 0)
                return r;
        return spec_fill_mounts(container, arena, spec, err);
}

char *container_log_path(struct arena *arena, const struct cri_container *container) {
        const char *dir = container->sandbox->config->log_directory;

        if (text_empty(container->config->log_path) || text_empty(dir))
                return arena_strdup(arena, "");
        return arena_printf(arena, "%s/%s", dir, container->config->log_path);
}

int spec_fill_io(const struct cri_container *container, struct arena *arena, struct container_io *ret_io,
                 struct err **err) {
        const struct cri_options *options = &container->sandbox->cri->options;
        char *path = container_log_path(arena, container);

        if (!path)
                return err_set(err, ENOMEM, "out of memory");
        *ret_io = (struct container_io){
                .stdin_open = container->config->stdin,
                .stdin_once = container->config->stdin_once,
                .log_path = *path ? path : NULL,
                .log_max_size = options->log_max_size,
                .log_max_files = options->log_max_files,
        };
        return 0;
}
