/* ContainerStats, PodSandboxStats and their lists. */
#include <string.h>

#include "cri/call/handlers.h"
#include "cri/stats/measure.h"
#include "cri/stats/usage.h"
#include "cri/state/record.h"

/* CPUs in use, in billionths, between the reading before and this one; the readings are kept with the object. */
static uint64_t nano_cores(const struct cgroup_stats *stats, uint64_t *cpu_ns, uint64_t *cpu_time) {
        uint64_t cores = 0;

        if (*cpu_time && stats->time_ns > *cpu_time && stats->cpu_ns >= *cpu_ns)
                cores = (uint64_t)((double)(stats->cpu_ns - *cpu_ns) * 1e9 / (double)(stats->time_ns - *cpu_time));
        if (stats->time_ns > *cpu_time) {
                *cpu_ns = stats->cpu_ns;
                *cpu_time = stats->time_ns;
        }
        return cores;
}

static Cri__FilesystemUsage *layer_of(struct arena *arena, const struct cri_container *container) {
        Cri__FilesystemUsage *usage = message_new(arena, &cri__filesystem_usage__descriptor);

        if (!usage || !(usage->fs_id = message_new(arena, &cri__filesystem_identifier__descriptor)))
                return NULL;
        usage->timestamp = container->layer_time ? (int64_t)container->layer_time : cri_now();
        usage->fs_id->mountpoint = record_dir(container->sandbox->cri, arena, RECORD_CONTAINER, "");
        usage->used_bytes = usage_value(arena, container->layer_bytes);
        usage->inodes_used = usage_value(arena, container->layer_inodes);
        return usage->fs_id->mountpoint ? usage : NULL;
}

static Cri__ContainerStats *stats_of_container(struct arena *arena, const struct container_measure *measure) {
        Cri__ContainerStats *stats = message_new(arena, &cri__container_stats__descriptor);
        Cri__ContainerAttributes *attributes = message_new(arena, &cri__container_attributes__descriptor);
        struct cri_container *container = measure->container;

        if (!stats || !attributes)
                return NULL;
        attributes->id = (char *)(uintptr_t)container->id;
        attributes->metadata = container->config->metadata;
        MESSAGE_MAP_BORROW(attributes, container->config, labels);
        MESSAGE_MAP_BORROW(attributes, container->config, annotations);
        stats->attributes = attributes;
        stats->writable_layer = layer_of(arena, container);
        if (!measure->known || container->phase != CRI_PHASE_RUNNING)
                return stats;
        stats->cpu = usage_cpu(arena, &measure->stats,
                               nano_cores(&measure->stats, &container->cpu_ns, &container->cpu_time));
        stats->memory = usage_memory(arena, &measure->stats);
        stats->io = usage_io(arena, &measure->stats);
        stats->swap = usage_swap(arena, &measure->stats);
        return stats;
}

static Cri__NetworkInterfaceUsage *device_of(struct arena *arena, const struct net_device *device) {
        Cri__NetworkInterfaceUsage *usage = message_new(arena, &cri__network_interface_usage__descriptor);

        if (!usage || !(usage->name = arena_strdup(arena, device->name)))
                return NULL;
        usage->rx_bytes = usage_value(arena, device->rx_bytes);
        usage->rx_errors = usage_value(arena, device->rx_errors);
        usage->tx_bytes = usage_value(arena, device->tx_bytes);
        usage->tx_errors = usage_value(arena, device->tx_errors);
        return usage;
}

/* NULL also where there is no default interface (a pod of the host's network, or one that has ended): kubelet ends in a
 * panic when it is given the others without one (cri_stats_provider_linux.go, addCRIPodNetworkStats()). */
static Cri__NetworkUsage *network_of(struct arena *arena, const struct sandbox_measure *measure) {
        Cri__NetworkUsage *network = message_new(arena, &cri__network_usage__descriptor);

        if (!network)
                return NULL;
        network->timestamp = cri_now();
        network->interfaces = arena_alloc_array(arena, measure->n_devices + 1, sizeof(*network->interfaces));
        for (size_t i = 0; i < measure->n_devices && network->interfaces; i++) {
                Cri__NetworkInterfaceUsage *usage = device_of(arena, &measure->devices[i]);

                if (!usage)
                        break;
                if (strcmp(usage->name, "eth0") == 0)
                        network->default_interface = usage;
                else
                        network->interfaces[network->n_interfaces++] = usage;
        }
        return network->default_interface ? network : NULL;
}

