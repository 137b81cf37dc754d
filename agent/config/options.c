#include "agent/config/options.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "agent/config/settle.h"
#include "lib/cleanup.h"
#include "lib/duration.h"
#include "lib/nearest.h"

enum flag_kind {
        FLAG_TEXT,
        FLAG_PATH,
        FLAG_BOOL,
        FLAG_NUMBER,
        FLAG_SIGNED,
        FLAG_DURATION, /* milliseconds */
        FLAG_PERIOD,   /* likewise; 0 and less: never */
        FLAG_LEVEL,
        FLAG_VERBOSITY,
        FLAG_ENDPOINT,
        FLAG_EVICTION, /* its offset is an enum eviction_map */
};

#define AT(member) offsetof(struct options, member)

/* Every flag; a row's help is what --help prints. */
static const struct flag {
        const char *name;
        enum flag_kind kind;
        size_t offset;
} flags[] = {
        { "config", FLAG_PATH, AT(config) },
        { "kubeconfig", FLAG_PATH, AT(kubeconfig) },
        { "bootstrap-kubeconfig", FLAG_PATH, AT(bootstrap_kubeconfig) },
        { "cert-dir", FLAG_PATH, AT(cert_dir) },
        { "rotate-certificates", FLAG_BOOL, AT(rotate_certificates) },
        { "rotate-server-certificates", FLAG_BOOL, AT(rotate_server) },
        { "root-dir", FLAG_PATH, AT(root_dir) },
        { "run-dir", FLAG_PATH, AT(run_dir) },
        { "libexec-dir", FLAG_PATH, AT(libexec_dir) },
        { "kubelet-dir", FLAG_PATH, AT(kubelet_dir) },
        { "pod-manifest-path", FLAG_PATH, AT(manifest_dir) },
        { "pod-logs-dir", FLAG_PATH, AT(pod_logs_dir) },
        { "container-runtime-endpoint", FLAG_ENDPOINT, AT(socket) },
        { "node-ip", FLAG_TEXT, AT(node_ip) },
        { "pod-cidr", FLAG_TEXT, AT(pod_cidr) },
        { "bridge", FLAG_TEXT, AT(bridge) },
        { "cgroup-root", FLAG_TEXT, AT(cgroup_root) },
        { "hostname-override", FLAG_TEXT, AT(node_name) },
        { "cluster-domain", FLAG_TEXT, AT(cluster_domain) },
        { "resolv-conf", FLAG_PATH, AT(resolv_conf) },
        { "runtimes", FLAG_TEXT, AT(runtimes) },
        { "allowed-unsafe-sysctls", FLAG_TEXT, AT(unsafe_sysctls) },
        { "registries", FLAG_PATH, AT(registries) },
        { "registry-hosts-dir", FLAG_PATH, AT(registry_hosts_dir) },
        { "registry-auth-file", FLAG_PATH, AT(auth_file) },
        { "image-credential-provider-config", FLAG_PATH, AT(provider_config) },
        { "image-credential-provider-bin-dir", FLAG_PATH, AT(provider_bin_dir) },
        { "seccomp-dir", FLAG_PATH, AT(seccomp_dir) },
        { "cni-conf-dir", FLAG_PATH, AT(cni_conf_dir) },
        { "cni-bin-dir", FLAG_PATH, AT(cni_bin_dir) },
        { "read-only-port", FLAG_NUMBER, AT(read_only_port) },
        { "address", FLAG_TEXT, AT(server.address) },
        { "port", FLAG_NUMBER, AT(server.port) },
        { "tls-cert-file", FLAG_PATH, AT(server.certificate) },
        { "tls-private-key-file", FLAG_PATH, AT(server.key) },
        { "client-ca-file", FLAG_PATH, AT(server.client_ca) },
        { "anonymous-auth", FLAG_BOOL, AT(server.anonymous) },
        { "authentication-token-webhook", FLAG_BOOL, AT(server.tokens) },
        { "authentication-token-webhook-cache-ttl", FLAG_DURATION, AT(server.token_ms) },
        { "authorization-mode", FLAG_TEXT, AT(server.mode) },
        { "authorization-webhook-cache-authorized-ttl", FLAG_DURATION, AT(server.allowed_ms) },
        { "authorization-webhook-cache-unauthorized-ttl", FLAG_DURATION, AT(server.denied_ms) },
        { "volume-stats-agg-period", FLAG_PERIOD, AT(volume_stats_ms) },
        { "max-pods", FLAG_NUMBER, AT(max_pods) },
        { "eviction-hard", FLAG_EVICTION, EVICTION_HARD },
        { "eviction-soft", FLAG_EVICTION, EVICTION_SOFT },
        { "eviction-soft-grace-period", FLAG_EVICTION, EVICTION_SOFT_GRACE },
        { "eviction-minimum-reclaim", FLAG_EVICTION, EVICTION_MINIMUM_RECLAIM },
        { "eviction-pressure-transition-period", FLAG_DURATION, AT(eviction.transition_ms) },
        { "eviction-max-pod-grace-period", FLAG_SIGNED, AT(eviction.max_pod_grace) },
        { "image-gc-high-threshold", FLAG_NUMBER, AT(eviction.image_high_percent) },
        { "image-gc-low-threshold", FLAG_NUMBER, AT(eviction.image_low_percent) },
        { "minimum-image-ttl-duration", FLAG_DURATION, AT(eviction.image_min_age_ms) },
        { "system-reserved", FLAG_EVICTION, EVICTION_SYSTEM_RESERVED },
        { "kube-reserved", FLAG_EVICTION, EVICTION_KUBE_RESERVED },
        { "cpu-manager-policy", FLAG_TEXT, AT(cpu_policy) },
        { "cpu-manager-policy-options", FLAG_TEXT, AT(cpu_options) },
        { "reserved-cpus", FLAG_TEXT, AT(reserved_cpus) },
        { "topology-manager-policy", FLAG_TEXT, AT(topology_policy) },
        { "memory-manager-policy", FLAG_TEXT, AT(memory_policy) },
        { "runtime-only", FLAG_BOOL, AT(runtime_only) },
        { "log-level", FLAG_LEVEL, AT(log_level) },
        { "v", FLAG_VERBOSITY, AT(log_level) },
        { "version", FLAG_BOOL, AT(show_version) },
        { "help", FLAG_BOOL, AT(show_help) },
};

