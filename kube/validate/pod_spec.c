/* A pod's spec: all parts in kube-apiserver's order, and those that have no file of their own. */
#include <string.h>

#include "kube/validate/pod_rules.h"

#define NAMESERVERS_MAX 3
#define SEARCHES_MAX 32
#define SEARCH_BYTES_MAX 2048
#define HOSTNAME_BYTES_MAX 64

/* --- resource claims --- */

static void check_claim(struct validation *v, const struct place *at, const struct kube_pod_resource_claim *claim,
                        struct validate_set *names) {
        const char *own = claim->resource_claim_name, *template = claim->resource_claim_template_name;

        if (!claim->name || !*claim->name) {
                validate_required(v, FIELD(at, "name"), "");
        } else if (!validate_set_add(v, names, claim->name)) {
                validate_duplicate(v, FIELD(at, "name"), claim->name);
        } else {
                validate_name(v, FIELD(at, "name"), NAME_LABEL, claim->name);
        }
        if (own && template)
                validate_invalid_json(
                        v, at, validate_go_json(v, &kube_pod_resource_claim_type, claim),
                        "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
        if (!own && !template)
                validate_invalid_json(v, at, validate_go_json(v, &kube_pod_resource_claim_type, claim),
                                      "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
        if (own)
                validate_name(v, FIELD(at, "resourceClaimName"), NAME_SUBDOMAIN, own);
        if (template)
                validate_name(v, FIELD(at, "resourceClaimTemplateName"), NAME_SUBDOMAIN, template);
}

static void check_claims(struct validation *v, const struct place *at, struct pod_case *c) {
        _cleanup_validate_set_ struct validate_set names = { 0 };
        bool mirror = c->meta && string_map_get(&c->meta->annotations, "kubernetes.io/config.mirror");

        for (uint32_t i = 0; i < c->spec->resource_claims.count; i++) {
                const struct kube_pod_resource_claim *claim = &c->spec->resource_claims.items[i];

                if (claim->name && *claim->name)
                        validate_set_add(v, &c->claims, claim->name);
                if (mirror)
                        validate_forbidden(v, ENTRY(NULL, ""), "static pods do not support resource claims");
                else
                        check_claim(v, ITEM(at, i), claim, &names);
        }
}

/* --- network --- */

static void check_host_network(struct validation *v, const struct place *at, const struct pod_case *c) {
        for (uint32_t i = 0; c->spec->host_network && i < c->spec->containers.count; i++) {
                const struct place *ports = FIELD(ITEM(FIELD(at, "containers"), i), "ports");
                const kube_container_port_items *list = &c->spec->containers.items[i].ports;

                for (uint32_t j = 0; j < list->count; j++)
                        if ((c->is_pod || list->items[j].host_port != 0) &&
                            list->items[j].host_port != list->items[j].container_port)
                                validate_invalid_int(v, FIELD(ITEM(ports, j), "hostPort"), list->items[j].host_port,
                                                     "must match `containerPort` when `hostNetwork` is true");
        }
}

/* "." alone, and a dot at the end, are what resolvers know. */
static void check_search(struct validation *v, const struct place *at, const char *search) {
        size_t n = strlen(search);
        const char *name;

        if (strcmp(search, ".") == 0)
                return;
        name = n > 0 && search[n - 1] == '.' ? validate_copy(v, search, n - 1) : search;
        validate_name(v, at, NAME_SUBDOMAIN_UNDERSCORE, name);
}

static void check_searches(struct validation *v, const struct place *at, const string_list *searches) {
        size_t bytes = 0;

        list_for_each (search, searches)
                bytes += strlen(*search ?: "") + 1;
        if (searches->count > SEARCHES_MAX)
                validate_invalid_json(v, at, validate_json_strings(v, searches),
                                      "must not have more than 32 search paths");
        if (bytes > SEARCH_BYTES_MAX + 1)
                validate_invalid_json(v, at, validate_json_strings(v, searches),
                                      "must not have more than 2048 characters (including spaces) in the search list");
        for (uint32_t i = 0; i < searches->count; i++)
                check_search(v, ITEM(at, i), searches->items[i] ?: "");
}

static void check_dns(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        const struct kube_pod_dns_config *dns = spec->dns_config;
        const struct place *servers = FIELD(at, "nameservers");

        if (kube_is(spec->dns_policy, "None") && !dns) {
                validate_required(v, at, "must provide `dnsConfig` when `dnsPolicy` is None");
                return;
        }
        if (kube_is(spec->dns_policy, "None") && dns->nameservers.count == 0) {
                validate_required(v, servers, "must provide at least one DNS nameserver when `dnsPolicy` is None");
                return;
        }
        if (!dns)
                return;
        if (dns->nameservers.count > NAMESERVERS_MAX)
                validate_invalid_json(v, servers, validate_json_strings(v, &dns->nameservers),
                                      "must not have more than 3 nameservers");
        for (uint32_t i = 0; i < dns->nameservers.count; i++)
                validate_ip(v, ITEM(servers, i), dns->nameservers.items[i], NULL);
        check_searches(v, FIELD(at, "searches"), &dns->searches);
        for (uint32_t i = 0; i < dns->options.count; i++)
                if (!dns->options.items[i].name || !*dns->options.items[i].name)
                        validate_required(v, ITEM(FIELD(at, "options"), i), "must not be empty");
}

static void check_host_aliases(struct validation *v, const struct place *at, const kube_host_alias_items *list) {
        for (uint32_t i = 0; i < list->count; i++) {
                const struct place *here = ITEM(at, i);

                validate_ip(v, FIELD(here, "ip"), list->items[i].ip, NULL);
                for (uint32_t j = 0; j < list->items[i].hostnames.count; j++)
                        validate_name(v, ITEM(FIELD(here, "hostnames"), j), NAME_SUBDOMAIN,
                                      list->items[i].hostnames.items[j]);
        }
}

/* --- gates --- */

static void check_gates(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < spec->readiness_gates.count; i++)
                validate_name(v, FIELD(ITEM(FIELD(at, "readinessGates"), i), "conditionType"), NAME_QUALIFIED,
                              spec->readiness_gates.items[i].condition_type);
        for (uint32_t i = 0; i < spec->scheduling_gates.count; i++) {
                const char *name = spec->scheduling_gates.items[i].name;
                const struct place *here = ITEM(FIELD(at, "schedulingGates"), i);

                validate_name(v, here, NAME_QUALIFIED, name);
                if (!validate_set_add(v, &seen, name))
                        validate_duplicate(v, here, name);
        }
}

/* --- users, names, files --- */

static void check_host_users(struct validation *v, const struct place *at, const struct pod_case *c) {
        if (c->host_users)
                return;
        if (c->spec->host_network && !c->options.user_namespace_network)
                validate_forbidden(v, FIELD(at, "hostNetwork"), "when `hostUsers` is false");
        if (c->spec->host_pid)
                validate_forbidden(v, FIELD(at, "HostPID"), "when `hostUsers` is false");
        if (c->spec->host_ipc)
                validate_forbidden(v, FIELD(at, "HostIPC"), "when `hostUsers` is false");
        if (c->options.user_namespace_devices)
                return;
        for (struct container_visit visit = { 0 }; validate_next_container(c->spec, &visit);)
                if (visit.container->volume_devices.count > 0)
                        validate_forbidden(v, FIELD(VISIT_PLACE(at, &visit), "volumeDevices"),
                                           "when `hostUsers` is false");
}

static void check_hostname_override(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        const struct place *here = FIELD(at, "hostnameOverride");

        if (!spec->hostname_override)
                return;
        if (spec->set_hostname_as_fqdn == TRI_TRUE)
                validate_forbidden(v, here, "may not be specified when setHostnameAsFQDN is true");
        if (spec->host_network)
                validate_forbidden(v, here, "may not be specified when hostNetwork is true");
        if (strlen(spec->hostname_override) > HOSTNAME_BYTES_MAX)
                validate_too_long(v, here, HOSTNAME_BYTES_MAX);
        validate_name(v, here, NAME_SUBDOMAIN, spec->hostname_override);
}

/* A file of variables is in an emptyDir of the pod. */
static void check_file_volumes(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        _cleanup_validate_set_ struct validate_set all = { 0 }, empty = { 0 };

        list_for_each (volume, &spec->volumes) {
                validate_set_add(v, &all, volume->name);
                if (volume->empty_dir)
                        validate_set_add(v, &empty, volume->name);
        }
        for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit);) {
                const struct place *env = FIELD(VISIT_PLACE(at, &visit), "env");

                for (uint32_t i = 0; i < visit.container->env.count; i++) {
                        const struct kube_env_var_source *from = visit.container->env.items[i].value_from;
                        const char *name = from && from->file_key_ref ? from->file_key_ref->volume_name : NULL;
                        const struct place *here = FIELD(FIELD(ITEM(env, i), "valueFrom"), "fileKeyRef");

                        if (!from || !from->file_key_ref)
                                continue;
                        if (!validate_set_has(&all, name))
                                validate_not_found(v, FIELD(here, "volumeName"), name, "");
                        else if (!validate_set_has(&empty, name))
                                validate_invalid(v, FIELD(here, "volumeName"), name,
                                                 "referenced volume must be of type emptyDir");
                }
        }
}

