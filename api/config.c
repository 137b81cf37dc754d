#include "api/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/admission/admission.h"
#include "api/compaction.h"
#include "api/controllers/controllers.h"
#include "api/proxy/proxy.h"
#include "api/server/flow.h"
#include "api/services/cluster_ip.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/duration.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/nearest.h"
#include "lib/value.h"
#include "lib/yaml.h"

enum flag_kind { FLAG_TEXT, FLAG_NUMBER, FLAG_LEVEL, FLAG_VERBOSITY, FLAG_BOOL, FLAG_DURATION, FLAG_CHANCE, FLAG_RATE };

#define IN_FLIGHT_MAX 1000000
#define CONFIG_MAX ((size_t)1 << 20)
#define GOAWAY_MAX 0.02 /* kube-apiserver's */
#define RATE_MAX 1e6
#define SERVICES_MIN 6 /* that a range has room for: kube-apiserver asks for 8 addresses, of which IPv4 gives 6 */
#define NS_OF_SECOND INT64_C(1000000000)

#define AT(member) offsetof(struct api_config, member)

static const struct flag {
        const char *name;
        enum flag_kind kind;
        size_t at;
        unsigned max;
        bool command_line; /* not of the file */
} flags[] = {
        { "config", FLAG_TEXT, AT(config_file), 0, true },
        { "data-dir", FLAG_TEXT, AT(data_dir), 0, false },
        { "bind-address", FLAG_TEXT, AT(bind_address), 0, false },
        { "secure-port", FLAG_NUMBER, AT(port), 65535, false },
        { "service-cluster-ip-range", FLAG_TEXT, AT(service_range), 0, false },
        { "service-node-port-range", FLAG_TEXT, AT(node_ports), 0, false },
        { "advertise-address", FLAG_TEXT, AT(advertised), 0, false },
        { "controllers", FLAG_TEXT, AT(controllers), 0, false },
        { "scheduler", FLAG_BOOL, AT(scheduler), 0, false },
        { "enable-admission-plugins", FLAG_TEXT, AT(enable_admission), 0, false },
        { "disable-admission-plugins", FLAG_TEXT, AT(disable_admission), 0, false },
        { "default-not-ready-toleration-seconds", FLAG_NUMBER, AT(not_ready_s), INT32_MAX, false },
        { "default-unreachable-toleration-seconds", FLAG_NUMBER, AT(unreachable_s), INT32_MAX, false },
        { "etcd-compaction-interval", FLAG_DURATION, AT(compaction_ns), 0, false },
        { "event-ttl", FLAG_TEXT, AT(event_ttl), 0, false },
        { "service-account-extend-token-expiration", FLAG_BOOL, AT(extend_tokens), 0, false },
        { "legacy-service-account-token-clean-up-period", FLAG_DURATION, AT(unused_tokens_ns), 0, false },
        { "allocate-node-cidrs", FLAG_BOOL, AT(nodes.allocate), 0, false },
        { "cluster-cidr", FLAG_TEXT, AT(nodes.cluster), 0, false },
        { "node-cidr-mask-size", FLAG_NUMBER, AT(nodes.prefix), 128, false },
        { "node-cidr-mask-size-ipv4", FLAG_NUMBER, AT(nodes.prefix_four), 32, false },
        { "node-cidr-mask-size-ipv6", FLAG_NUMBER, AT(nodes.prefix_six), 128, false },
        { "node-monitor-grace-period", FLAG_DURATION, AT(nodes.grace_ns), 0, false },
        { "node-startup-grace-period", FLAG_DURATION, AT(nodes.startup_ns), 0, false },
        { "node-eviction-rate", FLAG_RATE, AT(nodes.rate), 0, false },
        { "secondary-node-eviction-rate", FLAG_RATE, AT(nodes.slow_rate), 0, false },
        { "large-cluster-size-threshold", FLAG_NUMBER, AT(nodes.large), INT32_MAX, false },
        { "unhealthy-zone-threshold", FLAG_RATE, AT(nodes.unhealthy), 0, false },
        { "terminated-pod-gc-threshold", FLAG_NUMBER, AT(nodes.terminated_max), INT32_MAX, false },
        { "tls-cert-file", FLAG_TEXT, AT(certificate), 0, false },
        { "tls-private-key-file", FLAG_TEXT, AT(key), 0, false },
        { "cert-extra-sans", FLAG_TEXT, AT(extra_names), 0, false },
        { "client-ca-file", FLAG_TEXT, AT(client_ca), 0, false },
        { "kubelet-certificate-authority", FLAG_TEXT, AT(kubelet_ca), 0, false },
        { "kubelet-client-certificate", FLAG_TEXT, AT(kubelet_certificate), 0, false },
        { "kubelet-client-key", FLAG_TEXT, AT(kubelet_key), 0, false },
        { "kubelet-preferred-address-types", FLAG_TEXT, AT(kubelet_types), 0, false },
        { "kubelet-timeout", FLAG_DURATION, AT(kubelet_timeout_ns), 0, false },
        { "loops", FLAG_NUMBER, AT(loops), 64, false },
        { "max-requests-inflight", FLAG_NUMBER, AT(reads_max), IN_FLIGHT_MAX, false },
        { "max-mutating-requests-inflight", FLAG_NUMBER, AT(writes_max), IN_FLIGHT_MAX, false },
        { "request-timeout", FLAG_DURATION, AT(request_timeout_ns), 0, false },
        { "shutdown-delay-duration", FLAG_DURATION, AT(shutdown_delay_ns), 0, false },
        { "audit-policy-file", FLAG_TEXT, AT(audit_policy), 0, false },
        { "audit-log-path", FLAG_TEXT, AT(audit_log), 0, false },
        { "audit-log-maxsize", FLAG_NUMBER, AT(audit_max_mib), IN_FLIGHT_MAX, false },
        { "audit-log-maxbackup", FLAG_NUMBER, AT(audit_max_files), IN_FLIGHT_MAX, false },
        { "audit-log-maxage", FLAG_NUMBER, AT(audit_max_days), IN_FLIGHT_MAX, false },
        { "goaway-chance", FLAG_CHANCE, AT(goaway_chance), 0, false },
        { "log-level", FLAG_LEVEL, AT(log_level), 0, false },
        { "v", FLAG_VERBOSITY, AT(log_level), INT32_MAX, false },
        { "version", FLAG_BOOL, AT(show_version), 0, true },
        { "help", FLAG_BOOL, AT(show_help), 0, true },
};

