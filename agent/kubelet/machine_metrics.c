/* The machine's families of /metrics/cadvisor, by cAdvisor's names (metrics/prometheus_machine.go there). Memory
 * modules and persistent memory are left out: they are nothing to a node's pods. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/kubelet/internal.h"
#include "agent/kubelet/node_stats.h"
#include "lib/cleanup.h"
#include "lib/metrics.h"

#define CPUS "/sys/devices/system/cpu"
#define NODES "/sys/devices/system/node"
#define CPUS_MAX 4096
#define NODES_MAX 256
#define BASE_LABELS 3

struct machine {
        struct metrics_writer *w;
        struct kubelet_node_stats stats;
        struct metrics_label labels[BASE_LABELS + 2]; /* the family's own ones behind */
};

static void write_one(struct machine *m, const char *name, const char *help, double value) {
        metrics_family(m->w, name, METRICS_GAUGE, help);
        metrics_sample(m->w, m->labels, BASE_LABELS, value);
}

/* A small file's number; -1: it has none. */
static long long number_in(const char *path) {
        _cleanup_free_ char *text = kubelet_read_text(path);
        char *end = text;
        long long number = text ? strtoll(text, &end, 10) : 0;

        return end == text ? -1 : number;
}

/* -- processors -------------------------------------------------------------------------------------------- */

struct core {
        long long package, id;
};

static bool is_among(const struct core *cores, unsigned n, struct core core, bool whole) {
        for (unsigned i = 0; i < n; i++)
                if (cores[i].package == core.package && (!whole || cores[i].id == core.id))
                        return true;
        return false;
}

/* One that is off has no topology. */
static void write_processors(struct machine *m) {
        _cleanup_free_ struct core *cores = calloc(CPUS_MAX, sizeof(*cores));
        long n = sysconf(_SC_NPROCESSORS_CONF);
        unsigned n_cores = 0, n_packages = 0;

        for (long i = 0; cores && i < n && i < CPUS_MAX; i++) {
                char path[128];
                struct core core;

                snprintf(path, sizeof(path), CPUS "/cpu%ld/topology/physical_package_id", i);
                core.package = number_in(path);
                snprintf(path, sizeof(path), CPUS "/cpu%ld/topology/core_id", i);
                core.id = number_in(path);
                if (core.package < 0 || core.id < 0 || is_among(cores, n_cores, core, true))
                        continue;
                n_packages += !is_among(cores, n_cores, core, false);
                cores[n_cores++] = core;
        }
        write_one(m, "machine_cpu_cores", "Number of logical CPU cores.", (double)sysconf(_SC_NPROCESSORS_ONLN));
        write_one(m, "machine_cpu_physical_cores", "Number of physical CPU cores.", n_cores);
        write_one(m, "machine_cpu_sockets", "Number of CPU sockets.", n_packages);
}

/* -- memory ------------------------------------------------------------------------------------------------ */

/* Calls @each for the entries PREFIXnumberSUFFIX of @path. */
static void each_numbered(struct machine *m, const char *path, const char *prefix, const char *suffix,
                          void (*each)(struct machine *m, const char *path, unsigned long number)) {
        DIR *directory = opendir(path);
        const struct dirent *entry;
        size_t length = strlen(prefix);
        unsigned left = NODES_MAX;

        while (directory && left > 0 && (entry = readdir(directory))) {
                char *end, below[512];
                unsigned long number;

                if (strncmp(entry->d_name, prefix, length) != 0)
                        continue;
                number = strtoul(entry->d_name + length, &end, 10);
                if (end == entry->d_name + length || strcmp(end, suffix) != 0)
                        continue;
                snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
                each(m, below, number);
                left--;
        }
        if (directory)
                closedir(directory);
}