/* --- choices and names --- */

static void check_word(struct validation *v, const struct place *at, const char *word, const char *const *choices) {
        if (!word || !*word)
                validate_required(v, at, "");
        else
                validate_choice(v, at, word, choices);
}

void validate_preemption_policy(struct validation *v, const struct place *at, const char *policy) {
        check_word(v, at, policy, POD_TEXTS("PreemptLowerPriority", "Never"));
}

static void check_name(struct validation *v, const struct place *at, const char *field, enum name_rule rule,
                       const char *name) {
        if (name && *name)
                validate_name(v, FIELD(at, field), rule, name);
}

static void check_names(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        check_name(v, at, "serviceAccountName", NAME_SUBDOMAIN, spec->service_account_name);
        check_name(v, at, "nodeName", NAME_SUBDOMAIN, spec->node_name);
        if (spec->active_deadline_seconds.set)
                validate_range(v, FIELD(at, "activeDeadlineSeconds"), spec->active_deadline_seconds.value, 1,
                               INT32_MAX);
        check_name(v, at, "hostname", NAME_LABEL, spec->hostname);
        check_name(v, at, "subdomain", NAME_LABEL, spec->subdomain);
}

static void check_classes(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        check_name(v, at, "priorityClassName", NAME_SUBDOMAIN, spec->priority_class_name);
        if (spec->runtime_class_name)
                validate_name(v, FIELD(at, "runtimeClassName"), NAME_SUBDOMAIN, spec->runtime_class_name);
        if (spec->preemption_policy)
                validate_preemption_policy(v, FIELD(at, "preemptionPolicy"), spec->preemption_policy);
}

