#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/path.h"
#include "runtime/oci/oci.h"

static const struct {
        const char *name;
        enum namespace_type type;
} namespaces[] = {
        { "mount", NAMESPACE_MOUNT }, { "pid", NAMESPACE_PID },   { "network", NAMESPACE_NET },
        { "ipc", NAMESPACE_IPC },     { "uts", NAMESPACE_UTS },   { "cgroup", NAMESPACE_CGROUP },
        { "user", NAMESPACE_USER },   { "time", NAMESPACE_TIME },
};

static const struct {
        const char *name;
        unsigned long flags;
} propagations[] = {
        { "private", MS_PRIVATE },       { "rprivate", MS_PRIVATE | MS_REC },
        { "slave", MS_SLAVE },           { "rslave", MS_SLAVE | MS_REC },
        { "shared", MS_SHARED },         { "rshared", MS_SHARED | MS_REC },
        { "unbindable", MS_UNBINDABLE }, { "runbindable", MS_UNBINDABLE | MS_REC },
};

static int read_namespace(const struct oci_document_namespace *from, size_t i, struct container_spec *spec,
                          struct err **err) {
        const char *type = from->type ?: "";
        struct namespace_spec *ns;
        size_t k = 0;

        while (k < ELEMENTS(namespaces) && strcmp(namespaces[k].name, type) != 0)
                k++;
        if (k == ELEMENTS(namespaces))
                return err_set(err, EINVAL, "linux.namespaces[%zu].type \"%s\": unknown", i, type);
        ns = &spec->namespaces[namespaces[k].type];
        if (ns->mode != NAMESPACE_INHERIT)
                return err_set(err, EINVAL, "linux.namespaces: %s is there twice", type);
        ns->mode = from->path && from->path[0] ? NAMESPACE_JOIN : NAMESPACE_NEW;
        if (ns->mode == NAMESPACE_JOIN) {
                ns->fd = open(from->path, O_RDONLY | O_CLOEXEC);
                if (ns->fd < 0)
                        return err_errno(err, errno, "linux.namespaces: %s", from->path);
        }
        return 0;
}

static int read_namespaces(const struct member_list *list, struct container_spec *spec, struct err **err) {
        spec->namespaces[NAMESPACE_MOUNT].mode = NAMESPACE_INHERIT;
        for (size_t i = 0; i < list->n; i++) {
                int r = read_namespace(MEMBER_AT(*list, struct oci_document_namespace, i), i, spec, err);

                if (r < 0)
                        return r;
        }
        if (spec->namespaces[NAMESPACE_MOUNT].mode == NAMESPACE_INHERIT)
                return err_set(
                        err, ENOTSUP,
                        "linux.namespaces: without a mount namespace the container's mounts would be the host's");
        return 0;
}

static mode_t device_type(char type) {
        return type == 'b' ? S_IFBLK : type == 'p' ? S_IFIFO : S_IFCHR;
}

static int read_devices(struct oci *oci, const struct member_list *list, struct container_spec *spec,
                        struct err **err) {
        struct device_spec *devices = arena_alloc_array(oci->arena, list->n + 1, sizeof(*devices));

        if (!devices)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < list->n; i++) {
                const struct oci_document_device *from = MEMBER_AT(*list, struct oci_document_device, i);
                const char *type = from->type ?: "";

                if (!strchr("cubp", type[0]) || type[0] == '\0' || type[1] != '\0')
                        return err_set(err, EINVAL, "linux.devices[%zu].type \"%s\": unknown", i, type);
                devices[i] = (struct device_spec){
                        .path = from->path ?: "",
                        .mode = (mode_t)((from->mode.set ? from->mode.u : 0666) & 07777) | device_type(type[0]),
                        .major = (uint32_t)from->major.u,
                        .minor = (uint32_t)from->minor.u,
                        .uid = (uint32_t)from->uid.u,
                        .gid = (uint32_t)from->gid.u,
                };
        }
        spec->devices = devices;
        spec->n_devices = list->n;
        return 0;
}

