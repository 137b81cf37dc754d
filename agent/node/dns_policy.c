#include "agent/node/dns_policy.h"

#include <errno.h>
#include <stdlib.h>

#include "cni/files.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"

struct dns_choice {
        struct dns_config config;
        unsigned warnings;
};

int dns_policy_choose(const struct dns_wish *wish, struct dns_choice **ret_choice, struct err **err) {
        _cleanup_dns_config_ struct dns_config node = { 0 };
        _cleanup_free_ char *text = NULL;
        struct dns_choice *choice;
        size_t size = 0;
        int r;

        _Static_assert(sizeof(struct dns_option) == sizeof(struct dns_option_pair), "one layout");
        struct dns_request request = {
                .host_network = wish->host_network,
                .pod_namespace = wish->pod_namespace,
                .servers = wish->servers,
                .searches = wish->searches,
                .options = (const struct dns_option *)wish->options,
                .n_options = wish->n_options,
                .cluster_servers = wish->cluster_servers,
                .cluster_domain = wish->cluster_domain,
        };
        if ((r = cni_dns_policy_parse(wish->policy, &request.policy, err)) < 0)
                return r;
        if (wish->resolv_conf && wish->resolv_conf[0]) {
                if ((r = files_read(wish->resolv_conf, RESOLV_CONF_MAX, &text, &size, err)) < 0 ||
                    (r = cni_resolv_conf_parse(text, size, &node, err)) < 0)
                        return r;
                request.node = &node;
        }
        if (!(choice = calloc(1, sizeof(*choice))))
                return err_set(err, ENOMEM, "out of memory");
        if ((r = cni_dns_form(&request, &choice->config, &choice->warnings, err)) < 0) {
                free(choice);
                return r;
        }
        *ret_choice = choice;
        return 0;
}

void dns_choice_free(struct dns_choice *choice) {
        if (choice)
                cni_dns_config_clear(&choice->config);
        free(choice);
}

struct dns_lists dns_choice_lists(const struct dns_choice *choice) {
        const struct dns_config *config = &choice->config;

        return (struct dns_lists){ .servers = config->servers.items,
                                   .n_servers = config->servers.n,
                                   .searches = config->searches.items,
                                   .n_searches = config->searches.n,
                                   .options = config->options.items,
                                   .n_options = config->options.n };
}

static const char *joined(struct arena *arena, const struct dns_list *list) {
        const char *text = list->n ? list->items[0] : "";

        for (size_t i = 1; i < list->n && text; i++)
                text = arena_printf(arena, "%s %s", text, list->items[i]);
        return text;
}

const char *dns_choice_warning(const struct dns_choice *choice, unsigned which, struct arena *arena) {
        const struct dns_config *config = &choice->config;
        const struct {
                unsigned bit;
                const char *text;
                const struct dns_list *applied;
        } rows[DNS_WARNINGS] = {
                { DNS_SERVERS_CUT,
                  "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is",
                  &config->servers },
                { DNS_SEARCHES_CUT,
                  "Search Line limits were exceeded, some search paths have been omitted, the applied search line is",
                  &config->searches },
        };
        const char *applied;

        if (!(choice->warnings & rows[which].bit) || !(applied = joined(arena, rows[which].applied)))
                return NULL;
        return arena_printf(arena, "%s: %s", rows[which].text, applied);
}

int dns_policy_hosts(const struct hosts_wish *wish, char **ret_text, struct err **err) {
        static const char *const nobody[] = { NULL };
        _cleanup_free_ char *node = NULL;
        struct hosts_options options = {
                .ips = wish->ips ? wish->ips : nobody,
                .hostname = wish->hostname,
                .domain = wish->domain,
                .aliases = (const struct hosts_alias *)wish->aliases,
                .n_aliases = wish->n_aliases,
        };

        _Static_assert(sizeof(struct hosts_alias) == sizeof(struct hosts_alias_pair), "one layout");
        if (wish->host_network && files_read("/etc/hosts", RESOLV_CONF_MAX, &node, NULL, NULL) == -ENOMEM)
                return err_set(err, ENOMEM, "out of memory");
        options.node_hosts = node;
        *ret_text = cni_hosts_format(&options);
        return *ret_text ? 0 : err_set(err, ENOMEM, "out of memory");
}
