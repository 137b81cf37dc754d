#include "agent/admission/admission.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/admission/internal.h"
#include "agent/node/facts.h"
#include "kube/names.h"
#include "kube/pod/node_selector.h"
#include "lib/cleanup.h"

#define ANY_IP "0.0.0.0"
#define APPARMOR_ANNOTATION "container.apparmor.security.beta.kubernetes.io/"

bool admission_reject(struct rejection *ret, const char *reason, const char *format, ...) {
        va_list args;

        snprintf(ret->reason, sizeof(ret->reason), "%s", reason);
        va_start(args, format);
        vsnprintf(ret->message, sizeof(ret->message), format, args);
        va_end(args);
        return false;
}

/* -- sysctls ----------------------------------------------------------------------------------------------- */

/* Of one pod alone, and without effect on others. */
static const char safe_sysctls[] = "kernel.shm_rmid_forced,net.ipv4.ip_local_port_range,net.ipv4.tcp_syncookies,"
                                   "net.ipv4.ping_group_range,net.ipv4.ip_unprivileged_port_start,"
                                   "net.ipv4.ip_local_reserved_ports,net.ipv4.tcp_keepalive_time,"
                                   "net.ipv4.tcp_fin_timeout,net.ipv4.tcp_keepalive_intvl,"
                                   "net.ipv4.tcp_keepalive_probes,net.ipv4.tcp_rmem,net.ipv4.tcp_wmem";

static bool is_listed(const char *name, const char *list) {
        for (const char *p = list; p && *p;) {
                size_t n = strcspn(p, ",");
                bool prefix = n > 0 && p[n - 1] == '*';

                if (prefix ? strncmp(name, p, n - 1) == 0 : strlen(name) == n && strncmp(name, p, n) == 0)
                        return true;
                p += n + (p[n] == ',');
        }
        return false;
}

static bool ask_sysctls(const struct admission_node *node, const struct pod *pod, struct rejection *ret) {
        char name[SYSCTL_NAME_MAX + 1];

        list_for_each (sysctl, &pod->spec.security_context->sysctls) {
                sysctl_name(sysctl->name, name);
                if (!is_listed(name, safe_sysctls) && !is_listed(name, node->unsafe_sysctls))
                        return admission_reject(ret, "SysctlForbidden", "forbidden sysctl: \"%s\" not allowlisted",
                                                name);
        }
        return true;
}

/* -- the node's kind --------------------------------------------------------------------------------------- */

static bool ask_os(const struct admission_node *node, const struct pod *pod, struct rejection *ret) {
        const char *label = string_map_get(&pod->metadata.labels, "kubernetes.io/os");

        if (label && strcmp(label, "linux") != 0)
                return admission_reject(ret, "PodOSSelectorNodeLabelDoesNotMatch",
                                        "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label");
        if (pod->spec.os && strcmp(pod->spec.os->name, "linux") != 0)
                return admission_reject(ret, "PodOSNotSupported",
                                        "Failed to admit pod as the OS field doesn't match node OS");
        return true;
}

static bool ask_affinity(const struct admission_node *node, const struct pod *pod, struct rejection *ret) {
        struct string_pair pairs[] = {
                { "kubernetes.io/arch", node->facts->arch },
                { "kubernetes.io/hostname", node->name },
                { "kubernetes.io/os", "linux" },
        };
        const string_map common = { pairs, ELEMENTS(pairs) };
        const string_map *labels = node->labels ?: &common;

        if (pod_fits_node(&pod->spec, labels, node->name))
                return true;
        return admission_reject(ret, "NodeAffinity",
                                "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector");
}

/* -- ports ------------------------------------------------------------------------------------------------- */

static bool is_any(const char *ip) {
        return !ip || !*ip || strcmp(ip, ANY_IP) == 0 || strcmp(ip, "::") == 0;
}

static bool same_port(const struct kube_container_port *a, const struct kube_container_port *b) {
        return a->host_port == b->host_port && strcmp(a->protocol, b->protocol) == 0 &&
               (is_any(a->host_ip) || is_any(b->host_ip) || strcmp(a->host_ip, b->host_ip) == 0);
}

static const struct kube_container_port *find_port(const kube_container_items *containers,
                                                   const struct kube_container_port *wanted) {
        list_for_each (c, containers)
                list_for_each (port, &c->ports)
                        if (port->host_port > 0 && same_port(port, wanted))
                                return port;
        return NULL;
}

static const struct pod *find_holder(const struct admission_node *node, const struct kube_container_port *wanted) {
        for (size_t i = 0; i < node->n_pods; i++)
                if (find_port(&node->pods[i]->spec.containers, wanted) ||
                    find_port(&node->pods[i]->spec.init_containers, wanted))
                        return node->pods[i];
        return NULL;
}

static bool ask_port_list(const struct admission_node *node, const kube_container_items *containers,
                          struct rejection *ret) {
        list_for_each (c, containers) {
                list_for_each (port, &c->ports) {
                        const struct pod *holder = port->host_port > 0 ? find_holder(node, port) : NULL;

                        if (holder)
                                return admission_reject(
                                        ret, "NodePorts",
                                        "Predicate NodePorts failed: node(s) didn't have free ports for the "
                                        "requested pod ports: pod %s/%s has port %d",
                                        holder->metadata.namespace, holder->metadata.name, port->host_port);
                }
        }
        return true;
}

static bool ask_ports(const struct admission_node *node, const struct pod *pod, struct rejection *ret) {
        return ask_port_list(node, &pod->spec.init_containers, ret) && ask_port_list(node, &pod->spec.containers, ret);
}

/* -- AppArmor ---------------------------------------------------------------------------------------------- */

static bool confines(const struct kube_app_armor_profile *profile) {
        return profile && profile->type && !kube_is(profile->type, "Unconfined");
}

static bool any_confined(const kube_container_items *containers) {
        list_for_each (c, containers)
                if (c->security_context && confines(c->security_context->app_armor_profile))
                        return true;
        return false;
}

static bool wants_apparmor(const struct pod *pod) {
        if (confines(pod->spec.security_context->app_armor_profile) || any_confined(&pod->spec.init_containers) ||
            any_confined(&pod->spec.containers))
                return true;
        list_for_each (a, &pod->metadata.annotations)
                if (strncmp(a->key, APPARMOR_ANNOTATION, sizeof(APPARMOR_ANNOTATION) - 1) == 0 &&
                    strcmp(a->value, "unconfined") != 0)
                        return true;
        return false;
}

static bool ask_apparmor(const struct admission_node *node, const struct pod *pod, struct rejection *ret) {
        if (node->facts->apparmor || !wants_apparmor(pod))
                return true;
        return admission_reject(ret, "AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host");
}

static bool (*const handlers[])(const struct admission_node *node, const struct pod *pod, struct rejection *ret) = {
        ask_sysctls, ask_os, ask_affinity, ask_ports, admission_resources, ask_apparmor,
};

bool admission_ask(const struct admission_node *node, const struct pod *pod, struct rejection *ret_rejection) {
        for (size_t i = 0; i < ELEMENTS(handlers); i++)
                if (!handlers[i](node, pod, ret_rejection))
                        return false;
        return true;
}

bool admission_others(const struct admission_node *node, const struct pod *pod) {
        struct rejection ignored;

        for (size_t i = 0; i < ELEMENTS(handlers); i++)
                if (handlers[i] != admission_resources && !handlers[i](node, pod, &ignored))
                        return false;
        return true;
}