/* The range that @text begins with. */
static int read_range(const char *text, struct cluster_range *ret_range, struct err **err) {
        size_t n = strcspn(text, ",");
        char one[CLUSTER_RANGE_TEXT_MAX];

        if (n >= sizeof(one))
                return err_set(err, EINVAL, "--service-cluster-ip-range %s: give a range such as 10.96.0.0/16", text);
        memcpy(one, text, n);
        one[n] = '\0';
        if (cluster_range_parse(one, ret_range, err) < 0)
                return err_wrap(err, -EINVAL, "--service-cluster-ip-range");
        if (ret_range->last < ret_range->first || ret_range->last - ret_range->first < SERVICES_MIN - 1)
                return err_set(err, EINVAL,
                               "--service-cluster-ip-range %s is too small: give one of 8 addresses or more", one);
        return 0;
}

static int check_ranges(const char *text, struct err **err) {
        const char *comma = strchr(text, ',');
        struct cluster_range range;
        int r = read_range(text, &range, err);

        return r == 0 && comma ? read_range(comma + 1, &range, err) : r;
}

int api_config_service(const struct api_config *config, char *ret_text, size_t size, struct err **err) {
        char first[CLUSTER_IP_TEXT_MAX];
        struct cluster_range range;
        int r = read_range(config->service_range, &range, err);

        if (r < 0)
                return r;
        cluster_ip_format(&(struct cluster_ip){ range.six, range.high, range.first }, first);
        snprintf(ret_text, size, "%s", first);
        return 0;
}

static int set_number(const struct flag *f, unsigned *at, const char *text, struct err **err) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);

        if (!*text || *end || *text == '-' || number > f->max)
                return err_set(err, EINVAL, "--%s %s: give a number from 0 to %u", f->name, text, f->max);
        if (f->kind == FLAG_VERBOSITY)
                *at = number >= 4 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
        else
                *at = (unsigned)number;
        return 0;
}

