/* A node's resolv.conf of any bytes, through every DNS policy: what comes out reads as itself and keeps the limits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cni/files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dns_config *config) {
        struct dns_config again;
        char *text = cni_resolv_conf_format(config), *twice;

        if (config->servers.n > DNS_SERVERS_MAX || config->searches.n > DNS_SEARCHES_MAX ||
            cni_resolv_conf_parse(text, strlen(text), &again, NULL) < 0)
                abort();
        twice = cni_resolv_conf_format(&again);
        if (again.servers.n != config->servers.n || strlen(twice) > strlen(text))
                abort();
        cni_dns_config_clear(&again);
        free(text);
        free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const cluster[] = { "10.96.0.10", NULL };
        struct dns_config node;

        if (cni_resolv_conf_parse((const char *)data, size, &node, NULL) < 0)
                return 0;
        for (enum dns_policy policy = CNI_DNS_CLUSTER_FIRST; policy <= CNI_DNS_NONE; policy++) {
                struct dns_request request = { .policy = policy,
                                               .pod_namespace = "default",
                                               .cluster_servers = cluster,
                                               .cluster_domain = "cluster.local",
                                               .node = &node };
                struct dns_config config;
                unsigned warnings;

                if (cni_dns_form(&request, &config, &warnings, NULL) < 0)
                        abort();
                check(&config);
                cni_dns_config_clear(&config);
        }
        cni_dns_config_clear(&node);
        return 0;
}
