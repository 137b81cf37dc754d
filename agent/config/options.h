/* The agent's command line and configuration file as one struct of checked values.
 *
 * Flags have kubelet's names where kubelet has the thing, and outrank the KubeletConfiguration named by
 * --config; what neither names has a default. Paths derive from --root-dir and --run-dir unless given, so that
 * two agents with different ones (and a bridge and a pod CIDR of their own) live side by side on a host.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/eviction/settings.h"
#include "agent/shutdown/settings.h"
#include "lib/err.h"
#include "lib/log.h"

#define OPTIONS_DNS_MAX 3 /* name servers a resolv.conf may have; what kubelet keeps of clusterDNS */
/* In no other tool's default: 10.85 is CRI-O's, 10.88 podman's and containerd's, 10.89 and more podman's
 * networks, 10.42 k3s's, 10.244 flannel's and kubeadm's, 10.96 the services', 10.217 Cilium's, 10.1 MicroK8s's, 10.4
 * nerdctl's. */
#define OPTIONS_POD_CIDR "10.62.0.0/16"
#define OPTIONS_FILE_MAX (1024 * 1024) /* bytes of a configuration file */

#define OPTIONS_KUBELET_PORT 10250 /* with a kubeconfig, unless another is given */

/* The kubelet's API (agent/kubelet). */
struct options_server {
        char *address;           /* NULL: all of the host's, and for the read-only port the loopback */
        char *certificate, *key; /* files; NULL: self-signed ones in --cert-dir */
        char *client_ca;         /* file; NULL: the kubeconfig's authority */
        char *mode;              /* of authorization: "Webhook" or "AlwaysAllow" */
        int port;                /* 0: none; -1 until it is settled */
        bool enabled;            /* enableServer */
        bool anonymous, tokens;
        bool debugs;                             /* what does more than tell */
        bool logs;                               /* the host's, at /logs/ */
        bool log_query;                          /* and queries for services' */
        int64_t token_ms, allowed_ms, denied_ms; /* for how long the service's answers count */
};

struct options {
        char *config;               /* NULL: none */
        char *kubeconfig;           /* of the cluster that the node belongs to; NULL: none */
        char *bootstrap_kubeconfig; /* with which that one is made; NULL: none */
        char *cert_dir;             /* the node's certificates */
        char *root_dir, *run_dir, *manifest_dir, *pod_logs_dir, *libexec_dir;
        char *kubelet_dir; /* where plugins look for kubelet: device-plugins/ and pod-resources/ are in it */
        char *socket;      /* the path of --container-runtime-endpoint, without unix:// */
        char *node_ip;     /* NULL: the address of the default route's interface */
        char *pod_cidr;    /* one CIDR, or IPv4 and IPv6 with a comma between; "": the cluster says */
        char *bridge;
        char *cgroup_root;
        char *node_name;      /* --hostname-override, or the host's name in lower case */
        char *cluster_domain; /* NULL: none */
        char *cluster_dns[OPTIONS_DNS_MAX];
        char *resolv_conf;
        char *runtimes;       /* HANDLER=PATH,... */
        char *unsafe_sysctls; /* NAME,PREFIX*,... that pods may set beside the safe ones; NULL: none */
        char *trace_endpoint; /* where spans are sent; NULL: no traces are made */
        char *seccomp_dir, *registries, *registry_hosts_dir, *cni_conf_dir, *cni_bin_dir, *auth_file;
        char *provider_config, *provider_bin_dir; /* of image credential providers; NULL: none */
        int64_t log_max_size;                     /* bytes of a container's log file before it is rotated */
        int64_t pod_pids_limit;                   /* -1: none */
        int64_t crash_back_off_max;               /* seconds */
        int64_t volume_stats_ms;                  /* how long what was seen of volumes is told; negative: never */
        int log_max_files;
        int max_parallel_pulls; /* 0: no limit of its own */
        int max_pods;
        int read_only_port;                    /* 0: only the Unix socket */
        int trace_per_million;                 /* of the traces that begin here */
        char *cpu_policy, *cpu_options;        /* of the CPU manager: "none" or "static"; NAME=VALUE,... or NULL */
        char *reserved_cpus;                   /* a list of CPUs; NULL: as many as are reserved */
        char *topology_policy, *memory_policy; /* "none" and "None" alone */
        struct options_server server;
        struct eviction_settings eviction;
        struct shutdown_settings shutdown;
        enum log_level log_level;
        bool rotate_certificates, rotate_server; /* rotateCertificates, serverTLSBootstrap */
        bool runtime_only, show_help, show_version;
};

/* Reads @argv, then the configuration file it names. With --help or --version the rest is not checked. Errors
 * are EINVAL with a sentence that names the flag or the file's field, or what reading the file gave. */
int options_parse(int argc, char **argv, struct options *ret_options, struct err **err);

void options_deinit(struct options *options);

/* Sets *@field to the path of the endpoint @value (unix://PATH or an absolute path). @name is its flag or field. */
int options_set_endpoint(char **field, const char *name, const char *value, struct err **err);

/* The text of --help: constant. */
const char *options_help(void);