static int set_duration(const struct flag *f, int64_t *at, const char *text, struct err **err) {
        int64_t ns;

        if (duration_parse(text, &ns) < 0 || ns < 0)
                return err_set(err, EINVAL, "--%s %s: give a time such as 30s or 1m30s", f->name, text);
        *at = ns;
        return 0;
}

static int set_chance(const struct flag *f, double *at, const char *text, struct err **err) {
        char *end;
        double chance = strtod(text, &end);

        if (!*text || *end || !(chance >= 0 && chance <= GOAWAY_MAX))
                return err_set(err, EINVAL, "--%s %s: give a chance from 0 to %g", f->name, text, GOAWAY_MAX);
        *at = chance;
        return 0;
}

static int set_rate(const struct flag *f, double *at, const char *text, struct err **err) {
        char *end;
        double rate = strtod(text, &end);

        if (!*text || *end || !(rate >= 0 && rate <= RATE_MAX))
                return err_set(err, EINVAL, "--%s %s: give a number from 0 to %g", f->name, text, RATE_MAX);
        *at = rate;
        return 0;
}

static int set_bool(const struct flag *f, bool *at, const char *text, struct err **err) {
        bool yes = strcmp(text, "true") == 0;

        if (!yes && strcmp(text, "false") != 0)
                return err_set(err, EINVAL, "--%s=%s: give true or false", f->name, text);
        *at = yes;
        return 0;
}

static int set(const struct flag *f, struct api_config *config, const char *text, struct err **err) {
        void *at = (char *)config + f->at;

        switch (f->kind) {
        case FLAG_TEXT:
                *(const char **)at = text;
                return 0;
        case FLAG_LEVEL:
                return log_level_parse(text, at) ?
                               0 :
                               err_set(err, EINVAL, "--log-level %s: give error, warning, info or debug", text);
        case FLAG_DURATION:
                return set_duration(f, at, text, err);
        case FLAG_CHANCE:
                return set_chance(f, at, text, err);
        case FLAG_RATE:
                return set_rate(f, at, text, err);
        case FLAG_BOOL:
                return set_bool(f, at, text, err);
        default:
                return set_number(f, at, text, err);
        }
}

static const struct flag *find(const char *name, size_t length) {
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                if (strlen(flags[i].name) == length && memcmp(flags[i].name, name, length) == 0)
                        return &flags[i];
        return NULL;
}

static int unknown(const char *argument, struct err **err) {
        struct nearest nearest = nearest_to(argument + strspn(argument, "-"));

        for (size_t i = 0; i < ELEMENTS(flags); i++)
                nearest_try(&nearest, flags[i].name);
        if (nearest.name)
                return err_set(err, EINVAL, "%s: no such flag; did you mean --%s?", argument, nearest.name);
        return err_set(err, EINVAL, "%s: no such flag; --help lists them", argument);
}

/* --- what holds --- */

static const char *text_of_flag(struct arena *arena, const struct flag *f, const struct api_config *config) {
        static const char *const levels[] = { "error", "warning", "info", "debug" };
        const void *at = (const char *)config + f->at;
        char duration[DURATION_TEXT_MAX];

        switch (f->kind) {
        case FLAG_TEXT:
                return *(const char *const *)at ?: "";
        case FLAG_LEVEL:
                return levels[*(const enum log_level *)at];
        case FLAG_VERBOSITY:
                return *(const enum log_level *)at == LOG_LEVEL_DEBUG ? "4" : "0";
        case FLAG_BOOL:
                return *(const bool *)at ? "true" : "false";
        case FLAG_DURATION:
                return arena_strdup(arena, duration_format(*(const int64_t *)at, duration));
        case FLAG_CHANCE:
        case FLAG_RATE:
                return arena_printf(arena, "%g", *(const double *)at);
        default:
                return arena_printf(arena, "%u", *(const unsigned *)at);
        }
}

int api_config_flags(const struct api_config *config, struct arena *arena, string_map *ret_flags) {
        string_map all = { .items = arena_alloc_array(arena, ELEMENTS(flags), sizeof(*all.items)) };

        for (size_t i = 0; all.items && i < ELEMENTS(flags); i++) {
                const char *text = text_of_flag(arena, &flags[i], config);

                if (!text)
                        return -ENOMEM;
                all.items[all.count++] = (struct string_pair){ flags[i].name, text };
        }
        if (!all.items)
                return -ENOMEM;
        qsort(all.items, all.count, sizeof(*all.items), kube_pair_order);
        *ret_flags = all;
        return 0;
}

