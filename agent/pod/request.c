/* A pod's sandbox as CRI's message: what kubelet's generatePodSandboxConfig() makes of it. */
#include <errno.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/container/request.h"
#include "agent/node/dns.h"
#include "agent/pod/internal.h"
#include "kube/names.h"
#include "kube/pod/resource_list.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static bool set_labels(struct arena *arena, const struct pod *pod, Cri__PodSandboxConfig *config) {
        struct request_pairs labels = request_pairs_new(arena, &cri__pod_sandbox_config__labels_entry__descriptor,
                                                        pod->metadata.labels.count + REQUEST_POD_LABELS);
        struct request_pairs notes = request_pairs_new(arena, &cri__pod_sandbox_config__annotations_entry__descriptor,
                                                       pod->metadata.annotations.count);

        list_for_each (label, &pod->metadata.labels)
                request_pairs_add(&labels, label->key, label->value ?: "");
        request_pairs_add_pod(&labels, pod);
        list_for_each (note, &pod->metadata.annotations)
                request_pairs_add(&notes, note->key, note->value ?: "");
        config->labels = labels.items;
        config->n_labels = labels.n;
        config->annotations = notes.items;
        config->n_annotations = notes.n;
        return !labels.failed && !notes.failed;
}

static Cri__Protocol protocol(const char *protocol) {
        return strcmp(protocol, "UDP") == 0  ? CRI__PROTOCOL__UDP :
               strcmp(protocol, "SCTP") == 0 ? CRI__PROTOCOL__SCTP :
                                               CRI__PROTOCOL__TCP;
}

static bool add_ports(struct arena *arena, const struct kube_container *c, Cri__PodSandboxConfig *config) {
        list_for_each (port, &c->ports) {
                Cri__PortMapping *mapping = arena_new_message(arena, Cri__PortMapping, cri__port_mapping__init);

                if (!mapping)
                        return false;
                mapping->protocol = protocol(port->protocol);
                mapping->container_port = port->container_port;
                mapping->host_port = port->host_port;
                if (port->host_ip)
                        mapping->host_ip = (char *)port->host_ip;
                config->port_mappings[config->n_port_mappings++] = mapping;
        }
        return true;
}

static bool set_ports(struct arena *arena, const struct pod *pod, Cri__PodSandboxConfig *config) {
        const kube_container_items *lists[] = { &pod->spec.init_containers, &pod->spec.containers };
        size_t n = 0;

        if (pod->spec.host_network)
                return true;
        for (size_t l = 0; l < ELEMENTS(lists); l++)
                list_for_each (c, lists[l])
                        n += c->ports.count;
        if (!(config->port_mappings = arena_alloc_array(arena, n + 1, sizeof(*config->port_mappings))))
                return false;
        for (size_t l = 0; l < ELEMENTS(lists); l++)
                list_for_each (c, lists[l])
                        if (!add_ports(arena, c, config))
                                return false;
        return true;
}

static bool set_dns(struct arena *arena, const struct dns_choice *choice, Cri__PodSandboxConfig *config) {
        struct dns_lists lists;
        Cri__DNSConfig *dns;

        if (!choice)
                return true;
        lists = dns_choice_lists(choice);
        if (!(dns = arena_new_message(arena, Cri__DNSConfig, cri__dnsconfig__init)))
                return false;
        dns->servers = lists.servers;
        dns->n_servers = lists.n_servers;
        dns->searches = lists.searches;
        dns->n_searches = lists.n_searches;
        dns->options = lists.options;
        dns->n_options = lists.n_options;
        config->dns_config = dns;
        return true;
}

static int64_t units(const resource_list *list, const char *name) {
        const struct quantity *amount = resource_get(list, name);

        return !amount ? 0 : strcmp(name, "cpu") == 0 ? quantity_milli(*amount) : quantity_units(*amount);
}

/* The sums, also where some container has no limit: for the runtime to know, not to set. */
static Cri__LinuxContainerResources *pod_resources(struct arena *arena, const struct worker *w) {
        Cri__LinuxContainerResources *r =
                arena_new_message(arena, Cri__LinuxContainerResources, cri__linux_container_resources__init);
        resource_list requests = { 0 }, limits = { 0 };

        if (!r || !pod_requests(arena, w->pod, &requests) || !pod_limits(arena, w->pod, &limits))
                return NULL;
        r->cpu_shares = (int64_t)pod_cpu_shares(units(&requests, "cpu"));
        r->cpu_period = POD_CPU_PERIOD_DEFAULT;
        r->cpu_quota = pod_cpu_quota(units(&limits, "cpu"), POD_CPU_PERIOD_DEFAULT);
        r->memory_limit_in_bytes = units(&limits, "memory");
        return r;
}

static Cri__LinuxContainerResources *pod_overhead(struct arena *arena, const struct worker *w) {
        Cri__LinuxContainerResources *r =
                arena_new_message(arena, Cri__LinuxContainerResources, cri__linux_container_resources__init);
        const resource_list *overhead = &w->pod->spec.overhead;

        if (r && overhead->count > 0) {
                r->cpu_shares = (int64_t)pod_cpu_shares(units(overhead, "cpu"));
                r->cpu_period = POD_CPU_PERIOD_DEFAULT;
                r->cpu_quota = pod_cpu_quota(units(overhead, "cpu"), r->cpu_period);
                r->memory_limit_in_bytes = units(overhead, "memory");
        }
        return r;
}

