/* Container Device Interface: devices that a vendor's file describes (cncf-tags CDI specification 0.3 to 1.0).
 *
 * DIR/NAME.json or .yaml: {cdiVersion, kind: VENDOR/CLASS, devices: [{name, containerEdits}], containerEdits}. Edits
 * are environment, device nodes, bind mounts and groups; those beside the devices count once for all devices of a file.
 * Refused are hooks (programs of the host, which a container's creation here does not see), intelRdt, netDevices, and
 * mounts of other types. Later directories win over earlier ones.
 */
#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "cri/container/spec.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/value.h"
#include "lib/yaml.h"

#define CDI_FILE_MAX (1 << 20)
#define CDI_DEVICES_MAX 256 /* of one container */
#define CDI_EDITS_MAX 1024  /* entries of one kind in all */

struct edits {
        struct arena *arena;
        const char *files[CDI_DEVICES_MAX]; /* whose common edits were made */
        size_t n_files;
        Cri__ContainerConfig *config;
        struct err **err;
};

static void *grow(struct edits *e, void *list, size_t n) {
        void **bigger = n < CDI_EDITS_MAX ? arena_alloc_array(e->arena, n + 1, sizeof(void *)) : NULL;

        if (!bigger) {
                err_set(e->err, ENOMEM, "too many edits");
                return NULL;
        }
        if (n > 0)
                memcpy(bigger, list, n * sizeof(void *));
        return bigger;
}

static int add_env(struct edits *e, const char *text) {
        const char *equals = text ? strchr(text, '=') : NULL;
        Cri__KeyValue **envs = grow(e, e->config->envs, e->config->n_envs);
        Cri__KeyValue *env = message_new(e->arena, &cri__key_value__descriptor);

        if (!equals)
                return err_set(e->err, EINVAL, "env \"%s\" has no value", text ? text : "");
        if (!envs || !env || !(env->key = arena_strndup(e->arena, text, (size_t)(equals - text))))
                return -ENOMEM;
        if (!(env->value.data = (uint8_t *)arena_strdup(e->arena, equals + 1)))
                return -ENOMEM;
        env->value.len = strlen(equals + 1);
        envs[e->config->n_envs++] = env;
        e->config->envs = envs;
        return 0;
}

static int add_node(struct edits *e, const struct value *node) {
        const char *path = value_string(value_get(node, "path"));
        Cri__Device **devices = grow(e, e->config->devices, e->config->n_devices);
        Cri__Device *device = message_new(e->arena, &cri__device__descriptor);

        if (!path)
                return err_set(e->err, EINVAL, "a device node has no path");
        if (!devices || !device)
                return -ENOMEM;
        device->container_path = arena_strdup(e->arena, path);
        device->host_path = arena_strdup(e->arena, value_string_or(value_get(node, "hostPath"), path));
        device->permissions = arena_strdup(e->arena, value_string_or(value_get(node, "permissions"), "rwm"));
        devices[e->config->n_devices++] = device;
        e->config->devices = devices;
        return device->container_path && device->host_path && device->permissions ? 0 : -ENOMEM;
}

static int add_mount(struct edits *e, const struct value *from) {
        const char *host = value_string(value_get(from, "hostPath")),
                   *inside = value_string(value_get(from, "containerPath"));
        Cri__Mount **mounts = grow(e, e->config->mounts, e->config->n_mounts);
        Cri__Mount *mount = message_new(e->arena, &cri__mount__descriptor);
        const struct value *options = value_get(from, "options");
        const char *type = value_string_or(value_get(from, "type"), "");

        if (*type && strcmp(type, "bind") != 0 && strcmp(type, "none") != 0)
                return err_set(e->err, EOPNOTSUPP, "a mount of type %s, where only binds are made", type);
        if (!host || !inside)
                return err_set(e->err, EINVAL, "a mount has no hostPath or containerPath");
        if (!mounts || !mount)
                return -ENOMEM;
        mount->host_path = arena_strdup(e->arena, host);
        mount->container_path = arena_strdup(e->arena, inside);
        for (uint32_t i = 0; i < value_count(options); i++) {
                const char *option = value_string_or(value_at(options, i), "");

                mount->readonly |= strcmp(option, "ro") == 0;
                if (strcmp(option, "rslave") == 0 || strcmp(option, "slave") == 0)
                        mount->propagation = CRI__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER;
                else if (strcmp(option, "rshared") == 0 || strcmp(option, "shared") == 0)
                        mount->propagation = CRI__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL;
        }
        mounts[e->config->n_mounts++] = mount;
        e->config->mounts = mounts;
        return mount->host_path && mount->container_path ? 0 : -ENOMEM;
}

