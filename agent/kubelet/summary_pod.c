/* The pods' part of /stats/summary. */
#include <string.h>

#include "agent/kubelet/internal.h"
#include "agent/kubelet/summary.h"
#include "lib/json_writer.h"

static void add_value(struct json_writer *w, const char *key, const Cri__UInt64Value *value) {
        if (value)
                kubelet_summary_number(w, key, value->value);
}

static uint64_t value_or_none(const Cri__UInt64Value *value) {
        return value ? value->value : 0;
}

/* -- containers -------------------------------------------------------------------------------------------- */

static void add_rootfs(struct kubelet_summary *s, const Cri__FilesystemUsage *layer) {
        struct kubelet_fs fs = s->image_fs;

        if (!layer || !s->has_image_fs)
                return;
        fs.used = value_or_none(layer->used_bytes);
        fs.inodes_used = value_or_none(layer->inodes_used);
        kubelet_summary_fs(s->w, "rootfs", &fs, layer->timestamp);
}

static const struct disk_usage *logs_of(const struct kubelet_survey_pod *pod, const char *container) {
        for (uint32_t i = 0; pod && i < pod->n_logs; i++)
                if (strcmp(pod->logs[i].container, container) == 0)
                        return &pod->logs[i].used;
        return NULL;
}

static void add_logs(struct kubelet_summary *s, const struct disk_usage *used) {
        struct kubelet_fs fs = s->node_fs;

        if (!used || !s->has_node_fs)
                return;
        fs.used = used->bytes;
        fs.inodes_used = used->inodes;
        kubelet_summary_fs(s->w, "logs", &fs, s->node.time_ns);
}

static void add_container(struct kubelet_summary *s, const struct kubelet_survey_pod *pod,
                          const Cri__ContainerStats *c) {
        struct cri_container_info info;

        if (cri_container_get(s->kubelet->world.cri, c->attributes->id, &info) < 0 ||
            info.state != CRI__CONTAINER_STATE__CONTAINER_RUNNING)
                return;
        json_begin_map(s->w);
        json_add_string(s->w, "name", info.name);
        kubelet_summary_time(s->w, "startTime", info.created_at);
        kubelet_summary_cpu(s->w, c->cpu);
        kubelet_summary_memory(s->w, c->memory);
        if (!s->survey->only_use) {
                kubelet_summary_io(s->w, c->io);
                add_rootfs(s, c->writable_layer);
                add_logs(s, logs_of(pod, info.name));
        }
        kubelet_summary_swap(s->w, c->swap);
        json_end_map(s->w);
}

/* -- the network ------------------------------------------------------------------------------------------- */

static void add_interface(struct json_writer *w, const Cri__NetworkInterfaceUsage *i) {
        json_add_string(w, "name", i->name);
        add_value(w, "rxBytes", i->rx_bytes);
        add_value(w, "rxErrors", i->rx_errors);
        add_value(w, "txBytes", i->tx_bytes);
        add_value(w, "txErrors", i->tx_errors);
}

static void add_listed(struct json_writer *w, const Cri__NetworkInterfaceUsage *i) {
        json_begin_map(w);
        add_interface(w, i);
        json_end_map(w);
}

static void add_network(struct json_writer *w, const Cri__NetworkUsage *network) {
        if (!network || !network->default_interface)
                return;
        json_key(w, "network");
        json_begin_map(w);
        kubelet_summary_time(w, "time", network->timestamp);
        add_interface(w, network->default_interface);
        json_key(w, "interfaces");
        json_begin_list(w);
        add_listed(w, network->default_interface);
        for (size_t i = 0; i < network->n_interfaces; i++)
                add_listed(w, network->interfaces[i]);
        json_end_list(w);
        json_end_map(w);
}

/* -- the disk ---------------------------------------------------------------------------------------------- */

static void add_volumes(struct kubelet_summary *s, const struct kubelet_survey_pod *pod) {
        bool any = false;

        for (uint32_t i = 0; pod && i < pod->n_volumes; i++)
                any |= pod->volumes[i].known;
        if (!any)
                return;
        json_key(s->w, "volume");
        json_begin_list(s->w);
        for (uint32_t i = 0; i < pod->n_volumes; i++) {
                const struct kubelet_survey_volume *v = &pod->volumes[i];

                if (!v->known)
                        continue;
                json_begin_map(s->w);
                kubelet_summary_fs_members(s->w, &v->fs, pod->volumes_ns);
                json_add_string(s->w, "name", v->name);
                json_end_map(s->w);
        }
        json_end_list(s->w);
}

