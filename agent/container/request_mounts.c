/* What is mounted in a container: its volumes, the pod's /etc/hosts, the file of its termination message. */
#include <string.h>

#include "agent/config/options.h"
#include "agent/container/request_internal.h"
#include "agent/volumes/written.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static Cri__MountPropagation propagation(const char *p) {
        return kube_is(p, "Bidirectional")   ? CRI__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL :
               kube_is(p, "HostToContainer") ? CRI__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER :
                                               CRI__MOUNT_PROPAGATION__PROPAGATION_PRIVATE;
}

static bool map_ids(struct arena *arena, const struct member *m, Cri__Mount *mount) {
        int userns = m->host->sandbox->userns;

        return request_mappings(arena, userns, &mount->uidmappings, &mount->n_uidmappings) &&
               request_mappings(arena, userns, &mount->gidmappings, &mount->n_gidmappings);
}

static bool has_expression(const struct kube_volume_mount *wanted) {
        return wanted->sub_path_expr && wanted->sub_path_expr[0];
}

static int set_image(struct arena *arena, const struct kube_volume_mount *wanted,
                     const struct kube_image_volume_source *image, const struct env_index *variables, Cri__Mount *mount,
                     struct err **err) {
        const char *path = wanted->sub_path;
        int r;

        if (has_expression(wanted) &&
            (r = env_expand_sub_path(arena, wanted->sub_path_expr, variables, &path, err)) < 0)
                return r;
        if (!(mount->image = arena_new_message(arena, Cri__ImageSpec, cri__image_spec__init)))
                return err_set(err, ENOMEM, "out of memory");
        mount->image->image = (char *)image->reference;
        if (path)
                mount->image_sub_path = (char *)path;
        return 0;
}

static bool set_host_path(struct arena *arena, const struct member *m, const struct kube_volume_mount *wanted,
                          const struct kube_volume *volume, size_t index, Cri__Mount *mount) {
        bool sub = (wanted->sub_path && wanted->sub_path[0]) || has_expression(wanted);
        const struct options *options = m->host->world->options;
        const struct pod *pod = m->host->pod;

        mount->host_path = (char *)(sub ? pod_files_subpath(arena, options, pod, m->spec->name, wanted, index) :
                                          pod_files_volume(arena, options, pod, volume));
        return mount->host_path && map_ids(arena, m, mount);
}

static Cri__Mount *new_mount(struct arena *arena, const struct kube_volume_mount *wanted,
                             const struct kube_volume *volume) {
        Cri__Mount *mount = arena_new_message(arena, Cri__Mount, cri__mount__init);

        if (!mount || !volume)
                return NULL;
        mount->container_path = (char *)wanted->mount_path;
        if (wanted->mount_path[0] != '/' && !(mount->container_path = arena_printf(arena, "/%s", wanted->mount_path)))
                return NULL;
        mount->readonly = wanted->read_only || volume->image || written_is(volume);
        mount->recursive_read_only =
                kube_is(wanted->recursive_read_only, "Enabled") || kube_is(wanted->recursive_read_only, "IfPossible");
        mount->propagation = propagation(wanted->mount_propagation);
        return mount;
}

static int add_volumes(struct arena *arena, const struct member *m, const struct env_index *variables,
                       Cri__ContainerConfig *config, struct err **err) {
        size_t index = 0;
        int r;

        list_for_each (wanted, &m->spec->volume_mounts) {
                const struct kube_volume *volume = pod_find_volume(m->host->pod, wanted->name);
                Cri__Mount *mount = new_mount(arena, wanted, volume);

                if (!mount || (!volume->image && !set_host_path(arena, m, wanted, volume, index, mount)))
                        return err_set(err, ENOMEM, "out of memory");
                if (volume->image && (r = set_image(arena, wanted, volume->image, variables, mount, err)) < 0)
                        return r;
                config->mounts[config->n_mounts++] = mount;
                index++;
        }
        return 0;
}

