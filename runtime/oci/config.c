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
#include "runtime/oci/oci.h"

/* Fields that would silently change what a container is, if they were passed over. */
static const char *const refused[] = {
        "linux.intelRdt",
        "linux.personality",
        "linux.timeOffsets",
        "linux.netDevices",
        "linux.memoryPolicy",
        "windows",
        "vm",
        "solaris",
        "zos",
};

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

int oci_config_namespaces(struct oci *oci, const struct value *list, struct container_spec *spec, struct err **err) {
        spec->namespaces[NAMESPACE_MOUNT].mode = NAMESPACE_INHERIT;
        for (uint32_t i = 0; i < value_count(list); i++) {
                const char *type = value_string_or(value_find(value_at(list, i), "type"), "");
                const char *path = value_string(value_find(value_at(list, i), "path"));
                struct namespace_spec *ns;
                size_t k = 0;

                while (k < ELEMENTS(namespaces) && strcmp(namespaces[k].name, type) != 0)
                        k++;
                if (k == ELEMENTS(namespaces))
                        return err_set(err, EINVAL, "linux.namespaces[%u].type \"%s\": unknown", i, type);
                ns = &spec->namespaces[namespaces[k].type];
                if (ns->mode != NAMESPACE_INHERIT)
                        return err_set(err, EINVAL, "linux.namespaces: %s is there twice", type);
                ns->mode = path && path[0] ? NAMESPACE_JOIN : NAMESPACE_NEW;
                if (ns->mode == NAMESPACE_JOIN) {
                        ns->fd = open(path, O_RDONLY | O_CLOEXEC);
                        if (ns->fd < 0)
                                return err_errno(err, errno, "linux.namespaces: %s", path);
                }
        }
        if (spec->namespaces[NAMESPACE_MOUNT].mode == NAMESPACE_INHERIT)
                return err_set(
                        err, ENOTSUP,
                        "linux.namespaces: without a mount namespace the container's mounts would be the host's");
        return 0;
}

static int read_devices(struct oci *oci, const struct value *list, struct container_spec *spec, struct err **err) {
        uint32_t n = value_count(list);
        struct device_spec *devices = arena_alloc_array(oci->arena, n + 1, sizeof(*devices));

        if (!devices)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < n; i++) {
                const struct value *json = value_at(list, i);
                const char *type = value_string_or(value_get(json, "type"), "");
                int64_t major = 0, minor = 0, mode = 0666, uid = 0, gid = 0;

                value_integer(value_get(json, "major"), &major);
                value_integer(value_get(json, "minor"), &minor);
                value_integer(value_get(json, "fileMode"), &mode);
                value_integer(value_get(json, "uid"), &uid);
                value_integer(value_get(json, "gid"), &gid);
                if (!strchr("cubp", type[0]) || type[0] == '\0' || type[1] != '\0')
                        return err_set(err, EINVAL, "linux.devices[%u].type \"%s\": unknown", i, type);
                devices[i] = (struct device_spec){
                        .path = value_string_or(value_get(json, "path"), ""),
                        .mode = (mode_t)((mode & 07777) | (type[0] == 'b' ? S_IFBLK :
                                                           type[0] == 'p' ? S_IFIFO :
                                                                            S_IFCHR)),
                        .major = (uint32_t)major,
                        .minor = (uint32_t)minor,
                        .uid = (uint32_t)uid,
                        .gid = (uint32_t)gid,
                };
        }
        spec->devices = devices;
        spec->n_devices = n;
        return 0;
}

static int read_sysctls(struct oci *oci, const struct value *map, struct container_spec *spec) {
        struct key_value *list = arena_alloc_array(oci->arena, value_count(map) + 1, sizeof(*list));

        for (uint32_t i = 0; list && i < value_count(map); i++)
                list[i] = (struct key_value){ map->members[i].key, value_string_or(&map->members[i].value, "") };
        spec->sysctls = list;
        spec->n_sysctls = value_count(map);
        return list ? 0 : -ENOMEM;
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

static int read_cgroup(struct oci *oci, const struct value *json, const char *id, struct oci_config *config,
                       struct err **err) {
        const char *path = value_string_or(value_find(json, "linux.cgroupsPath"), "");

        if (path[0] == '\0')
                path = arena_printf(oci->arena, "/%s", id);
        else if (path[0] != '/' && systemd_path(oci, path))
                path = systemd_path(oci, path);
        else if (oci->systemd_cgroup)
                return err_set(err, EINVAL,
                               "linux.cgroupsPath \"%s\": with --systemd-cgroup, \"slice:prefix:name\" is expected",
                               path);
        else if (path[0] != '/')
                path = arena_printf(oci->arena, "/%s", path);
        config->cgroup = path;
        if (path && path[strspn(path, "/.")] == '\0')
                return err_set(err, EINVAL, "linux.cgroupsPath \"%s\": a container needs a cgroup of its own", path);
        return path ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int64_t device_number(const struct value *value) {
        int64_t n = -1;

        value_integer(value, &n);
        return n;
}

static int read_device_rules(struct oci *oci, const struct value *list, struct oci_config *config, struct err **err) {
        uint32_t n = value_count(list);
        struct cgroup_device *rules = arena_alloc_array(oci->arena, n + cgroup_n_default_devices + 1, sizeof(*rules));

        if (!rules)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < n; i++) {
                const struct value *json = value_at(list, i);
                const char *access = value_string_or(value_get(json, "access"), "rwm");

                rules[i] = (struct cgroup_device){
                        .allow = value_bool_or(value_get(json, "allow"), false),
                        .type = value_string_or(value_get(json, "type"), "a")[0],
                        .major = device_number(value_get(json, "major")),
                        .minor = device_number(value_get(json, "minor")),
                        .read = strchr(access, 'r'),
                        .write = strchr(access, 'w'),
                        .mknod = strchr(access, 'm'),
                };
        }
        memcpy(rules + n, cgroup_default_devices, cgroup_n_default_devices * sizeof(*rules));
        config->devices = rules;
        config->n_devices = n + cgroup_n_default_devices;
        return 0;
}

int oci_parse_hooks(struct oci *oci, const struct value *list, struct oci_hooks *hooks, struct err **err) {
        uint32_t n = value_count(list);

        hooks->list = arena_alloc_array(oci->arena, n + 1, sizeof(*hooks->list));
        hooks->n = n;
        if (!hooks->list)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < n; i++) {
                const struct value *json = value_at(list, i);
                int64_t timeout = 0;

                value_integer(value_get(json, "timeout"), &timeout);
                hooks->list[i] = (struct hook_spec){ value_string_or(value_get(json, "path"), ""),
                                                     oci_strings(oci, value_get(json, "args")),
                                                     oci_strings(oci, value_get(json, "env")),
                                                     timeout > 0 ? (unsigned)timeout : 0 };
                if (hooks->list[i].path[0] != '/')
                        return err_set(err, EINVAL, "hooks: path \"%s\" must be absolute", hooks->list[i].path);
        }
        return 0;
}

