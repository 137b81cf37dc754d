#include "agent/volumes/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/node/world.h"
#include "agent/node/grant.h"
#include "agent/volumes/file_key.h"
#include "agent/volumes/volumes.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* -- addresses --------------------------------------------------------------------------------------------- */

int pod_addresses_add(struct pod_addresses *a, const char *ip) {
        char **more = reallocarray(a->list, a->n + 2, sizeof(*more));
        _cleanup_free_ char *copy = more ? strdup(ip) : NULL;
        char *joined = NULL;

        if (more)
                a->list = more;
        if (!copy || asprintf(&joined, "%s%s%s", a->joined ?: "", a->joined ? "," : "", ip) < 0) {
                if (more)
                        more[a->n] = NULL;
                return -ENOMEM;
        }
        free(a->joined);
        a->joined = joined;
        a->list[a->n++] = TAKE_PTR(copy);
        a->list[a->n] = NULL;
        return 0;
}

void pod_addresses_clear(struct pod_addresses *a) {
        for (size_t i = 0; i < a->n; i++)
                free(a->list[i]);
        free(a->list);
        free(a->joined);
        *a = (struct pod_addresses){ 0 };
}

/* -- paths ------------------------------------------------------------------------------------------------- */

const char *pod_files_path(struct arena *arena, const struct options *options, const struct pod *pod,
                           const char *name) {
        return arena_printf(arena, "%s/pods/%s%s%s", options->root_dir, pod->metadata.uid, name ? "/" : "", name ?: "");
}

const char *pod_files_logs(struct arena *arena, const struct options *options, const struct pod *pod) {
        return arena_printf(arena, "%s/%s_%s_%s", options->pod_logs_dir, pod->metadata.namespace, pod->metadata.name,
                            pod->metadata.uid);
}

const char *pod_files_volume(struct arena *arena, const struct options *options, const struct pod *pod,
                             const struct kube_volume *volume) {
        const char *dir = pod_files_path(arena, options, pod, NULL);

        return dir ? volumes_path(arena, dir, volume) : NULL;
}

const char *pod_files_message(struct arena *arena, const struct options *options, const struct pod *pod,
                              const char *container, uint32_t attempt) {
        return arena_printf(arena, "%s/pods/%s/containers/%s/%u", options->root_dir, pod->metadata.uid, container,
                            attempt);
}

const char *pod_files_log(struct arena *arena, const struct options *options, const struct pod *pod,
                          const char *container, uint32_t attempt) {
        return arena_printf(arena, "%s/%s_%s_%s/%s/%u.log", options->pod_logs_dir, pod->metadata.namespace,
                            pod->metadata.name, pod->metadata.uid, container, attempt);
}

const char *pod_files_subpath(struct arena *arena, const struct options *options, const struct pod *pod,
                              const char *container, const struct kube_volume_mount *mount, size_t index) {
        return arena_printf(arena, "%s/pods/%s/volume-subpaths/%s/%s/%zu", options->root_dir, pod->metadata.uid,
                            mount->name, container, index);
}

static const char *qos_folder(const struct pod *pod) {
        static const char *const folders[] = {
                [QOS_BEST_EFFORT] = "/besteffort", [QOS_BURSTABLE] = "/burstable", [QOS_GUARANTEED] = ""
        };

        return folders[pod_qos(pod)];
}

const char *pod_files_cgroup(struct arena *arena, const struct options *options, const struct pod *pod) {
        const char *root = options->cgroup_root;

        return arena_printf(arena, "%s/kubepods%s/pod%s", strcmp(root, "/") == 0 ? "" : root, qos_folder(pod),
                            pod->metadata.uid);
}

/* -- a pod's files ----------------------------------------------------------------------------------------- */

static void unref_sources(void *data) {
        pod_sources_unref(data);
}

static bool take_sources(struct arena *arena, const struct node_world *world, struct pod_files *files) {
        struct pod_sources *sources = NULL;

        if (node_sources(world, files->pod, &sources) < 0)
                return false;
        if (sources && !arena_defer(arena, unref_sources, sources)) {
                pod_sources_unref(sources);
                return false;
        }
        files->facts.sources = sources;
        return true;
}

struct pod_files *pod_files_new(struct arena *arena, const struct node_world *world, const struct pod *pod,
                                const struct pod_addresses *addresses) {
        struct pod_files *files = arena_new_of(arena, struct pod_files);
        const char **ips = arena_alloc_array(arena, addresses->n + 1, sizeof(*ips));
        struct node_grant grant = { 0 };

        if (!files || !ips)
                return NULL;
        for (size_t i = 0; i < addresses->n; i++)
                if (!(ips[i] = arena_strdup(arena, addresses->list[i])))
                        return NULL;
        *files = (struct pod_files){
                .pod = pod,
                .options = world->options,
                .cgroups = world->cgroups,
                .dir = pod_files_path(arena, world->options, pod, NULL),
                .logs = pod_files_logs(arena, world->options, pod),
                .cgroup = pod_files_cgroup(arena, world->options, pod),
                .ips = ips,
                .node_memory = world->memory_bytes,
                .facts = {
                        .pod_ip = ips[0],
                        .pod_ips = arena_strdup(arena, addresses->joined),
                        .host_ip = world->host_ip,
                        .host_ips = world->host_ip,
                        .allocatable_cpu = quantity_from_milli(world->cpu_milli),
                        .allocatable_memory = quantity_from_units(world->memory_bytes, QUANTITY_BINARY),
                        .allocatable_storage = quantity_from_units(world->disk_bytes, QUANTITY_BINARY),
                        .file_key = file_key_read,
                        .file_key_data = files,
                },
        };
        if (node_grant(world, pod, "", arena, &grant, NULL) < 0)
                return NULL;
        files->exclusive_cpus = grant.pod_exclusive;
        if ((addresses->joined && !files->facts.pod_ips) || !take_sources(arena, world, files))
                return NULL;
        return files->dir && files->logs && files->cgroup ? files : NULL;
}

int pod_files_take_services(struct arena *arena, const struct node_world *world, struct pod_files *files,
                            struct err **err) {
        string_map *services = arena_new_of(arena, string_map);
        int r;

        if (!services)
                return err_set(err, ENOMEM, "out of memory");
        if (world->ops->services && (r = world->ops->services(world->data, files->pod, arena, services, err)) < 0)
                return r == -ENOMEM ? err_set(err, ENOMEM, "out of memory") : r;
        files->facts.services = services;
        return 0;
}
