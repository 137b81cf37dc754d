#include "agent/config/fields.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/parts.h"
#include "agent/config/values.h"
#include "lib/cleanup.h"
#include "lib/trace/tracer.h"

enum field_kind {
        FIELD_TEXT,
        FIELD_COUNT, /* an int, not negative */
        FIELD_COUNT64,
        FIELD_BYTES, /* a quantity such as 10Mi */
        FIELD_DNS,
        FIELD_RUNTIMES,
        FIELD_NAMES, /* a list of texts without commas, joined by them */
        FIELD_ENDPOINT,
        FIELD_CRASH_BACK_OFF,
        FIELD_SERIAL_PULLS,
        FIELD_TRACING,
        FIELD_BOOL,
        FIELD_SIGNED,
        FIELD_DURATION, /* milliseconds; 0s means the default, as kubelet has it */
        FIELD_PERIOD,   /* likewise; less: never */
        FIELD_EVICTION, /* a map of texts; the offset is an enum eviction_map */
        FIELD_ENFORCE,
        FIELD_AUTHENTICATION,
        FIELD_AUTHORIZATION,
        FIELD_PAIRS, /* a map of texts as NAME=VALUE,... */
        FIELD_SHUTDOWN,
        FIELD_KNOWN, /* right as it is for this agent, whatever it says */
};

#define AT(member) offsetof(struct options, member)

static const struct config_field {
        const char *name;
        enum field_kind kind;
        size_t offset;
} fields[] = {
        { "apiVersion", FIELD_KNOWN, 0 },
        { "kind", FIELD_KNOWN, 0 },
        { "staticPodPath", FIELD_TEXT, AT(manifest_dir) },
        { "podCIDR", FIELD_TEXT, AT(pod_cidr) },
        { "podLogsDir", FIELD_TEXT, AT(pod_logs_dir) },
        { "containerRuntimeEndpoint", FIELD_ENDPOINT, AT(socket) },
        { "volumeStatsAggPeriod", FIELD_PERIOD, AT(volume_stats_ms) },
        { "cgroupRoot", FIELD_TEXT, AT(cgroup_root) },
        { "clusterDomain", FIELD_TEXT, AT(cluster_domain) },
        { "clusterDNS", FIELD_DNS, 0 },
        { "runtimes", FIELD_RUNTIMES, AT(runtimes) }, /* our own, beside kubelet's */
        { "allowedUnsafeSysctls", FIELD_NAMES, AT(unsafe_sysctls) },
        { "resolvConf", FIELD_TEXT, AT(resolv_conf) },
        { "address", FIELD_TEXT, AT(server.address) },
        { "port", FIELD_COUNT, AT(server.port) },
        { "enableServer", FIELD_BOOL, AT(server.enabled) },
        { "enableDebuggingHandlers", FIELD_BOOL, AT(server.debugs) },
        { "enableSystemLogHandler", FIELD_BOOL, AT(server.logs) },
        { "enableSystemLogQuery", FIELD_BOOL, AT(server.log_query) },
        { "tlsCertFile", FIELD_TEXT, AT(server.certificate) },
        { "tlsPrivateKeyFile", FIELD_TEXT, AT(server.key) },
        { "authentication", FIELD_AUTHENTICATION, 0 },
        { "authorization", FIELD_AUTHORIZATION, 0 },
        { "readOnlyPort", FIELD_COUNT, AT(read_only_port) },
        { "maxPods", FIELD_COUNT, AT(max_pods) },
        { "podPidsLimit", FIELD_COUNT64, AT(pod_pids_limit) },
        { "containerLogMaxSize", FIELD_BYTES, AT(log_max_size) },
        { "containerLogMaxFiles", FIELD_COUNT, AT(log_max_files) },
        { "maxParallelImagePulls", FIELD_COUNT, AT(max_parallel_pulls) },
        { "serializeImagePulls", FIELD_SERIAL_PULLS, 0 },
        { "crashLoopBackOff", FIELD_CRASH_BACK_OFF, 0 },
        { "tracing", FIELD_TRACING, 0 },
        { "evictionHard", FIELD_EVICTION, EVICTION_HARD },
        { "evictionSoft", FIELD_EVICTION, EVICTION_SOFT },
        { "evictionSoftGracePeriod", FIELD_EVICTION, EVICTION_SOFT_GRACE },
        { "evictionMinimumReclaim", FIELD_EVICTION, EVICTION_MINIMUM_RECLAIM },
        { "evictionPressureTransitionPeriod", FIELD_DURATION, AT(eviction.transition_ms) },
        { "evictionMaxPodGracePeriod", FIELD_SIGNED, AT(eviction.max_pod_grace) },
        { "mergeDefaultEvictionSettings", FIELD_BOOL, AT(eviction.merge_defaults) },
        { "localStorageCapacityIsolation", FIELD_BOOL, AT(eviction.local_storage) },
        { "imageGCHighThresholdPercent", FIELD_SIGNED, AT(eviction.image_high_percent) },
        { "imageGCLowThresholdPercent", FIELD_SIGNED, AT(eviction.image_low_percent) },
        { "imageMinimumGCAge", FIELD_DURATION, AT(eviction.image_min_age_ms) },
        { "imageMaximumGCAge", FIELD_DURATION, AT(eviction.image_max_age_ms) },
        { "systemReserved", FIELD_EVICTION, EVICTION_SYSTEM_RESERVED },
        { "kubeReserved", FIELD_EVICTION, EVICTION_KUBE_RESERVED },
        { "enforceNodeAllocatable", FIELD_ENFORCE, 0 },
        { "reservedSystemCPUs", FIELD_TEXT, AT(reserved_cpus) },
        { "cpuManagerPolicy", FIELD_TEXT, AT(cpu_policy) },
        { "cpuManagerPolicyOptions", FIELD_PAIRS, AT(cpu_options) },
        { "cpuManagerReconcilePeriod", FIELD_KNOWN, 0 },
        { "topologyManagerPolicy", FIELD_TEXT, AT(topology_policy) },
        { "memoryManagerPolicy", FIELD_TEXT, AT(memory_policy) },
        { "shutdownGracePeriod", FIELD_DURATION, AT(shutdown.grace_ms) },
        { "shutdownGracePeriodCriticalPods", FIELD_DURATION, AT(shutdown.critical_ms) },
        { "shutdownGracePeriodByPodPriority", FIELD_SHUTDOWN, 0 },
        { "rotateCertificates", FIELD_BOOL, AT(rotate_certificates) },
        { "serverTLSBootstrap", FIELD_BOOL, AT(rotate_server) },
        { "kernelMemcgNotification", FIELD_KNOWN, 0 },
        { "cgroupDriver", FIELD_KNOWN, 0 },
        { "failCgroupV1", FIELD_KNOWN, 0 },
        { "fileCheckFrequency", FIELD_KNOWN, 0 },
        { "registerNode", FIELD_KNOWN, 0 },
        { "failSwapOn", FIELD_KNOWN, 0 },
};

