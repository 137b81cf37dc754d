/* The rules that the API server holds a pod to, with its words: pkg/apis/core/validation/validation.go. */
#include <stdio.h>
#include <string.h>

#include "kube/check/check.h"

#define NAMESERVERS_MAX 3
#define SEARCHES_MAX 32
#define SEARCH_CHARS_MAX 2048
#define HOSTNAME_LENGTH_MAX 64

static void check_dns_list(struct check *c, const struct kube_pod_dns_config *dns) {
        size_t before, chars = 0;

        for (uint32_t i = 0; i < dns->nameservers.count; i++) {
                before = TRAIL_ENTER(c, ".nameservers[%u]", i);
                check_ip(c, "", dns->nameservers.items[i]);
                TRAIL_LEAVE(c, before);
        }
        for (uint32_t i = 0; i < dns->searches.count; i++) {
                const char *search = dns->searches.items[i];
                size_t n = strlen(search);
                char text[300];

                chars += n + (i > 0);
                before = TRAIL_ENTER(c, ".searches[%u]", i);
                snprintf(text, sizeof(text), "%.*s", (int)(n > 1 && search[n - 1] == '.' ? n - 1 : n), search);
                if (strcmp(text, ".") != 0)
                        check_name_if(c, "", NAME_SUBDOMAIN_UNDERSCORE, text);
                TRAIL_LEAVE(c, before);
        }
        if (dns->searches.count > SEARCHES_MAX)
                check_invalid(c, ".searches", "...", "must not have more than 32 search paths");
        if (chars > SEARCH_CHARS_MAX)
                check_invalid(c, ".searches", "...",
                              "must not have more than 2048 characters (including spaces) in the search list");
        for (uint32_t i = 0; i < dns->options.count; i++) {
                before = TRAIL_ENTER(c, ".options[%u]", i);
                if (!dns->options.items[i].name)
                        check_required(c, "", "must not be empty");
                TRAIL_LEAVE(c, before);
        }
}

static void check_dns(struct check *c) {
        const struct kube_pod_dns_config *dns = c->pod->spec.dns_config;
        size_t before = TRAIL_ENTER(c, ".dnsConfig");

        if (kube_is(c->pod->spec.dns_policy, "None") && !dns)
                check_required(c, "", "must provide `dnsConfig` when `dnsPolicy` is None");
        else if (kube_is(c->pod->spec.dns_policy, "None") && dns->nameservers.count == 0)
                check_required(c, ".nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None");
        if (dns && dns->nameservers.count > NAMESERVERS_MAX)
                check_invalid(c, ".nameservers", "...", "must not have more than 3 nameservers");
        if (dns)
                check_dns_list(c, dns);
        TRAIL_LEAVE(c, before);
}

static void check_hostnames(struct check *c) {
        const struct kube_pod_spec *spec = &c->pod->spec;

        check_name_if(c, ".hostname", NAME_LABEL, spec->hostname);
        check_name_if(c, ".subdomain", NAME_LABEL, spec->subdomain);
        for (uint32_t i = 0; i < spec->host_aliases.count; i++) {
                const struct kube_host_alias *alias = &spec->host_aliases.items[i];
                size_t before = TRAIL_ENTER(c, ".hostAliases[%u]", i);

                check_ip(c, ".ip", alias->ip);
                list_for_each (hostname, &alias->hostnames)
                        check_name_if(c, ".hostnames", NAME_SUBDOMAIN, *hostname);
                TRAIL_LEAVE(c, before);
        }
        if (!spec->hostname_override)
                return;
        if (spec->set_hostname_as_fqdn == TRI_TRUE)
                check_forbidden(c, ".hostnameOverride", "may not be specified when setHostnameAsFQDN is true");
        if (spec->host_network)
                check_forbidden(c, ".hostnameOverride", "may not be specified when hostNetwork is true");
        if (strlen(spec->hostname_override) > HOSTNAME_LENGTH_MAX)
                check_invalid(c, ".hostnameOverride", spec->hostname_override, "may not be more than 64 bytes");
        check_name_if(c, ".hostnameOverride", NAME_SUBDOMAIN, spec->hostname_override);
}