static int read_hooks(struct oci *oci, const struct value *json, struct oci_config *config, struct err **err) {
        const struct {
                const char *name;
                struct oci_hooks *hooks;
        } all[] = {
                { "prestart", &config->prestart },
                { "createRuntime", &config->create_runtime },
                { "createContainer", &config->create_container },
                { "startContainer", &config->start_container },
                { "poststart", &config->poststart },
                { "poststop", &config->poststop },
        };

        for (size_t i = 0; i < ELEMENTS(all); i++) {
                int r = oci_parse_hooks(oci, value_get(value_get(json, "hooks"), all[i].name), all[i].hooks, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_root(struct oci *oci, const struct value *json, const char *bundle, struct container_spec *spec,
                     struct err **err) {
        const char *path = value_string_or(value_find(json, "root.path"), ""),
                   *propagation = value_string(value_find(json, "linux.rootfsPropagation"));
        struct stat st;

        spec->root.path = path[0] == '/' ? path : arena_printf(oci->arena, "%s/%s", bundle, path);
        spec->root.owned = true;
        spec->root.readonly = value_bool_or(value_find(json, "root.readonly"), false);
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

static int read_linux(struct oci *oci, const struct value *json, struct oci_config *config, struct err **err) {
        const struct value *platform = value_get(json, "linux");
        struct container_spec *spec = &config->spec;
        int r;

        r = oci_config_namespaces(oci, value_get(platform, "namespaces"), spec, err);
        if (r == 0)
                r = oci_config_mappings(oci, platform, &spec->mappings);
        if (r == 0)
                r = read_devices(oci, value_get(platform, "devices"), spec, err);
        if (r == 0)
                r = read_sysctls(oci, value_get(platform, "sysctl"), spec);
        if (r == 0)
                r = read_device_rules(oci, value_find(platform, "resources.devices"), config, err);
        if (r == 0)
                r = oci_config_limits(oci, value_get(platform, "resources"), &config->limits, err);
        spec->masked_paths = oci_strings(oci, value_get(platform, "maskedPaths"));
        spec->readonly_paths = oci_strings(oci, value_get(platform, "readonlyPaths"));
        return r;
}

int oci_config_load(struct oci *oci, const char *bundle, const char *id, struct oci_config *ret_config,
                    struct err **err) {
        const char *path = arena_printf(oci->arena, "%s/config.json", bundle);
        const struct value_options options = { .name = "config.json" };
        struct oci_config *config = ret_config;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        *config = (struct oci_config){ 0 };
        spec_init(&config->spec);
        r = files_read(path, OCI_CONFIG_MAX, &text, &size, err);
        if (r == 0)
                r = json_parse(oci->arena, text, size, &options, &config->json, err);
        if (r < 0)
                return r;
        if (!value_string(value_get(config->json, "ociVersion")))
                return err_set(err, EINVAL, "ociVersion: missing");
        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (!value_is_null(value_find(config->json, refused[i])))
                        return err_set(err, ENOTSUP, "%s: not supported", refused[i]);
        r = read_root(oci, config->json, bundle, &config->spec, err);
        if (r == 0)
                r = oci_config_process(oci, value_get(config->json, "process"),
                                       value_find(config->json, "linux.seccomp"), &config->spec.process, err);
        if (r == 0)
                r = oci_config_mounts(oci, config->json, bundle, &config->spec, err);
        if (r == 0)
                r = read_linux(oci, config->json, config, err);
        if (r == 0)
                r = read_cgroup(oci, config->json, id, config, err);
        if (r == 0)
                r = read_hooks(oci, config->json, config, err);
        config->spec.hostname = value_string(value_get(config->json, "hostname"));
        config->spec.domainname = value_string(value_get(config->json, "domainname"));
        config->spec.default_devices = true;
        config->spec.own_mounts = true;
        return r < 0 ? r : spec_check(&config->spec, err);
}
