#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/dns_list.h"
#include "cni/files.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* How often a name is asked with the search list first: kubelet's defaultDNSOptions. */
#define CLUSTER_OPTION "ndots:5"

static const struct {
        const char *text;
        enum dns_policy policy;
} policies[] = {
        { "", CNI_DNS_CLUSTER_FIRST },
        { "ClusterFirst", CNI_DNS_CLUSTER_FIRST },
        { "ClusterFirstWithHostNet", CNI_DNS_CLUSTER_FIRST_WITH_HOST_NET },
        { "Default", CNI_DNS_DEFAULT },
        { "None", CNI_DNS_NONE },
};

int cni_dns_policy_parse(const char *text, enum dns_policy *ret_policy, struct err **err) {
        for (size_t i = 0; i < ELEMENTS(policies); i++) {
                if (strcmp(policies[i].text, text) == 0) {
                        *ret_policy = policies[i].policy;
                        return 0;
                }
        }
        return err_set(err, EINVAL, "dnsPolicy \"%.64s\": use ClusterFirst, ClusterFirstWithHostNet, Default or None",
                       text);
}

static int add_all(struct dns_list *list, const char *const *texts) {
        int r = 0;

        for (; texts && *texts && r == 0; texts++)
                r = cni_dns_list_add_new(list, *texts);
        return r;
}

static int copy_list(struct dns_list *to, const struct dns_list *from) {
        int r = 0;

        for (size_t i = 0; i < from->n && r == 0; i++)
                r = cni_dns_list_add(to, from->items[i]);
        return r;
}

/* The node's own configuration; without one, what makes every lookup fail at once. */
static int form_default(const struct dns_request *request, struct dns_config *config) {
        int r;

        if (!request->node) {
                r = cni_dns_list_add(&config->servers, request->node_is_ipv6 ? "::1" : "127.0.0.1");
                return r < 0 ? r : cni_dns_list_add(&config->searches, ".");
        }
        if ((r = copy_list(&config->servers, &request->node->servers)) < 0 ||
            (r = copy_list(&config->searches, &request->node->searches)) < 0)
                return r;
        return copy_list(&config->options, &request->node->options);
}

static int add_cluster_searches(const struct dns_request *request, struct dns_list *searches) {
        const char *domain = request->cluster_domain;
        char name[2 * DNS_SEARCH_NAME_MAX];
        int r;

        if (!domain || !domain[0])
                return 0;
        snprintf(name, sizeof(name), "%s.svc.%s", request->pod_namespace, domain);
        if ((r = cni_dns_list_add_new(searches, name)) < 0)
                return r;
        snprintf(name, sizeof(name), "svc.%s", domain);
        if ((r = cni_dns_list_add_new(searches, name)) < 0)
                return r;
        return cni_dns_list_add_new(searches, domain);
}

static int form_cluster(const struct dns_request *request, struct dns_config *config) {
        int r;

        for (const char *const *server = request->cluster_servers; *server; server++)
                if (cni_dns_list_add(&config->servers, *server) < 0)
                        return -ENOMEM;
        if ((r = cni_dns_list_add(&config->options, CLUSTER_OPTION)) < 0 ||
            (r = add_cluster_searches(request, &config->searches)) < 0)
                return r;
        for (size_t i = 0; request->node && i < request->node->searches.n; i++)
                if ((r = cni_dns_list_add_new(&config->searches, request->node->searches.items[i])) < 0)
                        return r;
        return 0;
}

static int form_base(const struct dns_request *request, struct dns_config *config, unsigned *warnings) {
        bool cluster = request->policy == CNI_DNS_CLUSTER_FIRST_WITH_HOST_NET ||
                       (request->policy == CNI_DNS_CLUSTER_FIRST && !request->host_network);

        if (request->policy == CNI_DNS_NONE)
                return 0;
        if (cluster && request->cluster_servers && request->cluster_servers[0])
                return form_cluster(request, config);
        if (cluster)
                *warnings |= DNS_MISSING_CLUSTER;
        return form_default(request, config);
}

/* dnsConfig of the pod goes behind what the policy gave. */
static int add_pod_config(const struct dns_request *request, struct dns_config *config) {
        int r;

        if ((r = add_all(&config->servers, request->servers)) < 0 ||
            (r = add_all(&config->searches, request->searches)) < 0)
                return r;
        for (size_t i = 0; i < request->n_options; i++) {
                const struct dns_option *option = &request->options[i];
                _cleanup_free_ char *text = NULL;

                if (asprintf(&text, "%s%s%s", option->name, option->value && option->value[0] ? ":" : "",
                             option->value ? option->value : "") < 0)
                        return -ENOMEM;
                if ((r = cni_dns_list_set_option(&config->options, text)) < 0)
                        return r;
        }
        return 0;
}

static size_t joined_size(const struct dns_list *list) {
        size_t size = list->n > 0 ? list->n - 1 : 0;

        for (size_t i = 0; i < list->n; i++)
                size += strlen(list->items[i]);
        return size;
}

/* Too many first, then too long ones (glibc 2.28 aborts on them), then from the end what makes the line too long. */
static bool cut_searches(struct dns_list *searches) {
        bool cut = searches->n > DNS_SEARCHES_MAX;
        size_t kept = 0;

        cni_dns_list_cut(searches, DNS_SEARCHES_MAX);
        for (size_t i = 0; i < searches->n; i++) {
                if (strlen(searches->items[i]) > DNS_SEARCH_NAME_MAX) {
                        free(searches->items[i]);
                        cut = true;
                } else {
                        searches->items[kept++] = searches->items[i];
                }
        }
        searches->n = kept;
        while (joined_size(searches) > DNS_SEARCH_CHARS_MAX) {
                cni_dns_list_cut(searches, searches->n - 1);
                cut = true;
        }
        return cut;
}

int cni_dns_form(const struct dns_request *request, struct dns_config *ret_config, unsigned *ret_warnings,
                 struct err **err) {
        _cleanup_dns_config_ struct dns_config config = { 0 };
        unsigned warnings = 0;

        if (form_base(request, &config, &warnings) < 0 || add_pod_config(request, &config) < 0)
                return err_errno(err, ENOMEM, "DNS configuration");
        if (config.servers.n > DNS_SERVERS_MAX) {
                cni_dns_list_cut(&config.servers, DNS_SERVERS_MAX);
                warnings |= DNS_SERVERS_CUT;
        }
        if (cut_searches(&config.searches))
                warnings |= DNS_SEARCHES_CUT;
        *ret_config = config;
        config = (struct dns_config){ 0 };
        *ret_warnings = warnings;
        return 0;
}
