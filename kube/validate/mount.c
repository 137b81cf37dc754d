/* What a container has of the pod's volumes: mounts and devices. */

#include "kube/validate/pod_rules.h"
#include "lib/path.h"

struct names {
        struct validate_set mounts, mount_paths, devices, device_paths;
};

static void clear(struct names *n) {
        validate_set_clear(&n->mounts);
        validate_set_clear(&n->mount_paths);
        validate_set_clear(&n->devices);
        validate_set_clear(&n->device_paths);
}

/* Of two of one name the last counts. */
static void gather(struct validation *v, const struct kube_container *container, struct names *n) {
        const kube_volume_mount_items *mounts = &container->volume_mounts;
        const kube_volume_device_items *devices = &container->volume_devices;

        for (uint32_t i = mounts->count; i-- > 0;)
                if (validate_set_add(v, &n->mounts, mounts->items[i].name))
                        validate_set_add(v, &n->mount_paths, mounts->items[i].mount_path);
        for (uint32_t i = devices->count; i-- > 0;)
                if (validate_set_add(v, &n->devices, devices->items[i].name))
                        validate_set_add(v, &n->device_paths, devices->items[i].device_path);
}

static void check_propagation(struct validation *v, const struct place *at, const struct kube_volume_mount *mount,
                              const struct kube_container *container) {
        const struct kube_security_context *s = container->security_context;

        if (!mount->mount_propagation)
                return;
        validate_choice(v, at, mount->mount_propagation, POD_TEXTS("Bidirectional", "HostToContainer", "None"));
        if (kube_is(mount->mount_propagation, "Bidirectional") && (!s || s->privileged != TRI_TRUE))
                validate_forbidden(v, at, "Bidirectional mount propagation is available only to privileged containers");
}

static void check_recursive(struct validation *v, const struct place *at, const struct kube_volume_mount *mount) {
        const char *mode = mount->recursive_read_only;

        if (!mode)
                return;
        validate_choice(v, at, mode, POD_TEXTS("Disabled", "Enabled", "IfPossible"));
        if (!kube_is(mode, "Enabled") && !kube_is(mode, "IfPossible"))
                return;
        if (!mount->read_only)
                validate_forbidden(v, at, "may only be specified when readOnly is true");
        if (mount->mount_propagation && !kube_is(mount->mount_propagation, "None"))
                validate_forbidden(v, at, "may only be specified when mountPropagation is None or not specified");
}

/* What is in a mount's paths is told of the list, as kube-apiserver does. */
static void check_paths(struct validation *v, const struct place *list, uint32_t i,
                        const struct kube_volume_mount *mount, const struct kube_container *container) {
        bool sub = mount->sub_path && *mount->sub_path, expr = mount->sub_path_expr && *mount->sub_path_expr;

        if (sub)
                validate_relative(v, FIELD(list, "subPath"), mount->sub_path);
        if (expr && sub)
                validate_invalid(v, FIELD(ITEM(list, i), "subPathExpr"), mount->sub_path_expr,
                                 "subPathExpr and subPath are mutually exclusive");
        if (expr)
                validate_relative(v, FIELD(list, "subPathExpr"), mount->sub_path_expr);
        check_propagation(v, FIELD(list, "mountPropagation"), mount, container);
        check_recursive(v, FIELD(list, "recursiveReadOnly"), mount);
}

static void check_mount(struct validation *v, const struct place *at, const struct kube_volume_mount *mount,
                        const struct pod_case *c) {
        const char *path = mount->mount_path;

        if (!mount->name || !*mount->name)
                validate_required(v, FIELD(at, "name"), "");
        if (!validate_known_volume(c, mount->name))
                validate_not_found(v, FIELD(at, "name"), mount->name, "");
        if (!path || !*path)
                validate_required(v, FIELD(at, "mountPath"), "");
}

static void check_mounts(struct validation *v, const struct place *at, const struct kube_container *container,
                         const struct pod_case *c, const struct names *n) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < container->volume_mounts.count; i++) {
                const struct kube_volume_mount *mount = &container->volume_mounts.items[i];
                const struct place *here = ITEM(at, i);

                check_mount(v, here, mount, c);
                if (!validate_set_add(v, &seen, mount->mount_path))
                        validate_invalid(v, FIELD(here, "mountPath"), mount->mount_path, "must be unique");
                if (validate_set_has(&n->devices, mount->name))
                        validate_invalid(v, FIELD(here, "name"), mount->name,
                                         "must not already exist in volumeDevices");
                if (validate_set_has(&n->device_paths, mount->mount_path))
                        validate_invalid(v, FIELD(here, "mountPath"), mount->mount_path,
                                         "must not already exist as a path in volumeDevices");
                check_paths(v, at, i, mount, container);
        }
}

static void check_device_name(struct validation *v, const struct place *at, const char *name, const struct pod_case *c,
                              const struct validate_set *seen) {
        const struct kube_volume *volume = validate_known_volume(c, name);

        if (!name || !*name)
                validate_required(v, at, "");
        if (validate_set_has(seen, name))
                validate_invalid(v, at, name, "must be unique");
        if (volume && !volume->persistent_volume_claim && !volume->ephemeral)
                validate_invalid(
                        v, at, name,
                        "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
        if (!volume)
                validate_not_found(v, at, name, "");
}

static void check_device_path(struct validation *v, const struct place *at, const char *path,
                              struct validate_set *seen) {
        if (!path || !*path)
                validate_required(v, at, "");
        if (validate_set_has(seen, path))
                validate_invalid(v, at, path, "must be unique");
        if (path && path_steps_back(path))
                validate_invalid(v, at, path, "can not contain backsteps ('..')");
        else
                validate_set_add(v, seen, path);
}

static void check_devices(struct validation *v, const struct place *at, const struct kube_container *container,
                          const struct pod_case *c, const struct names *n) {
        _cleanup_validate_set_ struct validate_set names = { 0 }, paths = { 0 };

        for (uint32_t i = 0; i < container->volume_devices.count; i++) {
                const struct kube_volume_device *device = &container->volume_devices.items[i];
                const struct place *here = ITEM(at, i);

                check_device_name(v, FIELD(here, "name"), device->name, c, &names);
                check_device_path(v, FIELD(here, "devicePath"), device->device_path, &paths);
                if (validate_set_has(&n->mounts, device->name))
                        validate_invalid(v, FIELD(here, "name"), device->name,
                                         "must not already exist in volumeMounts");
                if (validate_set_has(&n->mount_paths, device->device_path))
                        validate_invalid(v, FIELD(here, "devicePath"), device->device_path,
                                         "must not already exist as a path in volumeMounts");
                if (device->name && *device->name)
                        validate_set_add(v, &names, device->name);
        }
}

void validate_mounts(struct validation *v, const struct place *at, const struct kube_container *container,
                     const struct pod_case *c) {
        struct names names = { 0 };

        gather(v, container, &names);
        check_mounts(v, FIELD(at, "volumeMounts"), container, c, &names);
        check_devices(v, FIELD(at, "volumeDevices"), container, c, &names);
        clear(&names);
}
