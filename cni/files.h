/* The contents of a pod's /etc/hosts, /etc/hostname and /etc/resolv.conf. Pure functions: no file is touched.
 *
 * hosts and the DNS choice follow kubelet (pkg/kubelet/kubelet_pods.go, network/dns), byte for byte; the written
 * resolv.conf follows containerd and CRI-O. The agent writes hosts and passes the DNS configuration through CRI;
 * cri writes resolv.conf and hostname.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/ip.h"

struct err;

#define DNS_SERVERS_MAX 3
#define DNS_SEARCHES_MAX 32
#define DNS_SEARCH_CHARS_MAX 2048 /* of the joined search list */
#define DNS_SEARCH_NAME_MAX 253
/* What is read of a node's resolv.conf or hosts file at most. */
#define RESOLV_CONF_MAX (10 * 1024 * 1024)

/* Entries are owned. All zero is empty. */
struct dns_list {
        char **items;
        size_t n;
};

struct dns_config {
        struct dns_list servers, searches, options; /* options as written: "ndots:5", "edns0" */
};

void cni_dns_config_clear(struct dns_config *config);
#define _cleanup_dns_config_ __attribute__((cleanup(cni_dns_config_clear)))

/* Appends a copy. Returns 0 or -ENOMEM. */
int cni_dns_list_add(struct dns_list *list, const char *text);

struct hosts_alias {
        const char *ip;
        const char *const *hostnames; /* NULL-ended */
};

struct hosts_options {
        const char *node_hosts; /* not NULL: hostNetwork; the text of the node's own /etc/hosts */
        const char *const *ips; /* the pod's, NULL-ended */
        const char *hostname;
        const char *domain; /* subdomain.namespace.svc.cluster-domain; NULL or "": none */
        const struct hosts_alias *aliases;
        size_t n_aliases;
};

/* The text of /etc/hosts; the caller frees it. NULL: out of memory. */
char *cni_hosts_format(const struct hosts_options *options);

/* hostname and a newline; the caller frees it. NULL: out of memory. */
char *cni_hostname_format(const char *hostname);

/* Reads a resolv.conf: nameservers gather, the last search line wins, options merge by name, the last one winning.
 * Returns 0, -EINVAL ("nameserver" without an address), -EFBIG or -ENOMEM. */
int cni_resolv_conf_parse(const char *text, size_t n, struct dns_config *ret_config, struct err **err);

/* The text of resolv.conf; "" when @config is empty. The caller frees it. NULL: out of memory. */
char *cni_resolv_conf_format(const struct dns_config *config);

enum dns_policy { CNI_DNS_CLUSTER_FIRST, CNI_DNS_CLUSTER_FIRST_WITH_HOST_NET, CNI_DNS_DEFAULT, CNI_DNS_NONE };

/* Kubernetes' word for a policy; "" is ClusterFirst. -EINVAL quotes @text. */
int cni_dns_policy_parse(const char *text, enum dns_policy *ret_policy, struct err **err);

struct dns_option {
        const char *name, *value; /* value NULL: none */
};

struct dns_request {
        enum dns_policy policy;
        bool host_network;
        const char *pod_namespace;
        const char *const *servers, *const *searches; /* dnsConfig; NULL-ended or NULL */
        const struct dns_option *options;
        size_t n_options;
        const char *const *cluster_servers; /* KubeletConfiguration clusterDNS; NULL-ended or NULL */
        const char *cluster_domain;         /* clusterDomain; NULL or "": none */
        const struct dns_config *node;      /* of the file resolvConf names; NULL: resolvConf is "" */
        bool node_is_ipv6;                  /* which loopback stands in when node is NULL */
};

/* What kubelet said beside the answer, as bits: each is a warning event for the pod. */
enum dns_warning {
        DNS_MISSING_CLUSTER = 1, /* MissingClusterDNS: ClusterFirst fell back to Default */
        DNS_SERVERS_CUT = 2,     /* DNSConfigForming: more than 3 nameservers */
        DNS_SEARCHES_CUT = 4,    /* DNSConfigForming: search list over its limits */
};

/* The pod's DNS configuration as kubelet forms it. Returns 0 or -ENOMEM; @ret_warnings gets the bits. */
int cni_dns_form(const struct dns_request *request, struct dns_config *ret_config, unsigned *ret_warnings,
                 struct err **err);