static Cri__LinuxContainerSecurityContext *own_security(struct edits *e) {
        if (!e->config->linux)
                e->config->linux = message_new(e->arena, &cri__linux_container_config__descriptor);
        if (e->config->linux && !e->config->linux->security_context)
                e->config->linux->security_context =
                        message_new(e->arena, &cri__linux_container_security_context__descriptor);
        return e->config->linux ? e->config->linux->security_context : NULL;
}

static int add_groups(struct edits *e, const struct value *groups) {
        Cri__LinuxContainerSecurityContext *security = value_count(groups) > 0 ? own_security(e) : NULL;
        int64_t *all, gid;

        if (value_count(groups) == 0)
                return 0;
        if (!security)
                return -ENOMEM;
        if (value_count(groups) + security->n_supplemental_groups > CDI_EDITS_MAX)
                return err_set(e->err, E2BIG, "it has more than %d groups", CDI_EDITS_MAX);
        all = arena_alloc_array(e->arena, value_count(groups) + security->n_supplemental_groups, sizeof(*all));
        if (!all)
                return -ENOMEM;
        for (size_t i = 0; i < security->n_supplemental_groups; i++)
                all[i] = security->supplemental_groups[i];
        security->supplemental_groups = all;
        for (uint32_t i = 0; i < value_count(groups); i++) {
                if (!value_integer(value_at(groups, i), &gid) || gid < 0 || gid >= UINT32_MAX)
                        return err_set(e->err, EINVAL, "additionalGids has what is no group");
                all[security->n_supplemental_groups++] = gid;
        }
        return 0;
}

static int apply(struct edits *e, const struct value *edits) {
        static const char *const refused[] = { "intelRdt", "netDevices" };
        const struct value *env = value_get(edits, "env"), *nodes = value_get(edits, "deviceNodes"),
                           *mounts = value_get(edits, "mounts");
        int r;

        if (value_count(value_get(edits, "hooks")) > 0)
                return err_set(e->err, EOPNOTSUPP, "it has hooks, which are not run here");
        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (value_get(edits, refused[i]))
                        return err_set(e->err, EOPNOTSUPP, "it has %s, which is not supported", refused[i]);
        for (uint32_t i = 0; i < value_count(env); i++)
                if ((r = add_env(e, value_string(value_at(env, i)))) < 0)
                        return r;
        for (uint32_t i = 0; i < value_count(nodes); i++)
                if ((r = add_node(e, value_at(nodes, i))) < 0)
                        return r;
        for (uint32_t i = 0; i < value_count(mounts); i++)
                if ((r = add_mount(e, value_at(mounts, i))) < 0)
                        return r;
        return add_groups(e, value_get(edits, "additionalGids"));
}

/* One that is broken is a warning, and describes nothing. -ENOMEM. */
static int read_spec(struct arena *arena, const char *path, const struct value **ret_spec) {
        size_t length = strlen(path), size;
        _cleanup_err_ struct err *err = NULL;
        _cleanup_free_ char *text = NULL;
        const struct value *spec = NULL;
        int r = files_read(path, CDI_FILE_MAX, &text, &size, &err);

        if (r >= 0 && length > 5 && strcmp(path + length - 5, ".json") == 0)
                r = json_parse(arena, text, size, NULL, &spec, &err);
        else if (r >= 0)
                r = yaml_parse(arena, text, size, NULL, &spec, &err);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                log_warning("CDI %s: %s", path, err_text(err));
        *ret_spec = r < 0 ? NULL : spec;
        return 0;
}

