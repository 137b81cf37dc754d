#include "agent/node/dns.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "agent/node/dns_policy.h"
#include "agent/config/options.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* A NULL-ended copy of the list; NULL without memory. */
static const char *const *ended(struct arena *arena, const string_list *list) {
        const char **copy = arena_alloc_array(arena, list->count + 1, sizeof(*copy));

        for (uint32_t i = 0; copy && i < list->count; i++)
                copy[i] = list->items[i];
        return copy;
}

int dns_choose(const struct pod *pod, const struct options *options, struct dns_choice **ret_choice, struct err **err) {
        static const struct kube_pod_dns_config none;
        const struct kube_pod_dns_config *config = pod->spec.dns_config ? pod->spec.dns_config : &none;
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *cluster[OPTIONS_DNS_MAX + 1] = { NULL };
        struct dns_option_pair *pairs;

        if (!arena || !(pairs = arena_alloc_array(arena, config->options.count + 1, sizeof(*pairs))))
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < config->options.count; i++)
                pairs[i] = (struct dns_option_pair){ config->options.items[i].name, config->options.items[i].value };
        for (size_t i = 0, n = 0; i < OPTIONS_DNS_MAX; i++)
                if (options->cluster_dns[i])
                        cluster[n++] = options->cluster_dns[i];

        struct dns_wish wish = {
                .policy = pod->spec.dns_policy,
                .host_network = pod->spec.host_network,
                .pod_namespace = pod->metadata.namespace,
                .servers = ended(arena, &config->nameservers),
                .searches = ended(arena, &config->searches),
                .options = pairs,
                .n_options = config->options.count,
                .cluster_servers = cluster,
                .cluster_domain = options->cluster_domain,
                .resolv_conf = options->resolv_conf,
        };
        return dns_policy_choose(&wish, ret_choice, err);
}

/* The name the pod's containers see as theirs (at most 63 bytes); in @ret. */
static void pod_hostname(const struct pod *pod, const char *node_name, char ret[64]) {
        const char *name = pod->spec.hostname && pod->spec.hostname[0] ? pod->spec.hostname : pod->metadata.name;

        if (pod->spec.hostname_override && pod->spec.hostname_override[0])
                name = pod->spec.hostname_override;
        else if (pod->spec.host_network)
                name = node_name;
        snprintf(ret, 64, "%s", name);
        /* As kubelet cuts a name that is too long for the kernel: no "-" or "." at the end. */
        for (size_t n = strlen(ret); n > 0 && (ret[n - 1] == '-' || ret[n - 1] == '.'); n--)
                ret[n - 1] = '\0';
}

/* The domain that its subdomain gives the pod; NULL without one, and where hostnameOverride says all. */
static const char *pod_domain(struct arena *arena, const struct pod *pod, const struct options *options) {
        if (!pod->spec.subdomain || pod->spec.hostname_override || !options->cluster_domain)
                return NULL;
        return arena_printf(arena, "%s.%s.svc.%s", pod->spec.subdomain, pod->metadata.namespace,
                            options->cluster_domain);
}

int dns_kernel_hostname(struct arena *arena, const struct pod *pod, const struct options *options,
                        const char **ret_name, struct err **err) {
        const char *domain = pod_domain(arena, pod, options), *name;
        char hostname[64];

        pod_hostname(pod, options->node_name, hostname);
        if (pod->spec.set_hostname_as_fqdn == TRI_TRUE && domain)
                name = arena_printf(arena, "%s.%s", hostname, domain);
        else
                name = arena_strdup(arena, hostname);
        if (!name)
                return err_set(err, ENOMEM, "out of memory");
        if (strlen(name) > HOST_NAME_MAX)
                return err_set(err, EINVAL,
                               "failed to construct FQDN from pod hostname and cluster domain, FQDN %s is too long (%d "
                               "characters is the max, %zu characters requested)",
                               name, HOST_NAME_MAX, strlen(name));
        *ret_name = name;
        return 0;
}

int dns_hosts_text(const struct pod *pod, const struct options *options, const char *const *ips, char **ret_text,
                   struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct hosts_alias_pair *aliases;
        char hostname[64];

        if (!arena || !(aliases = arena_alloc_array(arena, pod->spec.host_aliases.count + 1, sizeof(*aliases))))
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < pod->spec.host_aliases.count; i++)
                aliases[i] = (struct hosts_alias_pair){ pod->spec.host_aliases.items[i].ip,
                                                        ended(arena, &pod->spec.host_aliases.items[i].hostnames) };
        pod_hostname(pod, options->node_name, hostname);
        return dns_policy_hosts(&(struct hosts_wish){ .host_network = pod->spec.host_network,
                                                      .ips = ips,
                                                      .hostname = hostname,
                                                      .domain = pod_domain(arena, pod, options),
                                                      .aliases = aliases,
                                                      .n_aliases = pod->spec.host_aliases.count },
                                ret_text, err);
}