static void check_toleration(struct check *c, const struct kube_toleration *t) {
        static const char *const operators[] = { "Equal", "Exists", NULL }; /* Gt and Lt have a gate, which is closed */
        static const char *const effects[] = { "NoSchedule", "PreferNoSchedule", "NoExecute", NULL };

        check_name_if(c, ".key", NAME_QUALIFIED, t->key);
        if (!t->key && !kube_is(t->operator, "Exists"))
                check_invalid(c, ".operator", t->operator, "operator must be Exists when `key` is empty, which means "
                                                           "\"match all values and all keys\"");
        if (t->toleration_seconds.set && !kube_is(t->effect, "NoExecute"))
                check_invalid(c, ".effect", t->effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
        if (!t->operator|| kube_is(t->operator, "Equal"))
                check_name_if(c, ".operator", NAME_LABEL_VALUE, t->value);
        else if (kube_is(t->operator, "Exists") && t->value)
                check_invalid(c, ".operator", t->value, "value must be empty when `operator` is 'Exists'");
        else if (!kube_is(t->operator, "Exists"))
                check_unsupported(c, ".operator", t->operator, operators);
        check_choice(c, ".effect", t->effect, effects);
}

static void check_lists(struct check *c) {
        const struct kube_pod_spec *spec = &c->pod->spec;
        size_t before;

        for (uint32_t i = 0; i < spec->tolerations.count; i++) {
                before = TRAIL_ENTER(c, ".tolerations[%u]", i);
                check_toleration(c, &spec->tolerations.items[i]);
                TRAIL_LEAVE(c, before);
        }
        for (uint32_t i = 0; i < spec->readiness_gates.count; i++) {
                before = TRAIL_ENTER(c, ".readinessGates[%u]", i);
                check_name_if(c, ".conditionType", NAME_QUALIFIED, spec->readiness_gates.items[i].condition_type ?: "");
                TRAIL_LEAVE(c, before);
        }
        if (spec->node_name && spec->scheduling_gates.count > 0)
                check_forbidden(c, ".nodeName", "cannot be set until all schedulingGates have been cleared");
        list_for_each (overhead, &spec->overhead)
                if (quantity_sign(overhead->amount) < 0)
                        check_invalid(c, ".overhead", overhead->name, "must be greater than or equal to 0");
}

static void check_host_users(struct check *c) {
        const struct kube_pod_spec *spec = &c->pod->spec;

        if (spec->host_users != TRI_FALSE)
                return;
        if (spec->host_network)
                check_forbidden(c, ".hostNetwork", "when `hostUsers` is false");
        if (spec->host_pid)
                check_forbidden(c, ".HostPID", "when `hostUsers` is false");
        if (spec->host_ipc)
                check_forbidden(c, ".HostIPC", "when `hostUsers` is false");
}

static void check_scalars(struct check *c) {
        static const char *const dns_policies[] = { "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None",
                                                    NULL };
        static const char *const preemptions[] = { "Never", "PreemptLowerPriority", NULL };
        static const char *const systems[] = { "linux", "windows", NULL };
        const struct kube_pod_spec *spec = &c->pod->spec;
        int64_t deadline = spec->active_deadline_seconds.value;

        if (spec->active_deadline_seconds.set && (deadline < 1 || deadline > INT32_MAX))
                check_invalid_int(c, ".activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive");
        check_name_if(c, ".serviceAccountName", NAME_SUBDOMAIN, spec->service_account_name);
        check_name_if(c, ".nodeName", NAME_SUBDOMAIN, spec->node_name);
        check_name_if(c, ".priorityClassName", NAME_SUBDOMAIN, spec->priority_class_name);
        check_name_if(c, ".runtimeClassName", NAME_SUBDOMAIN, spec->runtime_class_name);
        check_choice(c, ".preemptionPolicy", spec->preemption_policy, preemptions);
        check_choice(c, ".restartPolicy", spec->restart_policy, check_restart_policies);
        check_choice(c, ".dnsPolicy", spec->dns_policy, dns_policies);
        if (spec->os)
                check_choice(c, ".os.name", spec->os->name ?: "", systems);
        check_no_effect(c, ".schedulingGroup", spec->scheduling_group);
        check_no_effect(c, ".topologySpreadConstraints", spec->topology_spread_constraints.items);
        check_labels(c, ".nodeSelector", &spec->node_selector);
}

void pod_validate(const struct pod *pod, struct problems *problems) {
        struct check c = { .pod = pod, .problems = problems };

        check_metadata(&c);
        TRAIL_ENTER(&c, "spec");
        check_volumes(&c);
        check_containers(&c);
        check_pod_resources(&c);
        check_pod_security(&c);
        check_dns(&c);
        check_hostnames(&c);
        check_lists(&c);
        check_host_users(&c);
        check_scalars(&c);
        check_affinity(&c);
}
