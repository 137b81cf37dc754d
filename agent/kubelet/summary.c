/* /stats/summary (k8s.io/kubelet/pkg/apis/stats/v1alpha1): what the node and its pods use. Of pods it is cri's to tell,
 * as kubelet has it with PodAndContainerStatsFromCRI. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/kubelet/call.h"
#include "agent/kubelet/internal.h"
#include "agent/kubelet/summary.h"
#include "kube/scalar.h"
#include "kube/types.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"

#define SECOND INT64_C(1000000000)

void kubelet_summary_time(struct json_writer *w, const char *key, int64_t ns) {
        const struct kube_time time = { .seconds = ns / SECOND, .set = true };
        char text[KUBE_TIME_TEXT_MAX];

        json_key(w, key);
        json_string_length(w, text, kube_time_format(&time, false, text));
}

void kubelet_summary_number(struct json_writer *w, const char *key, uint64_t number) {
        json_key(w, key);
        json_uint(w, number);
}

static void add_value(struct json_writer *w, const char *key, const Cri__UInt64Value *value) {
        if (value)
                kubelet_summary_number(w, key, value->value);
}

/* -- of cri ------------------------------------------------------------------------------------------------ */

static void add_double(struct json_writer *w, const char *key, double number) {
        char text[32];

        json_key(w, key);
        json_raw(w, text, (size_t)snprintf(text, sizeof(text), "%.4g", number));
}

static void add_psi_data(struct json_writer *w, const char *key, const Cri__PsiData *data) {
        if (!data)
                return;
        json_key(w, key);
        json_begin_map(w);
        kubelet_summary_number(w, "total", data->total);
        add_double(w, "avg10", data->avg10);
        add_double(w, "avg60", data->avg60);
        add_double(w, "avg300", data->avg300);
        json_end_map(w);
}

static void add_psi(struct json_writer *w, const Cri__PsiStats *psi) {
        if (!psi)
                return;
        json_key(w, "psi");
        json_begin_map(w);
        add_psi_data(w, "full", psi->full);
        add_psi_data(w, "some", psi->some);
        json_end_map(w);
}

void kubelet_summary_cpu(struct json_writer *w, const Cri__CpuUsage *cpu) {
        if (!cpu)
                return;
        json_key(w, "cpu");
        json_begin_map(w);
        kubelet_summary_time(w, "time", cpu->timestamp);
        add_value(w, "usageNanoCores", cpu->usage_nano_cores);
        add_value(w, "usageCoreNanoSeconds", cpu->usage_core_nano_seconds);
        add_psi(w, cpu->psi);
        json_end_map(w);
}

static void add_memory(struct json_writer *w, const Cri__MemoryUsage *memory) {
        if (!memory)
                return;
        json_key(w, "memory");
        json_begin_map(w);
        kubelet_summary_time(w, "time", memory->timestamp);
        if (memory->available_bytes && memory->available_bytes->value > 0)
                add_value(w, "availableBytes", memory->available_bytes);
        add_value(w, "usageBytes", memory->usage_bytes);
        add_value(w, "workingSetBytes", memory->working_set_bytes);
        add_value(w, "rssBytes", memory->rss_bytes);
        add_value(w, "pageFaults", memory->page_faults);
        add_value(w, "majorPageFaults", memory->major_page_faults);
        add_psi(w, memory->psi);
        json_end_map(w);
}

static void add_io(struct json_writer *w, const Cri__IoUsage *io) {
        if (!io)
                return;
        json_key(w, "io");
        json_begin_map(w);
        kubelet_summary_time(w, "time", io->timestamp);
        add_psi(w, io->psi);
        json_end_map(w);
}

static void add_swap(struct json_writer *w, const Cri__SwapUsage *swap) {
        if (!swap)
                return;
        json_key(w, "swap");
        json_begin_map(w);
        kubelet_summary_time(w, "time", swap->timestamp);
        add_value(w, "swapAvailableBytes", swap->swap_available_bytes);
        add_value(w, "swapUsageBytes", swap->swap_usage_bytes);
        json_end_map(w);
}

/* A file system with what of it is used by whom it is told of. */
void kubelet_summary_fs(struct json_writer *w, const char *key, const struct kubelet_fs *fs, int64_t time_ns) {
        json_key(w, key);
        json_begin_map(w);
        kubelet_summary_time(w, "time", time_ns);
        kubelet_summary_number(w, "availableBytes", fs->available);
        kubelet_summary_number(w, "capacityBytes", fs->capacity);
        kubelet_summary_number(w, "usedBytes", fs->used);
        kubelet_summary_number(w, "inodesFree", fs->inodes_free);
        kubelet_summary_number(w, "inodes", fs->inodes);
        kubelet_summary_number(w, "inodesUsed", fs->inodes_used);
        json_end_map(w);
}