static int read_sysctls(struct oci *oci, const struct member_list *map, struct container_spec *spec, struct err **err) {
        struct key_value *list = arena_alloc_array(oci->arena, map->n + 1, sizeof(*list));

        if (!list)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < map->n; i++) {
                const struct member_pair *pair = MEMBER_AT(*map, struct member_pair, i);

                list[i] = (struct key_value){ pair->key, pair->value };
        }
        spec->sysctls = list;
        spec->n_sysctls = map->n;
        return 0;
}

/* systemd's place of a slice: "a-b.slice" lies in "a.slice"; "" is where system services are, "-.slice" the root. */
static const char *slice_path(struct oci *oci, const char *slice) {
        const char *path = "";
        size_t n = strlen(slice);

        if (n == 0)
                return "/system.slice";
        if (strcmp(slice, "-.slice") == 0)
                return "";
        if (n <= 6 || strcmp(slice + n - 6, ".slice") != 0 || slice[0] == '-' || strchr(slice, '/') ||
            strstr(slice, "--"))
                return NULL;
        for (const char *p = slice; p && path; p = strchr(p + 1, '-')) {
                const char *end = strchr(p + 1, '-');

                path = arena_printf(oci->arena, "%s/%.*s%s", path, (int)(end ? end - slice : (long)n), slice,
                                    end ? ".slice" : "");
        }
        return path;
}

/* "slice:prefix:name" is how systemd's cgroups are named: the same place, made without systemd. */
static const char *systemd_path(struct oci *oci, const char *path) {
        const char *first = strchr(path, ':'), *second = first ? strchr(first + 1, ':') : NULL, *slice;
        size_t n = strlen(path);

        if (!second || strchr(second + 1, ':'))
                return NULL;
        slice = slice_path(oci, arena_printf(oci->arena, "%.*s", (int)(first - path), path));
        if (!slice)
                return NULL;
        if (n > 6 && strcmp(path + n - 6, ".slice") == 0)
                return arena_printf(oci->arena, "%s/%s", slice, second + 1);
        return arena_printf(oci->arena, "%s/%.*s-%s.scope", slice, (int)(second - first - 1), first + 1, second + 1);
}

static int read_cgroup(struct oci *oci, const char *path, const char *id, struct oci_config *config, struct err **err) {
        if (!path || path[0] == '\0')
                path = arena_printf(oci->arena, "/%s", id);
        else if (path[0] != '/' && systemd_path(oci, path))
                path = systemd_path(oci, path);
        else if (oci->systemd_cgroup)
                return err_set(err, EINVAL,
                               "linux.cgroupsPath \"%s\": with --systemd-cgroup, \"slice:prefix:name\" is expected",
                               path);
        else if (path[0] != '/')
                path = arena_printf(oci->arena, "/%s", path);
        config->cgroup = path_clean(oci->arena, path); /* as runc does */
        if (!config->cgroup)
                return err_set(err, ENOMEM, "out of memory");
        if (strcmp(config->cgroup, "/") == 0)
                return err_set(err, EINVAL, "linux.cgroupsPath \"%s\": a container needs a cgroup of its own", path);
        return 0;
}

static int read_device_rule(const struct oci_document_device_rule *from, size_t i, struct cgroup_device *rule,
                            struct err **err) {
        const char *type = from->type && from->type[0] ? from->type : "a",
                   *access = from->access && from->access[0] ? from->access : "rwm";

        if (!strchr("abc", type[0]) || type[1] != '\0')
                return err_set(err, EINVAL, "linux.resources.devices[%zu].type \"%s\": a, b or c", i, type);
        if (access[strspn(access, "rwm")] != '\0')
                return err_set(err, EINVAL, "linux.resources.devices[%zu].access \"%s\": r, w and m", i, access);
        *rule = (struct cgroup_device){
                .allow = from->allow,
                .type = type[0],
                .major = from->major.set ? from->major.i : -1,
                .minor = from->minor.set ? from->minor.i : -1,
                .read = strchr(access, 'r'),
                .write = strchr(access, 'w'),
                .mknod = strchr(access, 'm'),
        };
        return 0;
}