const struct config_field *config_field_find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(fields); i++)
                if (strcmp(fields[i].name, name) == 0)
                        return &fields[i];
        return NULL;
}

static int set_dns(const struct value *value, const char *name, struct options *o, struct err **err) {
        int r;

        if (!value_is(value, VALUE_LIST))
                return config_want(value, name, "a list", err);
        for (uint32_t i = 0; i < value_count(value) && i < OPTIONS_DNS_MAX; i++)
                if ((r = config_set_text(value_at(value, i), name, &o->cluster_dns[i], err)) < 0)
                        return r;
        return 0;
}

static int name_text(const struct value *one, const char *name, char **ret_text, struct err **err) {
        const char *text = value_string(one);

        if (!text || !*text || strchr(text, ','))
                return config_want(one, name, "a name", err);
        *ret_text = strdup(text);
        return 0;
}

/* {handler: NAME, path: PATH}, as --runtimes has it. */
static int runtime_text(const struct value *one, const char *name, char **ret_text, struct err **err) {
        const char *handler = value_string(value_get(one, "handler")), *path = value_string(value_get(one, "path"));

        if (!handler || !path || !*handler || path[0] != '/' || strpbrk(handler, "=,") || strchr(path, ','))
                return err_set(err, EINVAL, "line %u: %s: wants a handler's name and a program's absolute path",
                               one->line, name);
        if (asprintf(ret_text, "%s=%s", handler, path) < 0)
                *ret_text = NULL;
        return 0;
}

/* A list as one text with commas, as the flag has it; @item makes an item's text, NULL without memory. */
static int set_joined(const struct value *value, const char *name, char **field,
                      int (*item)(const struct value *one, const char *name, char **ret_text, struct err **err),
                      struct err **err) {
        _cleanup_free_ char *all = strdup("");

        if (!value_is(value, VALUE_LIST))
                return config_want(value, name, "a list", err);
        for (uint32_t i = 0; all && i < value_count(value); i++) {
                _cleanup_free_ char *text = NULL;
                int r = item(value_at(value, i), name, &text, err);

                if (r < 0)
                        return r;
                if (!text)
                        return err_set(err, ENOMEM, "out of memory");
                all = config_append(all, NULL, text);
        }
        return config_take(TAKE_PTR(all), field, err);
}

/* crashLoopBackOff.maxContainerRestartPeriod: a duration of whole seconds or minutes, 1s to 300s. */
static int set_crash_back_off(const struct value *value, struct options *o, struct err **err) {
        const struct value *period = value_get(value, "maxContainerRestartPeriod");
        const char *text = value_string(period);
        char *end = NULL;

        if (!period)
                return 0;
        long number = text ? strtol(text, &end, 10) : 0;
        if (text && strcmp(end, "m") == 0)
                number *= 60;
        else if (!text || strcmp(end, "s") != 0)
                number = 0;
        if (number < 1 || number > 300)
                return err_set(err, EINVAL, "line %u: crashLoopBackOff.maxContainerRestartPeriod: wants 1s to 300s",
                               period->line);
        o->crash_back_off_max = number;
        return 0;
}