static bool add_file(struct arena *arena, const struct member *m, Cri__ContainerConfig *config, const char *host,
                     const char *path) {
        Cri__Mount *mount = arena_new_message(arena, Cri__Mount, cri__mount__init);

        if (!mount || !host || !map_ids(arena, m, mount))
                return false;
        mount->host_path = (char *)host;
        mount->container_path = (char *)path;
        config->mounts[config->n_mounts++] = mount;
        return true;
}

/* What device plugins give comes before what the pod asks for. */
static bool add_granted(struct arena *arena, const struct node_grant *grant, Cri__ContainerConfig *config) {
        for (size_t i = 0; i < grant->n_mounts; i++) {
                Cri__Mount *mount = arena_new_message(arena, Cri__Mount, cri__mount__init);

                if (!mount)
                        return false;
                mount->host_path = (char *)grant->mounts[i].host;
                mount->container_path = (char *)grant->mounts[i].container;
                mount->readonly = grant->mounts[i].read_only;
                config->mounts[config->n_mounts++] = mount;
        }
        return true;
}

bool member_request_devices(struct arena *arena, const struct node_grant *grant, Cri__ContainerConfig *config) {
        config->devices = arena_alloc_array(arena, grant->n_devices + 1, sizeof(*config->devices));
        config->cdi_devices = arena_alloc_array(arena, grant->cdi_devices.count + 1, sizeof(*config->cdi_devices));
        if (!config->devices || !config->cdi_devices)
                return false;
        for (size_t i = 0; i < grant->n_devices; i++) {
                Cri__Device *device = arena_new_message(arena, Cri__Device, cri__device__init);

                if (!device)
                        return false;
                device->host_path = (char *)grant->devices[i].host;
                device->container_path = (char *)grant->devices[i].container;
                device->permissions = (char *)grant->devices[i].permissions;
                config->devices[config->n_devices++] = device;
        }
        list_for_each (name, &grant->cdi_devices) {
                Cri__CDIDevice *device = arena_new_message(arena, Cri__CDIDevice, cri__cdidevice__init);

                if (!device)
                        return false;
                device->name = (char *)*name;
                config->cdi_devices[config->n_cdi_devices++] = device;
        }
        return true;
}

static bool has_mount_at(Cri__Mount *const *mounts, size_t n, const char *path) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(mounts[i]->container_path, path) == 0)
                        return true;
        return false;
}

/* What kubelet adds: the pod's hosts, unless a volume is there, and the file for the container's last words. */
static bool add_own_files(struct arena *arena, const struct member *m, bool own_hosts, Cri__ContainerConfig *config) {
        const struct options *options = m->host->world->options;
        const char *message = m->spec->termination_message_path;
        const struct pod *pod = m->host->pod;

        if (!own_hosts && !add_file(arena, m, config, pod_files_path(arena, options, pod, "etc-hosts"), "/etc/hosts"))
                return false;
        return !message || !message[0] ||
               add_file(arena, m, config, pod_files_message(arena, options, pod, m->spec->name, member_next_attempt(m)),
                        message);
}

int member_request_mounts(struct arena *arena, const struct member *m, const struct node_grant *grant,
                          const string_map *environment, Cri__ContainerConfig *config, struct err **err) {
        _cleanup_env_index_ struct env_index variables = { .arena = arena };
        bool indexed = env_index_add_all(&variables, environment) == 0;
        size_t before;
        int r;

        config->mounts =
                arena_alloc_array(arena, grant->n_mounts + m->spec->volume_mounts.count + 2, sizeof(*config->mounts));
        if (!indexed || !config->mounts || !add_granted(arena, grant, config))
                return err_set(err, ENOMEM, "out of memory");
        before = config->n_mounts;
        if ((r = add_volumes(arena, m, &variables, config, err)) < 0)
                return r;
        if (!add_own_files(arena, m, has_mount_at(config->mounts + before, config->n_mounts - before, "/etc/hosts"),
                           config))
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}
