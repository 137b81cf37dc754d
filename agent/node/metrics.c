#include "agent/node/metrics.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/eviction/eviction.h"
#include "cri/cri.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/trace/tracer.h"

#define OPERATION_MAX 64
#define PROC_MAX 4096

/* Labels are the names of CRI's methods and states and no others, so that there are only so many series. */

/* "RunPodSandbox" as kubelet has it: run_podsandbox. */
static const char *operation_of(enum cri_method method, char text[OPERATION_MAX]) {
        const char *name = cri_methods[method].name;
        size_t n = 0;

        for (const char *p = name; *p && n < OPERATION_MAX - 2; p++) {
                bool joined = p > name + 2 && strncmp(p - 3, "PodSandbox", 10) == 0;

                if (isupper((unsigned char)*p) && p > name && !joined)
                        text[n++] = '_';
                text[n++] = (char)tolower((unsigned char)*p);
        }
        text[n] = '\0';
        return text;
}

static void write_head(FILE *f, const char *name, const char *type, const char *help) {
        fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_family(FILE *f, const char *name, const char *help, const uint64_t *values) {
        char operation[OPERATION_MAX];

        write_head(f, name, "counter", help);
        for (enum cri_method i = 0; i < CRI_METHODS; i++)
                if (values[i])
                        fprintf(f, "%s{operation_type=\"%s\"} %" PRIu64 "\n", name, operation_of(i, operation),
                                values[i]);
}

/* @labels: "" or "a=\"b\"". */
static void write_histogram(FILE *f, const char *name, const char *labels, const struct cri_counters *c,
                            enum cri_method method) {
        const char *comma = *labels ? "," : "", *open = *labels ? "{" : "", *close = *labels ? "}" : "";
        uint64_t sum = 0;

        for (unsigned i = 0; i < CRI_BUCKETS; i++) {
                sum += c->buckets[method][i];
                fprintf(f, "%s_bucket{%s%sle=\"%.9g\"} %" PRIu64 "\n", name, labels, comma,
                        (double)cri_bucket_end(i) * 1e-9, sum);
        }
        fprintf(f, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, c->ended[method]);
        fprintf(f, "%s_sum%s%s%s %.9g\n", name, open, labels, close, (double)c->nanoseconds[method] * 1e-9);
        fprintf(f, "%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close, c->ended[method]);
}

static void write_durations(FILE *f, const struct cri_counters *c) {
        static const char name[] = "kubelet_runtime_operations_duration_seconds";
        char operation[OPERATION_MAX], labels[OPERATION_MAX + 32];

        write_head(f, name, "histogram", "Time that CRI calls took.");
        for (enum cri_method i = 0; i < CRI_METHODS; i++) {
                if (!c->ended[i])
                        continue;
                snprintf(labels, sizeof(labels), "operation_type=\"%s\"", operation_of(i, operation));
                write_histogram(f, name, labels, c, i);
        }
}

static void write_one(FILE *f, const char *name, const char *type, const char *help, double value) {
        write_head(f, name, type, help);
        fprintf(f, "%s %.17g\n", name, value);
}

static void write_containers(FILE *f, const struct cri_counters *c) {
        static const char name[] = "kubelet_running_containers";

        write_head(f, name, "gauge", "Containers by state.");
        fprintf(f, "%s{container_state=\"created\"} %u\n", name, c->created);
        fprintf(f, "%s{container_state=\"running\"} %u\n", name, c->running);
        fprintf(f, "%s{container_state=\"exited\"} %u\n", name, c->containers - c->created - c->running);
}

/* ---- the agent's own process, by the names of Prometheus' client libraries ---- */

static unsigned count_open_files(void) {
        _cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        while (dir && readdir(dir))
                n++;
        return n > 3 ? n - 3 : 0; /* ".", ".." and the directory's own */
}

/* When the process began, in seconds since 1970; @ticks after the boot. */
static double start_time(unsigned long long ticks, long per_second) {
        struct timespec wall, boot;

        clock_gettime(CLOCK_REALTIME, &wall);
        clock_gettime(CLOCK_BOOTTIME, &boot);
        return (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) * 1e-9 +
               (double)ticks / (double)per_second;
}

static void write_process(FILE *f) {
        unsigned long user = 0, kernel = 0, size = 0;
        unsigned long long begun = 0;
        _cleanup_free_ char *text = NULL;
        struct rlimit limit = { 0 };
        long pages = 0, threads = 0, hz = sysconf(_SC_CLK_TCK);
        char *p;

        if (files_read("/proc/self/stat", PROC_MAX, &text, NULL, NULL) < 0 || !(p = strrchr(text, ')')) ||
            sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %ld %*d %llu %lu %ld",
                   &user, &kernel, &threads, &begun, &size, &pages) != 6)
                return;
        getrlimit(RLIMIT_NOFILE, &limit);
        write_one(f, "process_cpu_seconds_total", "counter", "CPU time of the agent.",
                  (double)(user + kernel) / (double)hz);
        write_one(f, "process_resident_memory_bytes", "gauge", "Resident memory of the agent.",
                  (double)pages * (double)sysconf(_SC_PAGESIZE));
        write_one(f, "process_virtual_memory_bytes", "gauge", "Address space of the agent.", (double)size);
        write_one(f, "process_start_time_seconds", "gauge", "When the agent started, since 1970.",
                  start_time(begun, hz));
        write_one(f, "process_open_fds", "gauge", "Open descriptors of the agent.", count_open_files());
        write_one(f, "process_max_fds", "gauge", "Descriptors that the agent may open.", (double)limit.rlim_cur);
        write_one(f, "process_threads", "gauge", "Threads of the agent.", (double)threads);
}

static void write_all(FILE *f, const struct cri_counters *c, unsigned pods) {
        write_head(f, "nacelle_build_info", "gauge", "The agent's version.");
        fprintf(f, "nacelle_build_info{version=\"" NACELLE_VERSION "\"} 1\n");
        write_family(f, "kubelet_runtime_operations_total", "CRI calls.", c->calls);
        write_family(f, "kubelet_runtime_operations_errors_total", "CRI calls that failed.", c->errors);
        write_durations(f, c);
        write_head(f, "nacelle_image_pull_duration_seconds", "histogram", "Time that pulls of images took.");
        write_histogram(f, "nacelle_image_pull_duration_seconds", "", c, CRI_PULL_IMAGE);
        write_one(f, "nacelle_image_pulls_total", "counter", "Images pulled.", (double)c->pulls);
        write_one(f, "nacelle_image_pull_bytes_total", "counter", "Bytes of layers pulled, compressed.",
                  (double)c->pull_bytes);
        write_one(f, "nacelle_oom_kills_total", "counter", "Processes killed for their memory.", (double)c->oom_kills);
        write_one(f, "kubelet_started_containers_total", "counter", "Containers started.", (double)c->started);
        write_one(f, "nacelle_container_restarts_total", "counter", "Containers started after an earlier attempt.",
                  (double)c->restarts);
        write_one(f, "nacelle_shims_recovered_total", "counter", "Shims replaced after their death.",
                  (double)c->shims_recovered);
        write_one(f, "nacelle_shims", "gauge", "Shims: one for each ready sandbox.", c->ready);
        write_one(f, "kubelet_running_pods", "gauge", "Pods that have a ready sandbox.", c->ready);
        write_one(f, "nacelle_directory_pods", "gauge", "Pods of the watched directory.", pods);
        write_one(f, "nacelle_sandboxes", "gauge", "Pod sandboxes, stopped ones too.", c->sandboxes);
        write_containers(f, c);
        write_process(f);
}

static void write_tracer(FILE *f, const struct tracer *tracer) {
        struct tracer_counters t;

        tracer_get_counters(tracer, &t);
        write_one(f, "nacelle_trace_spans_exported_total", "counter", "Spans that the collector took.",
                  (double)t.exported);
        write_one(f, "nacelle_trace_spans_dropped_total", "counter",
                  "Spans lost: no room for them, too old, or refused by the collector.", (double)t.dropped);
        write_one(f, "nacelle_trace_spans_waiting", "gauge", "Spans that wait to be sent.", t.waiting);
}

/* Series appear with their first event, as kubelet's do. */
static void write_evictions(FILE *f, const struct eviction_counters *c) {
        static const char name[] = "kubelet_evictions", images[] = "kubelet_image_garbage_collected_total";
        static const char *const limits[_EVICTION_LIMITS] = {
                [LIMIT_EMPTY_DIR] = "emptydirfs.limit",
                [LIMIT_POD] = "ephemeralpodfs.limit",
                [LIMIT_CONTAINER] = "ephemeralcontainerfs.limit",
        };

        write_head(f, name, "counter", "Pods evicted, by what was short or over its limit.");
        for (int i = 0; i < _EVICTION_SIGNALS; i++)
                if (c->evictions[i])
                        fprintf(f, "%s{eviction_signal=\"%s\"} %" PRIu64 "\n", name,
                                eviction_signal_name((enum eviction_signal)i), c->evictions[i]);
        for (int i = LIMIT_EMPTY_DIR; i < _EVICTION_LIMITS; i++)
                if (c->by_limit[i])
                        fprintf(f, "%s{eviction_signal=\"%s\"} %" PRIu64 "\n", name, limits[i], c->by_limit[i]);
        write_head(f, images, "counter", "Unused images deleted, by the reason.");
        if (c->images_by_age)
                fprintf(f, "%s{reason=\"age\"} %" PRIu64 "\n", images, c->images_by_age);
        if (c->images_by_space)
                fprintf(f, "%s{reason=\"space\"} %" PRIu64 "\n", images, c->images_by_space);
}

char *metrics_text(struct cri *cri, unsigned pods, const struct eviction_counters *evictions) {
        struct cri_counters c;
        size_t length = 0;
        char *text = NULL;
        FILE *f = open_memstream(&text, &length);

        if (!f)
                return NULL;
        cri_get_counters(cri, &c);
        write_all(f, &c, pods);
        if (evictions)
                write_evictions(f, evictions);
        if (cri_tracer(cri))
                write_tracer(f, cri_tracer(cri));
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}