static void write_node_memory(struct machine *m, const char *path, unsigned long node) {
        char file[600], id[24];
        _cleanup_free_ char *text = NULL;
        const char *total;

        snprintf(file, sizeof(file), "%s/meminfo", path);
        text = kubelet_read_text(file);
        if (!text || !(total = strstr(text, "MemTotal:")))
                return;
        snprintf(id, sizeof(id), "%lu", node);
        m->labels[BASE_LABELS] = (struct metrics_label){ "node_id", id };
        metrics_sample(m->w, m->labels, BASE_LABELS + 1,
                       (double)strtoull(total + strlen("MemTotal:"), NULL, 10) * 1024);
}

static void write_pages(struct machine *m, const char *path, unsigned long kib) {
        char file[600], size[24];

        snprintf(file, sizeof(file), "%s/nr_hugepages", path);
        snprintf(size, sizeof(size), "%lu", kib);
        m->labels[BASE_LABELS + 1] = (struct metrics_label){ "page_size", size };
        metrics_sample(m->w, m->labels, BASE_LABELS + 2, (double)number_in(file));
}

static void write_node_pages(struct machine *m, const char *path, unsigned long node) {
        char below[600], id[24];

        snprintf(below, sizeof(below), "%s/hugepages", path);
        snprintf(id, sizeof(id), "%lu", node);
        m->labels[BASE_LABELS] = (struct metrics_label){ "node_id", id };
        each_numbered(m, below, "hugepages-", "kB", write_pages);
}

static void write_memory(struct machine *m) {
        write_one(m, "machine_memory_bytes", "Amount of memory installed on the machine.",
                  (double)m->stats.memory_total);
        write_one(m, "machine_swap_bytes", "Amount of swap memory available on the machine.",
                  (double)m->stats.swap_total);
        metrics_family(m->w, "machine_node_memory_capacity_bytes", METRICS_GAUGE,
                       "Amount of memory assigned to NUMA node.");
        each_numbered(m, NODES, "node", "", write_node_memory);
        metrics_family(m->w, "machine_node_hugepages_count", METRICS_GAUGE,
                       "Numer of hugepages assigned to NUMA node."); /* as cAdvisor spells it */
        each_numbered(m, NODES, "node", "", write_node_pages);
}

/* -- all --------------------------------------------------------------------------------------------------- */

/* What would be cAdvisor's own is empty in kubelet's, too. */
static void write_version(struct metrics_writer *w) {
        struct utsname host;
        _cleanup_free_ char *os = kubelet_read_text("/etc/os-release");
        const char *at = os ? strstr(os, "PRETTY_NAME=\"") : NULL;
        char name[128] = "";

        uname(&host);
        if (at) {
                at += strlen("PRETTY_NAME=\"");
                snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "\"\n"), at);
        }
        metrics_family(w, "cadvisor_version_info", METRICS_GAUGE,
                       "A metric with a constant '1' value labeled by kernel version, OS version, docker version, "
                       "cadvisor version & cadvisor revision.");
        metrics_sample(w,
                       (const struct metrics_label[]){ { "cadvisorRevision", "" },
                                                       { "cadvisorVersion", "" },
                                                       { "dockerVersion", "" },
                                                       { "kernelVersion", host.release },
                                                       { "osVersion", name } },
                       5, 1);
}

void kubelet_write_machine(struct metrics_writer *w) {
        struct kubelet_machine known;
        struct machine m = { .w = w,
                             .labels = { { "boot_id", known.boot_id },
                                         { "machine_id", known.machine_id },
                                         { "system_uuid", known.system_uuid } } };

        kubelet_node_stats_read(&m.stats);
        kubelet_machine_read(&known);
        write_processors(&m);
        write_memory(&m);
        write_version(w);
        /* What cannot be read is left out, or has failed the whole answer. */
        metrics_one(w, "machine_scrape_error", METRICS_GAUGE,
                    "1 if there was an error while getting machine metrics, 0 otherwise.", 0);
        metrics_one(w, "container_scrape_error", METRICS_GAUGE,
                    "1 if there was an error while getting container metrics, 0 otherwise", 0);
}
