/* What a pod has of its node. */
#include <stdio.h>
#include <string.h>

#include "api/admission/pod_security_check.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

void pod_check_host_namespaces(struct pod_check *c) {
        struct pod_words found = { 0 };

        if (c->spec->host_network)
                pod_words_add(c, &found, "hostNetwork=true");
        if (c->spec->host_pid)
                pod_words_add(c, &found, "hostPID=true");
        if (c->spec->host_ipc)
                pod_words_add(c, &found, "hostIPC=true");
        if (found.n > 0)
                pod_check_refuse(c, "host namespaces", "%s", pod_words_join(c, &found, ", "));
}

void pod_check_host_paths(struct pod_check *c) {
        struct pod_words bad = { 0 };

        list_for_each (volume, &c->spec->volumes)
                if (volume->host_path)
                        pod_words_add(c, &bad, volume->name);
        if (bad.n > 0)
                pod_check_refuse(c, "hostPath volumes", "%s %s", bad.n == 1 ? "volume" : "volumes",
                                 pod_words_quote(c, &bad));
}

void pod_check_host_ports(struct pod_check *c) {
        struct pod_words bad = { 0 }, ports = { 0 };

        POD_CHECK_EACH(container, c) {
                bool good = true;

                list_for_each (port, &container->ports)
                        if (port->host_port != 0) {
                                good = false;
                                pod_words_add_made(c, &ports, arena_printf(c->arena, "%d", port->host_port));
                        }
                if (!good)
                        pod_words_add(c, &bad, container->name);
        }
        pod_words_settle(&ports);
        if (bad.n > 0)
                pod_check_refuse(c, "hostPort", "%s %s %s %s", pod_words_containers(c, &bad),
                                 bad.n == 1 ? "uses" : "use", ports.n == 1 ? "hostPort" : "hostPorts",
                                 pod_words_join(c, &ports, ", "));
}

/* --- probes and hooks that ask another host --- */

static void add_host(struct pod_check *c, struct pod_words *hosts, const struct kube_http_get_action *http,
                     const struct kube_tcp_socket_action *tcp) {
        if (http && http->host && *http->host)
                pod_words_add(c, hosts, http->host);
        if (tcp && tcp->host && *tcp->host)
                pod_words_add(c, hosts, tcp->host);
}

static void add_probe(struct pod_check *c, struct pod_words *hosts, const struct kube_probe *probe) {
        if (probe)
                add_host(c, hosts, probe->http_get, probe->tcp_socket);
}

static void add_hook(struct pod_check *c, struct pod_words *hosts, const struct kube_lifecycle_handler *hook) {
        if (hook)
                add_host(c, hosts, hook->http_get, hook->tcp_socket);
}

void pod_check_host_probes(struct pod_check *c) {
        struct pod_words bad = { 0 }, hosts = { 0 };

        POD_CHECK_EACH(container, c) {
                uint32_t before = hosts.n;

                add_probe(c, &hosts, container->liveness_probe);
                add_probe(c, &hosts, container->readiness_probe);
                add_probe(c, &hosts, container->startup_probe);
                if (container->lifecycle) {
                        add_hook(c, &hosts, container->lifecycle->post_start);
                        add_hook(c, &hosts, container->lifecycle->pre_stop);
                }
                if (hosts.n > before)
                        pod_words_add(c, &bad, container->name);
        }
        pod_words_settle(&bad);
        pod_words_settle(&hosts);
        if (bad.n > 0)
                pod_check_refuse(c, "probe or lifecycle host", "%s %s %s %s", pod_words_containers(c, &bad),
                                 bad.n == 1 ? "uses" : "use",
                                 hosts.n == 1 ? "probe or lifecycle host" : "probe or lifecycle hosts",
                                 pod_words_quote(c, &hosts));
}

/* --- sysctls --- */