static Cri__LinuxPodSandboxStats *linux_of(struct arena *arena, const struct measure *measure,
                                           const struct sandbox_measure *s) {
        Cri__LinuxPodSandboxStats *stats = message_new(arena, &cri__linux_pod_sandbox_stats__descriptor);

        if (!stats)
                return NULL;
        stats->containers = arena_alloc_array(arena, s->n + 1, sizeof(*stats->containers));
        if (!stats->containers)
                return NULL;
        for (size_t i = 0; i < s->n; i++) {
                stats->containers[i] = stats_of_container(arena, &measure->containers[s->first + i]);
                if (!stats->containers[stats->n_containers++])
                        return NULL;
        }
        if (!s->known)
                return stats;
        stats->cpu = usage_cpu(arena, &s->stats, nano_cores(&s->stats, &s->sandbox->cpu_ns, &s->sandbox->cpu_time));
        stats->memory = usage_memory(arena, &s->stats);
        stats->io = usage_io(arena, &s->stats);
        stats->network = network_of(arena, s);
        stats->process = message_new(arena, &cri__process_usage__descriptor);
        if (stats->process) {
                stats->process->timestamp = (int64_t)s->stats.time_ns;
                stats->process->process_count = usage_value(arena, s->stats.pids);
        }
        return stats;
}

static Cri__PodSandboxStats *stats_of_sandbox(struct arena *arena, const struct measure *measure,
                                              const struct sandbox_measure *s) {
        Cri__PodSandboxStats *stats = message_new(arena, &cri__pod_sandbox_stats__descriptor);
        Cri__PodSandboxAttributes *attributes = message_new(arena, &cri__pod_sandbox_attributes__descriptor);

        if (!stats || !attributes)
                return NULL;
        attributes->id = (char *)(uintptr_t)s->sandbox->id;
        attributes->metadata = s->sandbox->config->metadata;
        MESSAGE_MAP_BORROW(attributes, s->sandbox->config, labels);
        MESSAGE_MAP_BORROW(attributes, s->sandbox->config, annotations);
        stats->attributes = attributes;
        stats->linux = linux_of(arena, measure, s);
        return stats->linux ? stats : NULL;
}

static void out_of_memory(struct cri_call *call) {
        call_refuse(call, ENOMEM, "out of memory");
}

static void container_done(struct cri_call *call) {
        Cri__ContainerStatsResponse response = CRI__CONTAINER_STATS_RESPONSE__INIT;
        struct measure *measure = call->state;

        response.stats = stats_of_container(call->arena, &measure->containers[0]);
        if (!response.stats) {
                out_of_memory(call);
                return;
        }
        call_reply(call, &response.base);
}

void handle_container_stats(struct cri_call *call) {
        const Cri__ContainerStatsRequest *request = (const Cri__ContainerStatsRequest *)call->request;
        struct measure *measure;

        if (!call_find_container(call, request->container_id) || !(measure = measure_new(call)))
                return;
        if (measure_add_container(call, measure, call->container) < 0)
                out_of_memory(call);
        else
                measure_run(call, container_done);
}

static void list_containers(struct cri_call *call, const Cri__ContainerStatsFilter *filter,
                            void (*done)(struct cri_call *call)) {
        struct measure *measure = measure_new(call);
        const char *id = NULL, *sandbox_id = NULL;

        if (!measure)
                return;
        if (filter && !text_empty(filter->id) && !(id = cri_container_filter_id(call->cri, filter->id)))
                id = filter->id; /* matches none */
        if (filter && !text_empty(filter->pod_sandbox_id) &&
            !(sandbox_id = cri_sandbox_filter_id(call->cri, filter->pod_sandbox_id)))
                sandbox_id = filter->pod_sandbox_id;
        for (struct cri_container *c = call->cri->first_container; c; c = c->newer) {
                if (c->phase != CRI_PHASE_RUNNING || (id && strcmp(id, c->id) != 0) ||
                    (sandbox_id && strcmp(sandbox_id, c->sandbox->id) != 0))
                        continue;
                if (filter && !message_map_matches((void *const *)filter->label_selector, filter->n_label_selector,
                                                   (void *const *)c->config->labels, c->config->n_labels))
                        continue;
                if (measure_add_container(call, measure, c) < 0) {
                        out_of_memory(call);
                        return;
                }
        }
        measure_run(call, done);
}

static Cri__ContainerStats **all_containers(struct cri_call *call) {
        struct measure *measure = call->state;
        Cri__ContainerStats **all = arena_alloc_array(call->arena, measure->n_containers + 1, sizeof(*all));

        for (size_t i = 0; all && i < measure->n_containers; i++) {
                all[i] = stats_of_container(call->arena, &measure->containers[i]);
                if (!all[i])
                        return NULL;
        }
        return all;
}