/* The device @name of @kind in one file. */
static const struct value *device_in(const struct value *spec, const char *kind, size_t kind_length, const char *name) {
        const char *of = value_string_or(value_get(spec, "kind"), "");

        if (strlen(of) != kind_length || strncmp(of, kind, kind_length) != 0)
                return NULL;
        return value_item(value_get(spec, "devices"), "name", name);
}

struct device {
        const struct value *spec, *device;
        const char *path; /* of the file */
};

/* The last file that describes it counts. -ENOMEM. */
static int look_in(struct arena *arena, const char *dir_path, const char *name, struct device *found) {
        const char *equals = strchr(name, '=');
        _cleanup_closedir_ DIR *dir = opendir(dir_path);
        const struct dirent *entry;
        char path[PATH_MAX];
        int r;

        if (!dir)
                return errno == ENOMEM ? -ENOMEM : 0;
        while ((entry = readdir(dir))) {
                const char *dot = strrchr(entry->d_name, '.');
                const struct value *spec, *device;

                if (!dot || (strcmp(dot, ".json") != 0 && strcmp(dot, ".yaml") != 0 && strcmp(dot, ".yml") != 0))
                        continue;
                if (snprintf(path, sizeof(path), "%s/%s", dir_path, entry->d_name) >= (int)sizeof(path))
                        continue;
                if ((r = read_spec(arena, path, &spec)) < 0)
                        return r;
                if (!(device = device_in(spec, name, (size_t)(equals - name), equals + 1)))
                        continue;
                *found = (struct device){ spec, device, arena_strdup(arena, path) };
                if (!found->path)
                        return -ENOMEM;
        }
        return 0;
}

static bool is_new_file(struct edits *e, const char *path) {
        for (size_t i = 0; i < e->n_files; i++)
                if (strcmp(e->files[i], path) == 0)
                        return false;
        e->files[e->n_files++] = path; /* at most one a device */
        return true;
}

static int add_device(const struct cri *cri, struct edits *e, const char *name) {
        struct device found = { 0 };
        char dirs[PATH_MAX], *save = NULL;
        int r;

        if (!strchr(name, '/') || !strchr(name, '='))
                return err_set(e->err, EINVAL, "not of the form VENDOR/CLASS=NAME");
        snprintf(dirs, sizeof(dirs), "%s", cri->options.cdi_dirs);
        for (char *dir = strtok_r(dirs, ":", &save); dir; dir = strtok_r(NULL, ":", &save))
                if ((r = look_in(e->arena, dir, name, &found)) < 0)
                        return r;
        if (!found.device)
                return err_set(e->err, ENODEV, "no file in %s describes it", cri->options.cdi_dirs);
        if (is_new_file(e, found.path) && (r = apply(e, value_get(found.spec, "containerEdits"))) < 0)
                return r;
        return apply(e, value_get(found.device, "containerEdits"));
}

int spec_add_cdi(const struct cri *cri, struct arena *arena, Cri__ContainerConfig *config, struct err **err) {
        _cleanup_err_ struct err *why = NULL;
        struct edits e = { .arena = arena, .config = config, .err = &why };
        int r;

        if (config->n_cdi_devices > CDI_DEVICES_MAX)
                return err_set(err, EINVAL, "%zu CDI devices are more than %d", config->n_cdi_devices, CDI_DEVICES_MAX);
        for (size_t i = 0; i < config->n_cdi_devices; i++) {
                r = add_device(cri, &e, config->cdi_devices[i]->name);
                if (r < 0)
                        return err_set(err, -r, "CDI device %s: %s", config->cdi_devices[i]->name, err_text(why));
        }
        return 0;
}