/* --- the file: a map of flags' names to their values --- */

static const char *text_of(struct arena *arena, const struct value *value) {
        switch (value->kind) {
        case VALUE_STRING:
        case VALUE_NUMBER:
                return arena_strdup(arena, value->text);
        case VALUE_INT:
                return arena_printf(arena, "%lld", (long long)value->integer);
        case VALUE_BOOL:
                return value->boolean ? "true" : "false";
        default:
                return NULL;
        }
}

static int set_member(const char *path, struct api_config *config, const struct value_member *member,
                      struct err **err) {
        const struct flag *f = find(member->key, strlen(member->key));
        const char *text = f ? text_of(config->from_file, &member->value) : NULL;
        struct nearest nearest = nearest_to(member->key);

        for (size_t i = 0; !f && i < ELEMENTS(flags); i++)
                nearest_try(&nearest, flags[i].name);
        if (!f && nearest.name)
                return err_set(err, EINVAL, "%s:%u: %s: unknown field; did you mean %s?", path, member->line,
                               member->key, nearest.name);
        if (!f || f->command_line)
                return err_set(err, EINVAL, "%s:%u: %s: unknown field; fields are called as flags are, see --help",
                               path, member->line, member->key);
        if (!text)
                return err_set(err, EINVAL, "%s:%u: %s: give a text, a number or a boolean, not %s", path, member->line,
                               member->key, value_kind_name(&member->value));
        return set(f, config, text, err) < 0 ? err_wrap(err, -EINVAL, "%s:%u", path, member->line) : 0;
}

static int read_file(const char *path, struct api_config *config, struct err **err) {
        const struct value_options options = { .name = path };
        _cleanup_free_ char *text = NULL;
        const struct value *tree;
        size_t length;
        int r;

        config->from_file = arena_new();
        if (!config->from_file)
                return err_set(err, ENOMEM, "no memory for the configuration");
        r = files_read(path, CONFIG_MAX, &text, &length, err);
        r = r < 0 ? r : yaml_parse(config->from_file, text, length, &options, &tree, err);
        if (r == -ENODATA)
                return 0;
        if (r < 0)
                return r;
        if (!value_is(tree, VALUE_MAP) && !value_is_null(tree))
                return err_set(err, EINVAL, "%s: it is %s; give a map of flags' names to their values", path,
                               value_kind_name(tree));
        for (uint32_t i = 0; r == 0 && i < value_count(tree); i++)
                r = set_member(path, config, &tree->members[i], err);
        return r;
}

void api_config_deinit(struct api_config *config) {
        config->from_file = arena_free(config->from_file);
}

static int check(struct api_config *c, struct err **err) {
        struct cluster_ip address;
        int64_t ns;

        if (c->command != API_SERVE && !c->file)
                return err_set(err, EINVAL, "give the file of the backup");
        if (duration_parse(c->event_ttl, &ns) < 0 || ns < 0)
                return err_set(err, EINVAL, "--event-ttl %s: give a duration such as 1h0m0s", c->event_ttl);
        c->event_ttl_s = ns / NS_OF_SECOND;
        if (c->compaction_ns != 0 && c->compaction_ns < NS_OF_SECOND)
                return err_set(err, EINVAL, "--etcd-compaction-interval: give at least 1s, or 0 for never");
        if (c->unused_tokens_ns < NS_OF_SECOND)
                return err_set(err, EINVAL, "--legacy-service-account-token-clean-up-period: give at least 1s");
        if (c->advertised && !cluster_ip_parse(c->advertised, &address))
                return err_set(err, EINVAL, "--advertise-address %s: give an IP address", c->advertised);
        if (controllers_check(c->controllers, err) < 0)
                return -EINVAL;
        if (node_config_read(&c->nodes, c->service_range, err) < 0 || check_ranges(c->service_range, err) < 0)
                return -EINVAL;
        if (!c->certificate != !c->key)
                return err_set(err, EINVAL, "--tls-cert-file and --tls-private-key-file belong together: give both");
        if (!c->kubelet_certificate != !c->kubelet_key)
                return err_set(err, EINVAL,
                               "--kubelet-client-certificate and --kubelet-client-key belong together: give both");
        if (proxy_check_types(c->kubelet_types, err) < 0)
                return -EINVAL;
        if (c->kubelet_timeout_ns == 0)
                return err_set(err, EINVAL,
                               "--kubelet-timeout 0s: no kubelet could be reached; give a time such as 5s");
        if (!c->audit_log != !c->audit_policy)
                return err_set(err, EINVAL, "--audit-policy-file and --audit-log-path belong together: give both");
        if (c->request_timeout_ns == 0)
                return err_set(err, EINVAL,
                               "--request-timeout 0s: nothing could be answered; give a time such as 1m0s");
        return 0;
}

