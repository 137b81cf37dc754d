/* /configz: the KubeletConfiguration that the agent goes by, of the fields that mean something to it. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/kubelet/internal.h"
#include "kube/quantity.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

enum kind { TEXT, COUNT, COUNT_IF, COUNT64, BOOL, DURATION, BYTES, SOCKET };

#define AT(member) offsetof(struct options, member)

/* In kubelet's order; those that are maps of maps, and eviction's, are below. */
static const struct row {
        const char *name;
        enum kind kind;
        size_t offset;
} rows[] = {
        { "enableServer", BOOL, AT(server.enabled) },
        { "staticPodPath", TEXT, AT(manifest_dir) },
        { "podLogsDir", TEXT, AT(pod_logs_dir) },
        { "address", TEXT, AT(server.address) },
        { "port", COUNT, AT(server.port) },
        { "readOnlyPort", COUNT_IF, AT(read_only_port) },
        { "tlsCertFile", TEXT, AT(server.certificate) },
        { "tlsPrivateKeyFile", TEXT, AT(server.key) },
        { "enableDebuggingHandlers", BOOL, AT(server.debugs) },
        { "clusterDomain", TEXT, AT(cluster_domain) },
        { "imageMinimumGCAge", DURATION, AT(eviction.image_min_age_ms) },
        { "imageMaximumGCAge", DURATION, AT(eviction.image_max_age_ms) },
        { "imageGCHighThresholdPercent", COUNT, AT(eviction.image_high_percent) },
        { "imageGCLowThresholdPercent", COUNT, AT(eviction.image_low_percent) },
        { "volumeStatsAggPeriod", DURATION, AT(volume_stats_ms) },
        { "cgroupRoot", TEXT, AT(cgroup_root) },
        { "cpuManagerPolicy", TEXT, AT(cpu_policy) },
        { "memoryManagerPolicy", TEXT, AT(memory_policy) },
        { "topologyManagerPolicy", TEXT, AT(topology_policy) },
        { "maxPods", COUNT, AT(max_pods) },
        { "podCIDR", TEXT, AT(pod_cidr) },
        { "podPidsLimit", COUNT64, AT(pod_pids_limit) },
        { "resolvConf", TEXT, AT(resolv_conf) },
        { "maxParallelImagePulls", COUNT, AT(max_parallel_pulls) },
        { "evictionPressureTransitionPeriod", DURATION, AT(eviction.transition_ms) },
        { "evictionMaxPodGracePeriod", COUNT_IF, AT(eviction.max_pod_grace) },
        { "mergeDefaultEvictionSettings", BOOL, AT(eviction.merge_defaults) },
        { "localStorageCapacityIsolation", BOOL, AT(eviction.local_storage) },
        { "containerLogMaxSize", BYTES, AT(log_max_size) },
        { "containerLogMaxFiles", COUNT, AT(log_max_files) },
        { "reservedSystemCPUs", TEXT, AT(reserved_cpus) },
        { "enableSystemLogHandler", BOOL, AT(server.logs) },
        { "enableSystemLogQuery", BOOL, AT(server.log_query) },
        { "shutdownGracePeriod", DURATION, AT(shutdown.grace_ms) },
        { "shutdownGracePeriodCriticalPods", DURATION, AT(shutdown.critical_ms) },
        { "containerRuntimeEndpoint", SOCKET, AT(socket) },
};

/* As Go writes a time.Duration. */
static void add_duration(struct json_writer *w, const char *key, int64_t ms) {
        const char *sign = ms < 0 ? "-" : "";
        int64_t hours = llabs(ms) / 3600000, minutes = llabs(ms) / 60000 % 60;
        double seconds = (double)(llabs(ms) % 60000) / 1000;
        char text[64];

        if (hours > 0)
                snprintf(text, sizeof(text), "%s%" PRId64 "h%" PRId64 "m%gs", sign, hours, minutes, seconds);
        else if (minutes > 0)
                snprintf(text, sizeof(text), "%s%" PRId64 "m%gs", sign, minutes, seconds);
        else
                snprintf(text, sizeof(text), "%s%gs", sign, seconds);
        json_add_string(w, key, text);
}