static void list_containers_done(struct cri_call *call) {
        Cri__ListContainerStatsResponse response = CRI__LIST_CONTAINER_STATS_RESPONSE__INIT;
        struct measure *measure = call->state;

        response.stats = all_containers(call);
        response.n_stats = measure->n_containers;
        if (!response.stats) {
                out_of_memory(call);
                return;
        }
        call_reply(call, &response.base);
}

void handle_list_container_stats(struct cri_call *call) {
        list_containers(call, ((const Cri__ListContainerStatsRequest *)call->request)->filter, list_containers_done);
}

static void stream_containers_done(struct cri_call *call) {
        struct measure *measure = call->state;
        Cri__ContainerStats **all = all_containers(call);

        if (!all) {
                out_of_memory(call);
                return;
        }
        call_stream(call, all, measure->n_containers);
}

void handle_stream_container_stats(struct cri_call *call) {
        list_containers(call, ((const Cri__StreamContainerStatsRequest *)call->request)->filter,
                        stream_containers_done);
}

static void sandbox_done(struct cri_call *call) {
        Cri__PodSandboxStatsResponse response = CRI__POD_SANDBOX_STATS_RESPONSE__INIT;
        struct measure *measure = call->state;

        response.stats = stats_of_sandbox(call->arena, measure, &measure->sandboxes[0]);
        if (response.stats)
                call_reply(call, &response.base);
        else
                out_of_memory(call);
}

void handle_pod_sandbox_stats(struct cri_call *call) {
        const Cri__PodSandboxStatsRequest *request = (const Cri__PodSandboxStatsRequest *)call->request;
        struct measure *measure;

        if (!call_find_sandbox(call, request->pod_sandbox_id))
                return;
        if (!call->sandbox->ready) {
                call_refuse(call, EINVAL, "sandbox \"%s\" is not ready", call->sandbox->id);
                return;
        }
        measure = measure_new(call);
        if (measure && measure_add_sandbox(call, measure, call->sandbox) < 0)
                out_of_memory(call);
        else if (measure)
                measure_run(call, sandbox_done);
}

static void list_sandboxes(struct cri_call *call, const Cri__PodSandboxStatsFilter *filter,
                           void (*done)(struct cri_call *call)) {
        struct measure *measure = measure_new(call);
        const char *id = NULL;

        if (!measure)
                return;
        if (filter && !text_empty(filter->id) && !(id = cri_sandbox_filter_id(call->cri, filter->id)))
                id = filter->id;
        for (struct cri_sandbox *s = call->cri->first_sandbox; s; s = s->newer) {
                if (!s->ready || s->hidden || (id && strcmp(id, s->id) != 0))
                        continue;
                if (filter && !message_map_matches((void *const *)filter->label_selector, filter->n_label_selector,
                                                   (void *const *)s->config->labels, s->config->n_labels))
                        continue;
                if (measure_add_sandbox(call, measure, s) < 0) {
                        out_of_memory(call);
                        return;
                }
        }
        measure_run(call, done);
}

static Cri__PodSandboxStats **all_sandboxes(struct cri_call *call) {
        struct measure *measure = call->state;
        Cri__PodSandboxStats **all = arena_alloc_array(call->arena, measure->n_sandboxes + 1, sizeof(*all));

        for (size_t i = 0; all && i < measure->n_sandboxes; i++) {
                all[i] = stats_of_sandbox(call->arena, measure, &measure->sandboxes[i]);
                if (!all[i])
                        return NULL;
        }
        return all;
}

static void list_sandboxes_done(struct cri_call *call) {
        Cri__ListPodSandboxStatsResponse response = CRI__LIST_POD_SANDBOX_STATS_RESPONSE__INIT;

        response.stats = all_sandboxes(call);
        response.n_stats = ((struct measure *)call->state)->n_sandboxes;
        if (response.stats)
                call_reply(call, &response.base);
        else
                out_of_memory(call);
}

void handle_list_pod_sandbox_stats(struct cri_call *call) {
        list_sandboxes(call, ((const Cri__ListPodSandboxStatsRequest *)call->request)->filter, list_sandboxes_done);
}

static void stream_sandboxes_done(struct cri_call *call) {
        struct measure *measure = call->state;
        Cri__PodSandboxStats **all = all_sandboxes(call);

        if (!all) {
                out_of_memory(call);
                return;
        }
        call_stream(call, all, measure->n_sandboxes);
}

void handle_stream_pod_sandbox_stats(struct cri_call *call) {
        list_sandboxes(call, ((const Cri__StreamPodSandboxStatsRequest *)call->request)->filter, stream_sandboxes_done);
}