static int read_device_rules(struct oci *oci, const struct member_list *list, struct oci_config *config,
                             struct err **err) {
        struct cgroup_device *rules =
                arena_alloc_array(oci->arena, list->n + cgroup_n_default_devices + 1, sizeof(*rules));

        if (!rules)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < list->n; i++) {
                int r = read_device_rule(MEMBER_AT(*list, struct oci_document_device_rule, i), i, &rules[i], err);

                if (r < 0)
                        return r;
        }
        memcpy(rules + list->n, cgroup_default_devices, cgroup_n_default_devices * sizeof(*rules));
        config->devices = rules;
        config->n_devices = list->n + cgroup_n_default_devices;
        return 0;
}

static int read_root(struct oci *oci, const struct oci_document *document, const char *bundle,
                     struct container_spec *spec, struct err **err) {
        const char *path = document->root.path ?: "", *propagation = document->platform.rootfs_propagation;
        struct stat st;

        spec->root.path = path[0] == '/' ? path : arena_printf(oci->arena, "%s/%s", bundle, path);
        spec->root.owned = true;
        spec->root.readonly = document->root.readonly;
        if (path[0] == '\0' || stat(spec->root.path, &st) < 0 || !S_ISDIR(st.st_mode))
                return err_set(err, ENOENT, "root.path \"%s\": not a directory", path);
        for (size_t i = 0; propagation && propagation[0]; i++) {
                if (i == ELEMENTS(propagations))
                        return err_set(err, EINVAL, "linux.rootfsPropagation \"%s\": unknown", propagation);
                if (strcmp(propagations[i].name, propagation) == 0) {
                        spec->root.propagation = propagations[i].flags;
                        break;
                }
        }
        return 0;
}

static int read_linux(struct oci *oci, const struct oci_document_linux *from, struct oci_config *config,
                      struct err **err) {
        struct container_spec *spec = &config->spec;
        int r;

        spec->masked_paths = oci_strings(&from->masked_paths);
        spec->readonly_paths = oci_strings(&from->readonly_paths);
        if ((r = read_namespaces(&from->namespaces, spec, err)) < 0 ||
            (r = oci_config_mappings(oci, &from->uid_mappings, &from->gid_mappings, &spec->mappings, err)) < 0 ||
            (r = read_devices(oci, &from->devices, spec, err)) < 0 ||
            (r = read_sysctls(oci, &from->sysctls, spec, err)) < 0 ||
            (r = oci_config_mount_label(from->mount_label, err)) < 0 ||
            (r = read_device_rules(oci, &from->resources.devices, config, err)) < 0)
                return r;
        return oci_config_limits(oci, &from->resources, &config->limits, err);
}

int oci_document_load(struct oci *oci, const char *path, const char *name, const struct member_type *type,
                      void *ret_document, struct err **err) {
        const struct value_options options = { .name = name };
        _cleanup_free_ char *text = NULL;
        const struct value *json;
        size_t size;
        int r = files_read(path, OCI_CONFIG_MAX, &text, &size, err);

        if (r < 0 || (r = json_parse(oci->arena, text, size, &options, &json, err)) < 0)
                return r;
        return members_read(oci->arena, &(struct members_source){ name, "", json }, type, ret_document, err);
}

int oci_config_load(struct oci *oci, const char *bundle, const char *id, struct oci_config *ret_config,
                    struct err **err) {
        const char *path = arena_printf(oci->arena, "%s/config.json", bundle);
        struct oci_config *config = ret_config;
        struct oci_document *document = &config->document;
        int r;

        *config = (struct oci_config){ 0 };
        spec_init(&config->spec);
        config->spec.default_devices = true;
        config->spec.own_mounts = true;
        if ((r = oci_document_load(oci, path, "config.json", &oci_document, document, err)) < 0 ||
            (r = read_root(oci, document, bundle, &config->spec, err)) < 0 ||
            (r = oci_config_process(oci, &document->process, document->platform.seccomp, &config->spec.process, err)) <
                    0 ||
            (r = oci_config_mounts(oci, &document->mounts, bundle, &config->spec, err)) < 0 ||
            (r = read_linux(oci, &document->platform, config, err)) < 0 ||
            (r = read_cgroup(oci, document->platform.cgroups_path, id, config, err)) < 0 ||
            (r = oci_config_hooks(oci, &document->hooks, &config->hooks, err)) < 0)
                return r;
        config->spec.hostname = document->hostname;
        config->spec.domainname = document->domainname;
        return spec_check(&config->spec, err);
}
