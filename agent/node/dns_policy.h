/* cni/files.h for a pod, without the pod's types: both have names like DNS_DEFAULT of their own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "agent/node/dns.h"
#include "lib/err.h"

struct dns_option_pair {
        const char *name, *value;
};

struct hosts_alias_pair {
        const char *ip;
        const char *const *hostnames;
};

struct dns_wish {
        const char *policy; /* Kubernetes' word */
        bool host_network;
        const char *pod_namespace;
        const char *const *servers, *const *searches; /* NULL-ended */
        const struct dns_option_pair *options;
        size_t n_options;
        const char *const *cluster_servers; /* NULL-ended */
        const char *cluster_domain;
        const char *resolv_conf; /* path of the node's */
};

int dns_policy_choose(const struct dns_wish *wish, struct dns_choice **ret_choice, struct err **err);

struct hosts_wish {
        bool host_network;      /* the node's own names come first */
        const char *const *ips; /* NULL-ended; NULL: none */
        const char *hostname, *domain;
        const struct hosts_alias_pair *aliases;
        size_t n_aliases;
};

int dns_policy_hosts(const struct hosts_wish *wish, char **ret_text, struct err **err);