/* {endpoint: HOST:PORT, samplingRatePerMillion: N}: kubelet's TracingConfiguration. Being there turns it on. */
static int set_tracing(const struct value *value, struct options *o, struct err **err) {
        const struct value *endpoint = value_get(value, "endpoint"), *rate = value_get(value, "samplingRatePerMillion");
        int64_t per_million = 0;
        int r;

        if (!value_is(value, VALUE_MAP))
                return config_want(value, "tracing", "a map", err);
        for (uint32_t i = 0; i < value->count; i++)
                if (&value->members[i].value != endpoint && &value->members[i].value != rate)
                        return err_set(err, EINVAL, "line %u: tracing.%s: unknown field", value->members[i].line,
                                       value->members[i].key);
        if (rate && !value_is_null(rate) && !value_integer(rate, &per_million))
                return config_want(rate, "tracing.samplingRatePerMillion", "a number", err);
        if (per_million < 0 || per_million > TRACER_PER_MILLION_MAX)
                return err_set(err, EINVAL, "line %u: tracing.samplingRatePerMillion: %lld is not within 0 to %d",
                               rate->line, (long long)per_million, TRACER_PER_MILLION_MAX);
        free(o->trace_endpoint);
        if (!(o->trace_endpoint = strdup(TRACER_DEFAULT_ENDPOINT)))
                return err_set(err, ENOMEM, "out of memory");
        if (endpoint && !value_is_null(endpoint) &&
            (r = config_set_text(endpoint, "tracing.endpoint", &o->trace_endpoint, err)) < 0)
                return r;
        if ((r = tracer_check_endpoint(o->trace_endpoint, err)) < 0)
                return err_wrap(err, r, "line %u: tracing.endpoint", endpoint ? endpoint->line : value->line);
        o->trace_per_million = (int)per_million;
        return 0;
}

static int set_eviction(const struct value *value, const char *name, enum eviction_map map, struct options *o,
                        struct err **err) {
        if (!value_is(value, VALUE_MAP))
                return config_want(value, name, "a map", err);
        eviction_settings_clear(&o->eviction, map);
        for (uint32_t i = 0; i < value->count; i++) {
                const struct value_member *member = &value->members[i];
                const char *text = value_string(&member->value);
                int r;

                if (!text)
                        return config_want(&member->value, name, "a string for each key", err);
                if ((r = eviction_settings_put(&o->eviction, map, member->key, text, err)) < 0)
                        return err_wrap(err, r, "line %u: %s", member->line, name);
        }
        return 0;
}

/* enforceNodeAllocatable: whether "pods" is among them; other levels are cgroups that somebody else makes. */
static int set_enforce(const struct value *value, const char *name, struct options *o, struct err **err) {
        if (!value_is(value, VALUE_LIST))
                return config_want(value, name, "a list", err);
        o->eviction.enforce = value_has_text(value, "pods");
        return 0;
}

int config_field_set(const struct config_field *field, const struct value *value, struct options *o, struct err **err) {
        void *at = (char *)o + field->offset;
        int64_t number;
        int r = 0;

        switch (field->kind) {
        case FIELD_TEXT:
                return config_set_text(value, field->name, at, err);
        case FIELD_COUNT:
                if ((r = config_get_count(value, field->name, INT_MAX, &number, err)) == 0)
                        *(int *)at = (int)(number < 0 ? 0 : number);
                return r;
        case FIELD_COUNT64:
                return config_get_count(value, field->name, INT64_MAX, at, err);
        case FIELD_BYTES:
                return config_set_bytes(value, field->name, at, err);
        case FIELD_DNS:
                return set_dns(value, field->name, o, err);
        case FIELD_RUNTIMES:
                return set_joined(value, field->name, at, runtime_text, err);
        case FIELD_NAMES:
                return set_joined(value, field->name, at, name_text, err);
        case FIELD_ENDPOINT:
                if (!value_string(value))
                        return config_want(value, field->name, "a string", err);
                return options_set_endpoint(at, field->name, value_string(value), err);
        case FIELD_CRASH_BACK_OFF:
                return set_crash_back_off(value, o, err);
        case FIELD_SERIAL_PULLS:
                if (value_bool_or(value, false))
                        o->max_parallel_pulls = 1;
                return 0;
        case FIELD_TRACING:
                return set_tracing(value, o, err);
        case FIELD_PAIRS:
                return config_set_pairs(value, field->name, at, err);
        case FIELD_BOOL:
                return config_set_bool(value, field->name, at, err);
        case FIELD_SIGNED:
                return config_set_signed(value, field->name, at, err);
        case FIELD_DURATION:
                return config_set_duration(value, field->name, at, err);
        case FIELD_PERIOD:
                return config_set_period(value, field->name, at, err);
        case FIELD_EVICTION:
                return set_eviction(value, field->name, (enum eviction_map)field->offset, o, err);
        case FIELD_ENFORCE:
                return set_enforce(value, field->name, o, err);
        case FIELD_AUTHENTICATION:
                return config_set_authentication(value, o, err);
        case FIELD_AUTHORIZATION:
                return config_set_authorization(value, o, err);
        case FIELD_SHUTDOWN:
                return config_set_shutdown(value, o, err);
        case FIELD_KNOWN:
                return 0;
        }
        return 0;
}