static void add_bytes(struct json_writer *w, const char *key, int64_t bytes) {
        char text[64];

        if (bytes % (1 << 20) == 0)
                snprintf(text, sizeof(text), "%" PRId64 "Mi", bytes >> 20);
        else
                snprintf(text, sizeof(text), "%" PRId64, bytes);
        json_add_string(w, key, text);
}

static void add_socket(struct json_writer *w, const char *key, const char *path) {
        char text[512];

        snprintf(text, sizeof(text), "unix://%s", path);
        json_add_string(w, key, text);
}

static void add_row(struct json_writer *w, const struct row *row, const struct options *o) {
        const void *at = (const char *)o + row->offset;

        switch (row->kind) {
        case TEXT:
                return json_add_string_if(w, row->name, *(char *const *)at);
        case COUNT:
                return json_add_int(w, row->name, *(const int *)at);
        case COUNT_IF:
                return *(const int *)at ? json_add_int(w, row->name, *(const int *)at) : (void)0;
        case COUNT64:
                return json_add_int(w, row->name, *(const int64_t *)at);
        case BOOL:
                return json_add_bool(w, row->name, *(const bool *)at);
        case DURATION:
                return add_duration(w, row->name, *(const int64_t *)at);
        case BYTES:
                return add_bytes(w, row->name, *(const int64_t *)at);
        case SOCKET:
                return add_socket(w, row->name, *(char *const *)at);
        }
}

static void begin(struct json_writer *w, const char *key) {
        json_key(w, key);
        json_begin_map(w);
}

static void add_authentication(struct json_writer *w, const struct options_server *s) {
        begin(w, "authentication");
        begin(w, "x509");
        json_add_string_if(w, "clientCAFile", s->client_ca);
        json_end_map(w);
        begin(w, "webhook");
        json_add_bool(w, "enabled", s->tokens);
        add_duration(w, "cacheTTL", s->token_ms);
        json_end_map(w);
        begin(w, "anonymous");
        json_add_bool(w, "enabled", s->anonymous);
        json_end_map(w);
        json_end_map(w);
        begin(w, "authorization");
        json_add_string(w, "mode", s->mode);
        begin(w, "webhook");
        add_duration(w, "cacheAuthorizedTTL", s->allowed_ms);
        add_duration(w, "cacheUnauthorizedTTL", s->denied_ms);
        json_end_map(w);
        json_end_map(w);
}

static bool has_amounts(const struct eviction_amount *amounts) {
        for (int i = 0; i < _EVICTION_SIGNALS; i++)
                if (amounts[i].kind != AMOUNT_NONE)
                        return true;
        return false;
}

static void add_amounts(struct json_writer *w, const char *key, const struct eviction_amount *amounts) {
        if (!has_amounts(amounts))
                return;
        begin(w, key);
        for (int i = 0; i < _EVICTION_SIGNALS; i++) {
                const struct eviction_amount *a = &amounts[i];
                char text[QUANTITY_TEXT_MAX];

                if (a->kind == AMOUNT_NONE)
                        continue;
                if (a->kind == AMOUNT_SHARE)
                        snprintf(text, sizeof(text), "%g%%", (double)a->share * 100);
                else
                        quantity_format(a->quantity, text);
                json_add_string(w, eviction_signal_name((enum eviction_signal)i), text);
        }
        json_end_map(w);
}

static void add_dns(struct json_writer *w, const struct options *o) {
        if (!o->cluster_dns[0])
                return;
        json_key(w, "clusterDNS");
        json_begin_list(w);
        for (int i = 0; i < OPTIONS_DNS_MAX && o->cluster_dns[i]; i++)
                json_string(w, o->cluster_dns[i]);
        json_end_list(w);
}

void kubelet_serve_config(struct kubelet_request *q) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        const struct options *o = q->kubelet->world.options;

        json_begin_map(&w);
        begin(&w, "kubeletconfig");
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                add_row(&w, &rows[i], o);
        add_authentication(&w, &o->server);
        add_dns(&w, o);
        add_amounts(&w, "evictionHard", o->eviction.hard);
        add_amounts(&w, "evictionSoft", o->eviction.soft);
        json_end_map(&w);
        json_end_map(&w);
        kubelet_answer_json(q, &w);
}