static bool is_safe_sysctl(const char *name, int32_t minor) {
        static const struct {
                const char *name;
                int32_t since;
        } safe[] = {
                { "kernel.shm_rmid_forced", 0 },
                { "net.ipv4.ip_local_port_range", 0 },
                { "net.ipv4.tcp_syncookies", 0 },
                { "net.ipv4.ping_group_range", 0 },
                { "net.ipv4.ip_unprivileged_port_start", 0 },
                { "net.ipv4.ip_local_reserved_ports", 27 },
                { "net.ipv4.tcp_keepalive_time", 29 },
                { "net.ipv4.tcp_fin_timeout", 29 },
                { "net.ipv4.tcp_keepalive_intvl", 29 },
                { "net.ipv4.tcp_keepalive_probes", 29 },
                { "net.ipv4.tcp_rmem", 32 },
                { "net.ipv4.tcp_wmem", 32 },
        };

        for (size_t i = 0; i < ELEMENTS(safe); i++)
                if (safe[i].since <= minor && strcmp(safe[i].name, name) == 0)
                        return true;
        return false;
}

void pod_check_sysctls(struct pod_check *c) {
        struct pod_words bad = { 0 };

        if (!c->spec->security_context)
                return;
        list_for_each (sysctl, &c->spec->security_context->sysctls)
                if (!is_safe_sysctl(sysctl->name ?: "", c->minor))
                        pod_words_add(c, &bad, sysctl->name);
        if (bad.n > 0)
                pod_check_refuse(c, "forbidden sysctls", "%s", pod_words_join(c, &bad, ", "));
}

/* --- volumes --- */

static bool is_harmless(const struct kube_volume *volume) {
        return volume->config_map || volume->csi || volume->downward_api || volume->empty_dir || volume->ephemeral ||
               volume->image || volume->persistent_volume_claim || volume->projected || volume->secret;
}

/* As its source is called in JSON: the first that is given, in the order of their rows. */
static const char *kind_of(const struct kube_volume *volume) {
        static const char *const order[] = { "hostPath",
                                             "gcePersistentDisk",
                                             "awsElasticBlockStore",
                                             "gitRepo",
                                             "nfs",
                                             "iscsi",
                                             "glusterfs",
                                             "rbd",
                                             "flexVolume",
                                             "cinder",
                                             "cephfs",
                                             "flocker",
                                             "fc",
                                             "azureFile",
                                             "vsphereVolume",
                                             "quobyte",
                                             "azureDisk",
                                             "photonPersistentDisk",
                                             "portworxVolume",
                                             "scaleIO",
                                             "storageos" };

        for (size_t i = 0; i < ELEMENTS(order); i++)
                if (kube_below(kube_type_field(&kube_volume_type, order[i], strlen(order[i])), volume))
                        return order[i];
        return "unknown";
}

void pod_check_volumes(struct pod_check *c) {
        struct pod_words bad = { 0 }, kinds = { 0 };

        list_for_each (volume, &c->spec->volumes)
                if (!is_harmless(volume)) {
                        pod_words_add(c, &bad, volume->name);
                        pod_words_add(c, &kinds, kind_of(volume));
                }
        pod_words_settle(&kinds);
        if (bad.n > 0)
                pod_check_refuse(c, "restricted volume types", "%s %s %s %s %s", bad.n == 1 ? "volume" : "volumes",
                                 pod_words_quote(c, &bad), bad.n == 1 ? "uses" : "use",
                                 kinds.n == 1 ? "restricted volume type" : "restricted volume types",
                                 pod_words_quote(c, &kinds));
}

/* --- Windows --- */

static bool is_host_process(const struct kube_windows_security_context_options *options) {
        return options && options->host_process == TRI_TRUE;
}

void pod_check_windows_process(struct pod_check *c) {
        const struct kube_pod_security_context *context = c->spec->security_context;
        struct pod_words bad = { 0 };
        const char *setters;

        POD_CHECK_EACH(container, c)
        if (container->security_context && is_host_process(container->security_context->windows_options))
                pod_words_add(c, &bad, container->name);
        setters = pod_check_setters(c, context && is_host_process(context->windows_options), &bad);
        if (setters)
                pod_check_refuse(c, "hostProcess", "%s must not set securityContext.windowsOptions.hostProcess=true",
                                 setters);
}
