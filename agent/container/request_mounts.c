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

static bool set_image(struct arena *arena, const struct kube_volume_mount *wanted, const struct kube_volume *volume,
                      Cri__Mount *mount) {
        if (!(mount->image = arena_new_message(arena, Cri__ImageSpec, cri__image_spec__init)))
                return false;
        mount->image->image = (char *)volume->image->reference;
        if (wanted->sub_path)
                mount->image_sub_path = (char *)wanted->sub_path;
        return true;
}

static bool set_host_path(struct arena *arena, const struct member *m, const struct kube_volume_mount *wanted,
                          const struct kube_volume *volume, size_t index, Cri__Mount *mount) {
        bool sub = (wanted->sub_path && wanted->sub_path[0]) || (wanted->sub_path_expr && wanted->sub_path_expr[0]);
        const struct options *options = m->host->world->options;
        const struct pod *pod = m->host->pod;

        mount->host_path = (char *)(sub ? pod_files_subpath(arena, options, pod, m->spec->name, wanted, index) :
                                          pod_files_volume(arena, options, pod, volume));
        return mount->host_path && map_ids(arena, m, mount);
}

static Cri__Mount *make_mount(struct arena *arena, const struct member *m, const struct kube_volume_mount *wanted,
                              size_t index) {
        const struct kube_volume *volume = pod_find_volume(m->host->pod, wanted->name);
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
        if (volume->image)
                return set_image(arena, wanted, volume, mount) ? mount : NULL;
        return set_host_path(arena, m, wanted, volume, index, mount) ? mount : NULL;
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

bool member_request_mounts(struct arena *arena, const struct member *m, const struct node_grant *grant,
                           Cri__ContainerConfig *config) {
        const struct options *options = m->host->world->options;
        const char *message = m->spec->termination_message_path;
        const struct pod *pod = m->host->pod;
        bool own_hosts = false;
        size_t index = 0;

        config->mounts =
                arena_alloc_array(arena, grant->n_mounts + m->spec->volume_mounts.count + 2, sizeof(*config->mounts));
        if (!config->mounts || !add_granted(arena, grant, config))
                return false;
        list_for_each (wanted, &m->spec->volume_mounts) {
                Cri__Mount *mount = make_mount(arena, m, wanted, index++);

                if (!mount)
                        return false;
                own_hosts |= strcmp(mount->container_path, "/etc/hosts") == 0;
                config->mounts[config->n_mounts++] = mount;
        }
        if (!own_hosts && !add_file(arena, m, config, pod_files_path(arena, options, pod, "etc-hosts"), "/etc/hosts"))
                return false;
        return !message || !message[0] ||
               add_file(arena, m, config, pod_files_message(arena, options, pod, m->spec->name, member_next_attempt(m)),
                        message);
}
