/* The node's part of /stats/summary. */
#include "agent/kubelet/internal.h"
#include "agent/config/options.h"
#include "agent/kubelet/summary.h"
#include "cri/stats/usage.h"
#include "lib/json_writer.h"

#define RATE_NS INT64_C(1000000000) /* the shortest time of which the node's CPUs in use are told */

/* CPUs in use, in billionths, since it was asked for the last time; for the first time since @start_ns, 0: not known.
 */
static uint64_t cores_of(struct kubelet_rate *rate, uint64_t cpu_ns, int64_t now_ns, int64_t start_ns) {
        int64_t since = rate->time_ns ?: start_ns;

        if (rate->time_ns && now_ns - since < RATE_NS && now_ns >= since)
                return rate->cores;
        if (since && now_ns > since && cpu_ns >= rate->cpu_ns)
                rate->cores = (uint64_t)((double)(cpu_ns - rate->cpu_ns) * 1e9 / (double)(now_ns - since));
        rate->time_ns = now_ns;
        rate->cpu_ns = cpu_ns;
        return rate->cores;
}

/* -- containers of the system ------------------------------------------------------------------------------ */

static void add_system(struct kubelet_summary *s, const char *name, enum kubelet_system which) {
        const struct cgroup_stats *stats = &s->survey->systems[which].stats;
        uint64_t cores;

        if (!s->survey->systems[which].known)
                return;
        cores = cores_of(&s->kubelet->system_rates[which], stats->cpu_ns, (int64_t)stats->time_ns, 0);
        json_begin_map(s->w);
        json_add_string(s->w, "name", name);
        kubelet_summary_time(s->w, "startTime", s->kubelet->began_ns);
        kubelet_summary_cpu(s->w, usage_cpu(s->arena, stats, cores));
        kubelet_summary_memory(s->w, usage_memory(s->arena, stats));
        if (!s->survey->only_use)
                kubelet_summary_io(s->w, usage_io(s->arena, stats));
        kubelet_summary_swap(s->w, usage_swap(s->arena, stats));
        json_end_map(s->w);
}

static void add_systems(struct kubelet_summary *s) {
        static const char *const names[_KUBELET_SYSTEMS] = { "kubelet", "runtime", "pods" };
        bool any = false;

        for (int i = 0; i < _KUBELET_SYSTEMS; i++)
                any |= s->survey->systems[i].known;
        if (!any)
                return;
        json_key(s->w, "systemContainers");
        json_begin_list(s->w);
        for (int i = 0; i < _KUBELET_SYSTEMS; i++)
                add_system(s, names[i], (enum kubelet_system)i);
        json_end_list(s->w);
}

/* -- the node ---------------------------------------------------------------------------------------------- */

static void add_node_cpu(struct kubelet_summary *s) {
        const struct kubelet_node_stats *n = &s->node;
        Cri__UInt64Value cores = CRI__UINT64_VALUE__INIT, cpu_ns = CRI__UINT64_VALUE__INIT;
        Cri__CpuUsage cpu = CRI__CPU_USAGE__INIT;

        cores.value = cores_of(&s->kubelet->rate, n->cpu_ns, n->time_ns, n->start_ns);
        cpu_ns.value = n->cpu_ns;
        cpu.timestamp = n->time_ns;
        cpu.usage_nano_cores = &cores;
        cpu.usage_core_nano_seconds = &cpu_ns;
        cpu.psi = usage_psi(s->arena, &s->survey->host, &s->survey->host.cpu_pressure);
        kubelet_summary_cpu(s->w, &cpu);
}

static void add_node_memory(struct kubelet_summary *s) {
        const struct kubelet_node_stats *n = &s->node;

        json_key(s->w, "memory");
        json_begin_map(s->w);
        kubelet_summary_time(s->w, "time", n->time_ns);
        kubelet_summary_number(s->w, "availableBytes", n->memory_available);
        kubelet_summary_number(s->w, "usageBytes", n->memory_usage);
        kubelet_summary_number(s->w, "workingSetBytes", n->memory_working_set);
        kubelet_summary_number(s->w, "rssBytes", n->memory_rss);
        kubelet_summary_number(s->w, "pageFaults", n->page_faults);
        kubelet_summary_number(s->w, "majorPageFaults", n->major_page_faults);
        kubelet_summary_psi(s->w, usage_psi(s->arena, &s->survey->host, &s->survey->host.memory_pressure));
        json_end_map(s->w);
}

static void add_node_io(struct kubelet_summary *s) {
        Cri__IoUsage io = CRI__IO_USAGE__INIT;

        io.timestamp = s->node.time_ns;
        if ((io.psi = usage_psi(s->arena, &s->survey->host, &s->survey->host.io_pressure)))
                kubelet_summary_io(s->w, &io);
}

static void add_device(struct json_writer *w, const struct kubelet_device *d) {
        json_add_string(w, "name", d->name);
        kubelet_summary_number(w, "rxBytes", d->rx_bytes);
        kubelet_summary_number(w, "rxErrors", d->rx_errors);
        kubelet_summary_number(w, "txBytes", d->tx_bytes);
        kubelet_summary_number(w, "txErrors", d->tx_errors);
}

static void add_node_network(struct json_writer *w, const struct kubelet_node_stats *n) {
        json_key(w, "network");
        json_begin_map(w);
        kubelet_summary_time(w, "time", n->time_ns);
        if (n->main_device >= 0)
                add_device(w, &n->devices[n->main_device]);
        else
                json_add_string(w, "name", "");
        json_key(w, "interfaces");
        json_begin_list(w);
        for (unsigned i = 0; i < n->n_devices; i++) {
                json_begin_map(w);
                add_device(w, &n->devices[i]);
                json_end_map(w);
        }
        json_end_list(w);
        json_end_map(w);
}

static void add_rest_of_node(struct kubelet_summary *s) {
        const struct kubelet_node_stats *n = &s->node;

        add_node_network(s->w, n);
        if (s->has_node_fs)
                kubelet_summary_fs(s->w, "fs", &s->node_fs, n->time_ns);
        if (s->has_image_fs) {
                json_key(s->w, "runtime");
                json_begin_map(s->w);
                kubelet_summary_fs(s->w, "imageFs", &s->image_fs, n->time_ns);
                kubelet_summary_fs(s->w, "containerFs", &s->image_fs, n->time_ns);
                json_end_map(s->w);
        }
        json_key(s->w, "rlimit");
        json_begin_map(s->w);
        kubelet_summary_time(s->w, "time", n->time_ns);
        json_add_int(s->w, "maxpid", n->pids_max);
        json_add_int(s->w, "curproc", n->pids);
        json_end_map(s->w);
}

static void add_node_swap(struct kubelet_summary *s) {
        const struct kubelet_node_stats *n = &s->node;

        json_key(s->w, "swap");
        json_begin_map(s->w);
        kubelet_summary_time(s->w, "time", n->time_ns);
        kubelet_summary_number(s->w, "swapAvailableBytes", n->swap_total - n->swap_usage);
        kubelet_summary_number(s->w, "swapUsageBytes", n->swap_usage);
        json_end_map(s->w);
}

void kubelet_summary_node(struct kubelet_summary *s) {
        json_begin_map(s->w);
        json_add_string(s->w, "nodeName", s->kubelet->world.options->node_name);
        add_systems(s);
        kubelet_summary_time(s->w, "startTime", s->node.start_ns);
        add_node_cpu(s);
        add_node_memory(s);
        if (!s->survey->only_use) {
                add_node_io(s);
                add_rest_of_node(s);
        }
        add_node_swap(s);
        json_end_map(s->w);
}