static void check_scheduling_group(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        const struct place *name = FIELD(FIELD(at, "schedulingGroup"), "podGroupName");

        if (!spec->scheduling_group)
                return;
        if (!spec->scheduling_group->pod_group_name)
                validate_invalid_json(v, name, "null", "must specify one of: `podGroupName`");
        else
                validate_name(v, name, NAME_SUBDOMAIN, spec->scheduling_group->pod_group_name);
}

static void check_overhead(struct validation *v, const struct place *at, const struct pod_case *c) {
        const struct validate_requirements rules = { validate_container_resource, NULL, c->options.indivisible_pages };
        const struct kube_resource_requirements overhead = { .limits = c->spec->overhead };

        if (c->spec->overhead.items)
                validate_requirements(v, FIELD(at, "overhead"), &overhead, &rules);
}

static void check_policies(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        check_word(v, FIELD(at, "restartPolicy"), spec->restart_policy, POD_TEXTS("Always", "OnFailure", "Never"));
        check_word(v, FIELD(at, "dnsPolicy"), spec->dns_policy,
                   POD_TEXTS("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"));
        validate_labels(v, FIELD(at, "nodeSelector"), &spec->node_selector);
}

/* --- all of it --- */

static void check_parts(struct validation *v, const struct place *at, struct pod_case *c) {
        if (!c->spec->termination_grace_period_seconds.set)
                validate_required(v, FIELD(at, "terminationGracePeriodSeconds"), "");
        validate_volumes(v, FIELD(at, "volumes"), c);
        check_claims(v, FIELD(at, "resourceClaims"), c);
        validate_containers(v, FIELD(at, "containers"), c);
        validate_init_containers(v, FIELD(at, "initContainers"), c);
        validate_ephemeral_containers(v, FIELD(at, "ephemeralContainers"), c);
        validate_pod_resources(v, at, c);
        check_host_network(v, at, c);
        check_policies(v, at, c->spec);
        validate_pod_security(v, FIELD(at, "securityContext"), c);
        validate_affinity(v, FIELD(at, "affinity"), c);
        check_dns(v, FIELD(at, "dnsConfig"), c->spec);
        check_gates(v, at, c->spec);
        validate_spread(v, FIELD(at, "topologySpreadConstraints"), c);
}

void validate_pod_spec(struct validation *v, const struct place *at, struct pod_case *c) {
        c->host_users = c->spec->host_users != TRI_FALSE;
        check_parts(v, at, c);
        validate_host_process(v, at, c->spec);
        check_host_users(v, at, c);
        check_hostname_override(v, at, c->spec);
        check_names(v, at, c->spec);
        validate_tolerations(v, FIELD(at, "tolerations"), &c->spec->tolerations);
        check_host_aliases(v, FIELD(at, "hostAliases"), &c->spec->host_aliases);
        check_classes(v, at, c->spec);
        check_overhead(v, at, c);
        validate_os(v, at, c->spec);
        check_scheduling_group(v, at, c->spec);
        check_file_volumes(v, at, c->spec);
        validate_set_clear(&c->volumes);
        validate_set_clear(&c->claims);
}