static bool any_privileged(const struct pod *pod) {
        const kube_container_items *lists[] = { &pod->spec.init_containers, &pod->spec.containers };

        for (size_t l = 0; l < ELEMENTS(lists); l++)
                list_for_each (c, lists[l])
                        if (c->security_context && c->security_context->privileged == TRI_TRUE)
                                return true;
        return false;
}

static bool set_user(struct arena *arena, const struct kube_pod_security_context *security,
                     Cri__LinuxSandboxSecurityContext *s) {
        s->supplemental_groups_policy = request_groups_policy(security);
        return request_number(arena, &security->run_as_user, &s->run_as_user) &&
               request_number(arena, &security->run_as_group, &s->run_as_group) &&
               request_groups(arena, security, &s->supplemental_groups, &s->n_supplemental_groups);
}

static Cri__LinuxSandboxSecurityContext *make_security(struct arena *arena, const struct worker *w) {
        Cri__LinuxSandboxSecurityContext *s =
                arena_new_message(arena, Cri__LinuxSandboxSecurityContext, cri__linux_sandbox_security_context__init);
        const struct kube_pod_security_context *security = w->pod->spec.security_context;

        if (!s || !(s->namespace_options = request_namespaces(arena, w->pod, w->sandbox.userns)))
                return NULL;
        s->privileged = any_privileged(w->pod);
        /* kubelet runs every sandbox confined, whatever its containers have. */
        s->seccomp = request_profile(arena, (struct pod_profile){ 0 }, NULL,
                                     CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault);
        return s->seccomp && (!security || set_user(arena, security, s)) ? s : NULL;
}

static bool set_sysctls(struct arena *arena, const struct kube_pod_security_context *security,
                        Cri__LinuxPodSandboxConfig *config) {
        if (!security || !security->sysctls.count)
                return true;
        config->sysctls = arena_alloc_array(arena, security->sysctls.count, sizeof(*config->sysctls));
        if (!config->sysctls)
                return false;
        list_for_each (sysctl, &security->sysctls) {
                char name[SYSCTL_NAME_MAX + 1];
                Cri__LinuxPodSandboxConfig__SysctlsEntry *entry =
                        arena_new_message(arena, Cri__LinuxPodSandboxConfig__SysctlsEntry,
                                          cri__linux_pod_sandbox_config__sysctls_entry__init);

                if (!entry || !(entry->key = arena_strdup(arena, sysctl_name(sysctl->name, name))))
                        return false;
                entry->value = (char *)sysctl->value;
                config->sysctls[config->n_sysctls++] = entry;
        }
        return true;
}

static Cri__LinuxPodSandboxConfig *make_linux(struct arena *arena, const struct worker *w) {
        Cri__LinuxPodSandboxConfig *config =
                arena_new_message(arena, Cri__LinuxPodSandboxConfig, cri__linux_pod_sandbox_config__init);

        if (!config || !(config->cgroup_parent = (char *)pod_files_cgroup(arena, w->node->world.options, w->pod)) ||
            !(config->resources = pod_resources(arena, w)) || !(config->overhead = pod_overhead(arena, w)) ||
            !(config->security_context = make_security(arena, w)) ||
            !set_sysctls(arena, w->pod->spec.security_context, config))
                return NULL;
        return config;
}

static bool set_identity(struct arena *arena, const struct worker *w, Cri__PodSandboxConfig *config) {
        Cri__PodSandboxMetadata *metadata =
                arena_new_message(arena, Cri__PodSandboxMetadata, cri__pod_sandbox_metadata__init);

        if (!metadata)
                return false;
        metadata->name = (char *)w->pod->metadata.name;
        metadata->namespace_ = (char *)w->pod->metadata.namespace;
        metadata->uid = (char *)w->pod->metadata.uid;
        metadata->attempt = w->sandbox_attempt;
        config->metadata = metadata;
        config->log_directory = (char *)pod_files_logs(arena, w->node->world.options, w->pod);
        return config->log_directory;
}

Cri__PodSandboxConfig *worker_sandbox_config(struct arena *arena, const struct worker *w, struct err **err) {
        Cri__PodSandboxConfig *config = arena_new_message(arena, Cri__PodSandboxConfig, cri__pod_sandbox_config__init);
        const char *hostname;

        if (config && !w->pod->spec.host_network) {
                if (dns_kernel_hostname(arena, w->pod, w->node->world.options, &hostname, err) < 0)
                        return NULL;
                config->hostname = (char *)hostname;
        }
        if (!config || !set_identity(arena, w, config) || !set_labels(arena, w->pod, config) ||
            !set_ports(arena, w->pod, config) || !set_dns(arena, w->dns, config) ||
            !(config->linux = make_linux(arena, w))) {
                err_set(err, ENOMEM, "out of memory");
                return NULL;
        }
        return config;
}