static void add_container(struct kubelet_summary *s, const Cri__ContainerStats *c) {
        struct cri_container_info info;

        if (cri_container_get(s->kubelet->world.cri, c->attributes->id, &info) < 0 ||
            info.state != CRI__CONTAINER_STATE__CONTAINER_RUNNING)
                return;
        json_begin_map(s->w);
        json_add_string(s->w, "name", info.name);
        kubelet_summary_time(s->w, "startTime", info.started_at);
        kubelet_summary_cpu(s->w, c->cpu);
        add_memory(s->w, c->memory);
        add_io(s->w, c->io);
        if (c->writable_layer && s->has_image_fs) {
                struct kubelet_fs fs = s->image_fs;

                fs.used = c->writable_layer->used_bytes ? c->writable_layer->used_bytes->value : 0;
                fs.inodes_used = c->writable_layer->inodes_used ? c->writable_layer->inodes_used->value : 0;
                kubelet_summary_fs(s->w, "rootfs", &fs, c->writable_layer->timestamp);
        }
        add_swap(s->w, c->swap);
        json_end_map(s->w);
}

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

/* What its containers have written. */
static void add_storage(struct kubelet_summary *s, const Cri__LinuxPodSandboxStats *linux) {
        struct kubelet_fs fs = s->node_fs;

        if (!s->has_node_fs)
                return;
        fs.used = fs.inodes_used = 0;
        for (size_t i = 0; i < linux->n_containers; i++) {
                const Cri__FilesystemUsage *layer = linux->containers[i]->writable_layer;

                fs.used += layer && layer->used_bytes ? layer->used_bytes->value : 0;
                fs.inodes_used += layer && layer->inodes_used ? layer->inodes_used->value : 0;
        }
        kubelet_summary_fs(s->w, "ephemeral-storage", &fs, s->node.time_ns);
}

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
                add_swap(w, &sum);
}

static void add_pod(struct kubelet_summary *s, const Cri__PodSandboxStats *pod) {
        const Cri__PodSandboxMetadata *metadata = pod->attributes->metadata;
        struct cri_sandbox_info info;

        if (cri_sandbox_get(s->kubelet->world.cri, pod->attributes->id, &info) < 0 || !info.ready)
                return;
        json_begin_map(s->w);
        json_key(s->w, "podRef");
        json_begin_map(s->w);
        json_add_string(s->w, "name", metadata->name);
        json_add_string(s->w, "namespace", metadata->namespace_);
        json_add_string(s->w, "uid", metadata->uid);
        json_end_map(s->w);
        kubelet_summary_time(s->w, "startTime", info.created_at);
        json_key(s->w, "containers");
        json_begin_list(s->w);
        for (size_t i = 0; pod->linux && i < pod->linux->n_containers; i++)
                add_container(s, pod->linux->containers[i]);
        json_end_list(s->w);
        if (pod->linux) {
                kubelet_summary_cpu(s->w, pod->linux->cpu);
                add_memory(s->w, pod->linux->memory);
                add_io(s->w, pod->linux->io);
                add_network(s->w, pod->linux->network);
                add_storage(s, pod->linux);
                if (pod->linux->process && pod->linux->process->process_count) {
                        json_key(s->w, "process_stats");
                        json_begin_map(s->w);
                        add_value(s->w, "process_count", pod->linux->process->process_count);
                        json_end_map(s->w);
                }
                add_pod_swap(s->w, pod->linux);
        }
        json_end_map(s->w);
}

/* -- the request ------------------------------------------------------------------------------------------- */

static void on_stats(struct kubelet_call *call, const ProtobufCMessage *message, const struct err *err) {
        const Cri__ListPodSandboxStatsResponse *response = (const Cri__ListPodSandboxStatsResponse *)message;
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        const struct options *o = call->q->kubelet->world.options;
        struct kubelet_summary s = { .kubelet = call->q->kubelet, .w = &w };
        const char *images = arena_printf(call->arena, "%s/images", o->root_dir);

        if (err || !images)
                return kubelet_text(call->q, 500, "%s\n", err ? err_text(err) : "out of memory");
        kubelet_node_stats_read(&s.node);
        s.has_node_fs = kubelet_fs_read(o->root_dir, &s.node_fs);
        s.has_image_fs = kubelet_fs_read(images, &s.image_fs);
        json_begin_map(&w);
        json_key(&w, "node");
        json_begin_map(&w);
        json_add_string(&w, "nodeName", o->node_name);
        kubelet_summary_time(&w, "startTime", s.node.start_ns);
        kubelet_summary_node(&s, call->data);
        json_end_map(&w);
        json_key(&w, "pods");
        json_begin_list(&w);
        for (size_t i = 0; i < response->n_stats; i++)
                add_pod(&s, response->stats[i]);
        json_end_list(&w);
        json_end_map(&w);
        kubelet_answer_json(call->q, &w);
}

void kubelet_serve_summary(struct kubelet_request *q) {
        const char *only = kubelet_query(q, "only_cpu_and_memory");
        struct kubelet_call *call = kubelet_call_new(q);

        if (!call)
                return;
        call->data = only && strcmp(only, "true") == 0 ? (void *)(uintptr_t) "" : NULL;
        call->done = on_stats;
        kubelet_call_stats(call);
}