static void add_used(struct kubelet_fs *fs, uint64_t bytes, uint64_t inodes) {
        fs->used += bytes;
        fs->inodes_used += inodes;
}

/* What it takes of the node's disk: what its containers have written, their logs, and volumes that end with it. */
static void add_storage(struct kubelet_summary *s, const struct kubelet_survey_pod *pod,
                        const Cri__LinuxPodSandboxStats *linux) {
        struct kubelet_fs fs = s->node_fs;

        if (!s->has_node_fs)
                return;
        fs.used = fs.inodes_used = 0;
        for (size_t i = 0; i < linux->n_containers; i++) {
                const Cri__FilesystemUsage *layer = linux->containers[i]->writable_layer;

                if (layer)
                        add_used(&fs, value_or_none(layer->used_bytes), value_or_none(layer->inodes_used));
        }
        for (uint32_t i = 0; pod && i < pod->n_logs; i++)
                add_used(&fs, pod->logs[i].used.bytes, pod->logs[i].used.inodes);
        for (uint32_t i = 0; pod && i < pod->n_volumes; i++)
                if (pod->volumes[i].known && pod->volumes[i].ephemeral)
                        add_used(&fs, pod->volumes[i].fs.used, pod->volumes[i].fs.inodes_used);
        if (pod)
                add_used(&fs, pod->other.bytes, pod->other.inodes);
        kubelet_summary_fs(s->w, "ephemeral-storage", &fs, s->node.time_ns);
}

/* -- a pod ------------------------------------------------------------------------------------------------- */

/* Of all containers that tell of swap. */
static void add_pod_swap(struct json_writer *w, const Cri__LinuxPodSandboxStats *linux) {
        Cri__UInt64Value usage = CRI__UINT64_VALUE__INIT;
        Cri__SwapUsage sum = CRI__SWAP_USAGE__INIT;

        for (size_t i = 0; i < linux->n_containers; i++) {
                const Cri__SwapUsage *swap = linux->containers[i]->swap;

                if (!swap)
                        continue;
                sum.timestamp = swap->timestamp;
                usage.value += swap->swap_usage_bytes ? swap->swap_usage_bytes->value : 0;
                sum.swap_usage_bytes = &usage;
        }
        if (sum.swap_usage_bytes)
                kubelet_summary_swap(w, &sum);
}

static void add_processes(struct json_writer *w, const Cri__ProcessUsage *processes) {
        if (!processes || !processes->process_count)
                return;
        json_key(w, "process_stats");
        json_begin_map(w);
        add_value(w, "process_count", processes->process_count);
        json_end_map(w);
}

static void add_use(struct kubelet_summary *s, const struct kubelet_survey_pod *pod,
                    const Cri__LinuxPodSandboxStats *linux) {
        kubelet_summary_cpu(s->w, linux->cpu);
        kubelet_summary_memory(s->w, linux->memory);
        if (!s->survey->only_use) {
                kubelet_summary_io(s->w, linux->io);
                add_network(s->w, linux->network);
                add_volumes(s, pod);
                add_storage(s, pod, linux);
                add_processes(s->w, linux->process);
        }
        add_pod_swap(s->w, linux);
}

static void add_reference(struct json_writer *w, const Cri__PodSandboxMetadata *metadata) {
        json_key(w, "podRef");
        json_begin_map(w);
        json_add_string(w, "name", metadata->name);
        json_add_string(w, "namespace", metadata->namespace_);
        json_add_string(w, "uid", metadata->uid);
        json_end_map(w);
}

void kubelet_summary_pod(struct kubelet_summary *s, const Cri__PodSandboxStats *stats) {
        const struct kubelet_survey_pod *pod = kubelet_survey_find(s->survey, stats->attributes->metadata->uid);
        struct cri_sandbox_info info;

        if (cri_sandbox_get(s->kubelet->world.cri, stats->attributes->id, &info) < 0 || !info.ready)
                return;
        json_begin_map(s->w);
        add_reference(s->w, stats->attributes->metadata);
        kubelet_summary_time(s->w, "startTime", info.created_at);
        json_key(s->w, "containers");
        json_begin_list(s->w);
        for (size_t i = 0; stats->linux && i < stats->linux->n_containers; i++)
                add_container(s, pod, stats->linux->containers[i]);
        json_end_list(s->w);
        if (stats->linux)
                add_use(s, pod, stats->linux);
        json_end_map(s->w);
}