static const char help_text[] =
        "usage: nacelle-agent [--FLAG VALUE | --FLAG=VALUE]...\n"
        "Runs the pods of a watched directory, and serves CRI v1 on a Unix socket.\n"
        "\n"
        "  --pod-manifest-path DIR   watched directory, a pod a file (/etc/nacelle/manifests)\n"
        "  --root-dir DIR            images, containers, volumes (/var/lib/nacelle)\n"
        "  --run-dir DIR             sockets, network namespaces; a tmpfs (/run/nacelle)\n"
        "  --kubelet-dir DIR         where device plugins find kubelet.sock (/var/lib/kubelet)\n"
        "  --container-runtime-endpoint unix://PATH\n"
        "                            where CRI is served (unix://RUN-DIR/nacelle.sock)\n"
        "  --config FILE             a KubeletConfiguration; flags outrank it\n"
        "  --kubeconfig FILE         the API service whose node this is, and who it is there (none)\n"
        "  --bootstrap-kubeconfig FILE\n"
        "                            with a token: asks for the certificate of a --kubeconfig that is not there\n"
        "  --cert-dir DIR            the certificates that it asks for, or makes (ROOT-DIR/pki)\n"
        "  --rotate-certificates     renew them before they end (true)\n"
        "  --rotate-server-certificates\n"
        "                            have the certificate that it serves with signed by the cluster (false)\n"
        "  --runtime-only            serve CRI, run no pods of our own\n"
        "  --node-ip IP              the node's address (the default route's)\n"
        "  --hostname-override NAME  the node's name (the host's)\n"
        "  --pod-cidr CIDR[,CIDR]    pods' addresses (what the cluster says; without one, " OPTIONS_POD_CIDR ")\n"
        "  --bridge NAME             the pods' bridge (nacelle0)\n"
        "  --cgroup-root PATH        cgroup of all pods (/nacelle)\n"
        "  --pod-logs-dir DIR        containers' logs (/var/log/pods)\n"
        "  --cluster-domain NAME     search domain of pods with dnsPolicy ClusterFirst\n"
        "  --resolv-conf FILE        the node's resolver configuration (/etc/resolv.conf)\n"
        "  --runtimes NAME=PATH,...  other OCI runtimes, as handlers of RuntimeClasses\n"
        "  --allowed-unsafe-sysctls NAME,PREFIX*,...\n"
        "                            sysctls that pods may set beside the safe ones\n"
        "  --registries FILE         mirrors and credentials, as k3s' registries.yaml\n"
        "  --registry-hosts-dir DIR  mirrors and certificates, as containerd's hosts.toml\n"
        "  --registry-auth-file FILE credentials, as docker's config.json\n"
        "  --image-credential-provider-config FILE\n"
        "                            programs that give credentials, as kubelet's\n"
        "  --image-credential-provider-bin-dir DIR\n"
        "                            where those programs are\n"
        "  --seccomp-dir DIR         Localhost seccomp profiles (ROOT-DIR/seccomp)\n"
        "  --cni-conf-dir DIR        CNI configurations (/etc/cni/net.d)\n"
        "  --cni-bin-dir DIR         CNI plugins (/opt/cni/bin)\n"
        "  --libexec-dir DIR         where nacelle-shim is (beside the agent, or its libexec)\n"
        "  --max-pods N              pods at most (250)\n"
        "  --read-only-port PORT     RUN-DIR/kubelet.sock's what changes nothing over TCP (off)\n"
        "  --address IP              where --port and --read-only-port listen (all addresses; the loopback)\n"
        "  --port PORT               kubelet's API over TLS; 0: none (10250 with --kubeconfig)\n"
        "  --tls-cert-file FILE, --tls-private-key-file FILE\n"
        "                            its certificate, in place of that\n"
        "  --client-ca-file FILE     who vouches for its clients' certificates (the kubeconfig's authority)\n"
        "  --anonymous-auth          clients may come without a credential\n"
        "  --authentication-token-webhook=false\n"
        "                            tokens are not asked the API service about\n"
        "  --authentication-token-webhook-cache-ttl DURATION\n"
        "                            for how long its answer counts (2m)\n"
        "  --authorization-mode MODE Webhook: the API service is asked what clients may; or AlwaysAllow (Webhook)\n"
        "  --authorization-webhook-cache-authorized-ttl DURATION\n"
        "                            for how long a yes counts (5m)\n"
        "  --authorization-webhook-cache-unauthorized-ttl DURATION\n"
        "                            and a no (30s)\n"
        "  --volume-stats-agg-period DURATION\n"
        "                            what a pod's volumes hold is measured as often at most (1m); -1s: never\n"
        "  --eviction-hard SIGNAL<AMOUNT,...\n"
        "                            pods are evicted when less is left; signals are memory.available,\n"
        "                            nodefs.available, nodefs.inodesFree, imagefs.available,\n"
        "                            imagefs.inodesFree, pid.available (memory.available<100Mi,\n"
        "                            nodefs.available<10%,nodefs.inodesFree<5%,\n"
        "                            imagefs.available<15%,imagefs.inodesFree<5%)\n"
        "  --eviction-soft SIGNAL<AMOUNT,...\n"
        "                            or when it is so for longer (none)\n"
        "  --eviction-soft-grace-period SIGNAL=DURATION,...\n"
        "                            for how long\n"
        "  --eviction-minimum-reclaim SIGNAL=AMOUNT,...\n"
        "                            how much more than the threshold is freed then\n"
        "  --eviction-pressure-transition-period DURATION\n"
        "                            how long the node says it was under pressure (5m)\n"
        "  --eviction-max-pod-grace-period SECONDS\n"
        "                            for pods that a soft threshold evicts (0); -1: their own\n"
        "  --image-gc-high-threshold PERCENT\n"
        "                            disk usage from which unused images are deleted (85)\n"
        "  --image-gc-low-threshold PERCENT\n"
        "                            and down to which (80)\n"
        "  --minimum-image-ttl-duration DURATION\n"
        "                            images younger than that stay (2m)\n"
        "  --cpu-manager-policy P    none, or static: CPUs of their own for guaranteed pods (none)\n"
        "  --cpu-manager-policy-options NAME=VALUE,...\n"
        "                            full-pcpus-only, strict-cpu-reservation, ... as kubelet has them\n"
        "  --reserved-cpus LIST      CPUs that are the node's, like 0-1: no pod has them for itself\n"
        "  --topology-manager-policy none, --memory-manager-policy None\n"
        "                            the only ones there are\n"
        "  --system-reserved RESOURCE=AMOUNT,...\n"
        "                            cpu, memory, ephemeral-storage and pid that pods do not get\n"
        "                            (pid: an eighth of the host's)\n"
        "  --kube-reserved RESOURCE=AMOUNT,...\n"
        "                            added to it\n"
        "  --log-level LEVEL         error, warning, info or debug (info)\n"
        "  --v N                     kubelet's verbosity: 4 and more is debug\n"
        "  --version, --help\n";