/* --- the command line --- */

/* A flag of it, and its value: in the same argument, or the next one. */
struct argument {
        const struct flag *flag; /* NULL: it is none */
        const char *text;
        int next; /* the argument behind it */
};

static int read_argument(int argc, char **argv, int i, struct argument *ret, struct err **err) {
        const char *name = argv[i] + strspn(argv[i], "-"), *equals = strchr(name, '=');

        *ret = (struct argument){ .text = argv[i], .next = i + 1 };
        if (name == argv[i])
                return 0;
        ret->flag = find(name, equals ? (size_t)(equals - name) : strlen(name));
        if (!ret->flag)
                return unknown(argv[i], err);
        ret->text = equals ? equals + 1 : ret->flag->kind == FLAG_BOOL ? "true" : NULL;
        if (!ret->text && i + 1 == argc)
                return err_set(err, EINVAL, "--%s needs a value behind it", ret->flag->name);
        if (!ret->text)
                ret->text = argv[ret->next++];
        return 0;
}

/* "backup FILE", "restore FILE". */
static int take_word(struct api_config *c, const char *word, struct err **err) {
        if (c->command != API_SERVE && !c->file) {
                c->file = word;
                return 0;
        }
        if (c->command != API_SERVE)
                return err_set(err, EINVAL, "%s: one file is enough", word);
        if (strcmp(word, "backup") == 0)
                c->command = API_BACKUP;
        else if (strcmp(word, "restore") == 0)
                c->command = API_RESTORE;
        else
                return err_set(err, EINVAL, "%s: no such command; there are backup and restore", word);
        return 0;
}

static int read_all(int argc, char **argv, struct api_config *c, struct err **err) {
        struct argument a;
        int r;

        for (int i = 1; i < argc; i = a.next)
                if ((r = read_argument(argc, argv, i, &a, err)) < 0 ||
                    (r = a.flag ? set(a.flag, c, a.text, err) : take_word(c, a.text, err)) < 0)
                        return r;
        return 0;
}

/* The file first, so that flags outrank it wherever they stand. */
int api_config_parse(int argc, char **argv, struct api_config *ret_config, struct err **err) {
        const struct api_config defaults = { .data_dir = "/var/lib/nacelle-api",
                                             .bind_address = "0.0.0.0",
                                             .service_range = "10.96.0.0/16",
                                             .node_ports = "30000-32767",
                                             .compaction_ns = API_COMPACTION_S * NS_OF_SECOND,
                                             .event_ttl = "1h0m0s",
                                             .extend_tokens = true,
                                             .unused_tokens_ns = 8760 * 3600 * NS_OF_SECOND,
                                             .scheduler = true,
                                             .nodes = NODE_CONFIG_INIT,
                                             .kubelet_types = PROXY_ADDRESS_TYPES,
                                             .kubelet_timeout_ns = 5 * NS_OF_SECOND,
                                             .port = API_PORT,
                                             .reads_max = API_READS_MAX,
                                             .writes_max = API_WRITES_MAX,
                                             .audit_max_mib = 100,
                                             .not_ready_s = ADMISSION_TOLERATION_S,
                                             .unreachable_s = ADMISSION_TOLERATION_S,
                                             .request_timeout_ns = API_TIMEOUT_MS * INT64_C(1000000),
                                             .log_level = LOG_LEVEL_INFO };
        struct api_config flags_alone = defaults;
        int r = read_all(argc, argv, &flags_alone, err);

        *ret_config = defaults;
        if (r < 0 || (flags_alone.config_file && (r = read_file(flags_alone.config_file, ret_config, err)) < 0) ||
            (r = read_all(argc, argv, ret_config, err)) < 0)
                return r;
        return check(ret_config, err);
}