const char *options_help(void) {
        return help_text;
}

static int replace(char **field, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

static int set_number(const char *name, const char *value, int *ret_number, struct err **err) {
        char *end;

        errno = 0;
        long number = strtol(value, &end, 10);
        if (errno || end == value || *end || number < 0 || number > INT_MAX)
                return err_set(err, EINVAL, "--%s: \"%s\" is not a number", name, value);
        *ret_number = (int)number;
        return 0;
}

static int set_signed(const char *name, const char *value, int *ret_number, struct err **err) {
        char *end;

        errno = 0;
        long number = strtol(value, &end, 10);
        if (errno || end == value || *end || number < INT_MIN || number > INT_MAX)
                return err_set(err, EINVAL, "--%s: \"%s\" is not a number", name, value);
        *ret_number = (int)number;
        return 0;
}

/* That which is not positive is never, as kubelet has it. */
static int set_period(const char *name, const char *value, int64_t *ret_ms, struct err **err) {
        int64_t ns;

        if (duration_parse(value, &ns) < 0)
                return err_set(err, EINVAL, "--%s: \"%s\" is not a duration like 1m30s", name, value);
        *ret_ms = ns / 1000000 ?: -1;
        return 0;
}

static int set_duration(const char *name, const char *value, int64_t *ret_ms, struct err **err) {
        int64_t ns;

        if (duration_parse(value, &ns) < 0 || ns < 0)
                return err_set(err, EINVAL, "--%s: \"%s\" is not a duration like 1m30s", name, value);
        *ret_ms = ns / 1000000;
        return 0;
}

static int set_bool(const char *name, const char *value, bool *ret_bool, struct err **err) {
        if (!value || strcmp(value, "true") == 0)
                *ret_bool = true;
        else if (strcmp(value, "false") == 0)
                *ret_bool = false;
        else
                return err_set(err, EINVAL, "--%s: \"%s\" is neither true nor false", name, value);
        return 0;
}

int options_set_endpoint(char **field, const char *name, const char *value, struct err **err) {
        const char *path = strncmp(value, "unix://", 7) == 0 ? value + 7 : value;

        if (path[0] != '/')
                return err_set(err, EINVAL, "%s: \"%s\" is not unix:// and an absolute path", name, value);
        if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
                return err_set(err, ENAMETOOLONG, "%s: \"%s\" is longer than a socket's path may be (%zu)", name, value,
                               sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
        return replace(field, path);
}

static int set_flag(struct options *o, const struct flag *flag, const char *value, struct err **err) {
        void *field = (char *)o + flag->offset;
        int number, r;

        switch (flag->kind) {
        case FLAG_BOOL:
                return set_bool(flag->name, value, field, err);
        case FLAG_NUMBER:
                return set_number(flag->name, value, field, err);
        case FLAG_SIGNED:
                return set_signed(flag->name, value, field, err);
        case FLAG_DURATION:
                return set_duration(flag->name, value, field, err);
        case FLAG_PERIOD:
                return set_period(flag->name, value, field, err);
        case FLAG_EVICTION:
                if (flag->offset == EVICTION_HARD)
                        o->eviction.merge_defaults = false; /* that is about the file's */
                r = eviction_settings_put_list(&o->eviction, (enum eviction_map)flag->offset, value, err);
                return r < 0 ? err_wrap(err, r, "--%s", flag->name) : 0;
        case FLAG_LEVEL:
                return log_level_parse(value, field) ?
                               0 :
                               err_set(err, EINVAL, "--log-level: \"%s\" is none of error, warning, info, debug",
                                       value);
        case FLAG_VERBOSITY:
                if ((r = set_number(flag->name, value, &number, err)) < 0)
                        return r;
                *(enum log_level *)field = number >= 4 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
                return 0;
        case FLAG_ENDPOINT:
                return options_set_endpoint(field, "--container-runtime-endpoint", value, err);
        case FLAG_PATH:
                if (!value[0])
                        return err_set(err, EINVAL, "--%s: the path is empty", flag->name);
                /* fallthrough */
        case FLAG_TEXT:
                return replace(field, value) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
        }
        return 0;
}

static const struct flag *find_flag(const char *name, size_t length) {
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                if (strlen(flags[i].name) == length && memcmp(flags[i].name, name, length) == 0)
                        return &flags[i];
        return NULL;
}

static int unknown(const char *name, size_t length, const char *text, struct err **err) {
        _cleanup_free_ char *copy = strndup(name, length);
        struct nearest nearest;

        if (!copy)
                return err_set(err, ENOMEM, "out of memory");
        nearest = nearest_to(copy);
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                nearest_try(&nearest, flags[i].name);
        if (nearest.name)
                return err_set(err, EINVAL, "unknown flag \"%s\"; did you mean --%s? See --help", text, nearest.name);
        return err_set(err, EINVAL, "unknown flag \"%s\"; see --help", text);
}

/* Reads the flags into @o; with @only, that flag alone. */
static int read_flags(int argc, char **argv, const char *only, struct options *o, struct err **err) {
        for (int i = 1; i < argc; i++) {
                const char *name = argv[i], *value = NULL;
                int r;

                if (strncmp(name, "--", 2) == 0)
                        name += 2;
                else if (name[0] == '-' && name[1])
                        name += 1;
                else
                        return err_set(err, EINVAL, "unexpected argument \"%s\"; see --help", argv[i]);

                const char *equals = strchr(name, '=');
                size_t length = equals ? (size_t)(equals - name) : strlen(name);
                const struct flag *flag = find_flag(name, length);
                if (!flag && length == 1 && name[0] == 'h')
                        flag = find_flag("help", 4);
                if (!flag)
                        return unknown(name, length, argv[i], err);
                if (equals)
                        value = equals + 1;
                else if (flag->kind != FLAG_BOOL) {
                        if (i + 1 >= argc)
                                return err_set(err, EINVAL, "--%s wants a value; see --help", flag->name);
                        value = argv[++i];
                }
                if (only && strcmp(only, flag->name) != 0)
                        continue;
                if ((r = set_flag(o, flag, value, err)) < 0)
                        return r;
        }
        return 0;
}

int options_parse(int argc, char **argv, struct options *ret_options, struct err **err) {
        _cleanup_(options_deinit) struct options o = {
                .log_max_size = 10 * 1024 * 1024,
                .log_max_files = 5,
                .pod_pids_limit = -1,
                .crash_back_off_max = 300,
                .volume_stats_ms = 60 * 1000,
                .max_parallel_pulls = 4,
                .max_pods = 250,
                .rotate_certificates = true,
                .log_level = LOG_LEVEL_INFO,
                .server = { .port = -1,
                            .enabled = true,
                            .tokens = true,
                            .debugs = true,
                            .logs = true,
                            .token_ms = 2 * 60 * 1000,
                            .allowed_ms = 5 * 60 * 1000,
                            .denied_ms = 30 * 1000 },
        };
        int r;

        eviction_settings_init(&o.eviction);
        if ((r = read_flags(argc, argv, "config", &o, err)) < 0)
                return r;
        if (o.config && (r = config_read(o.config, &o, err)) < 0)
                return err_wrap(err, r, "%s", o.config);
        if ((r = read_flags(argc, argv, NULL, &o, err)) < 0)
                return r;
        if (!o.show_help && !o.show_version &&
            ((r = options_settle(&o, err)) < 0 || (r = eviction_settings_finish(&o.eviction, err)) < 0 ||
             (r = shutdown_settings_finish(&o.shutdown, err)) < 0))
                return r;
        *ret_options = o;
        o = (struct options){ 0 };
        return 0;
}

void options_deinit(struct options *o) {
        char **fields[] = {
                &o->config,
                &o->kubeconfig,
                &o->root_dir,
                &o->run_dir,
                &o->manifest_dir,
                &o->pod_logs_dir,
                &o->libexec_dir,
                &o->kubelet_dir,
                &o->cpu_policy,
                &o->cpu_options,
                &o->reserved_cpus,
                &o->topology_policy,
                &o->memory_policy,
                &o->socket,
                &o->node_ip,
                &o->pod_cidr,
                &o->bridge,
                &o->cgroup_root,
                &o->node_name,
                &o->cluster_domain,
                &o->resolv_conf,
                &o->server.address,
                &o->cluster_dns[0],
                &o->cluster_dns[1],
                &o->cluster_dns[2],
                &o->seccomp_dir,
                &o->registries,
                &o->registry_hosts_dir,
                &o->runtimes,
                &o->trace_endpoint,
                &o->cni_conf_dir,
                &o->cni_bin_dir,
                &o->auth_file,
                &o->provider_config,
                &o->provider_bin_dir,
                &o->unsafe_sysctls,
                &o->server.mode,
                &o->server.certificate,
                &o->server.key,
                &o->server.client_ca,
                &o->bootstrap_kubeconfig,
                &o->cert_dir,
        };

        for (size_t i = 0; i < ELEMENTS(fields); i++) {
                free(*fields[i]);
                *fields[i] = NULL;
        }
}
