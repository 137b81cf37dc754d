#include "agent/config/settle.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cpus/cpus.h"
#include "lib/cleanup.h"

#define DEFAULT_ROOT "/var/lib/nacelle"

static char *host_name(void) {
        char name[HOST_NAME_MAX + 1] = "";

        if (gethostname(name, sizeof(name) - 1) < 0 || !name[0])
                return NULL;
        for (char *p = name; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        return strdup(name);
}

static int default_text(char **field, const char *value) {
        if (*field)
                return 0;
        return (*field = strdup(value)) ? 0 : -ENOMEM;
}

static int default_below(char **field, const char *folder, const char *name) {
        if (*field)
                return 0;
        return asprintf(field, "%s/%s", folder, name) < 0 ? (*field = NULL, -ENOMEM) : 0;
}

static int fill_defaults(struct options *o, struct err **err) {
        int r = 0;

        r |= default_text(&o->root_dir, DEFAULT_ROOT);
        if (o->root_dir)
                r |= default_text(&o->kubelet_dir,
                                  strcmp(o->root_dir, DEFAULT_ROOT) == 0 ? "/var/lib/kubelet" : o->root_dir);
        r |= default_text(&o->run_dir, "/run/nacelle");
        r |= default_text(&o->manifest_dir, "/etc/nacelle/manifests");
        r |= default_text(&o->pod_logs_dir, "/var/log/pods");
        r |= default_text(&o->pod_cidr, o->kubeconfig ? "" : OPTIONS_POD_CIDR);
        r |= default_text(&o->bridge, "nacelle0");
        r |= default_text(&o->cgroup_root, "/nacelle");
        r |= default_text(&o->resolv_conf, "/etc/resolv.conf");
        r |= default_text(&o->server.mode, "Webhook");
        r |= default_text(&o->cni_conf_dir, "/etc/cni/net.d");
        r |= default_text(&o->cni_bin_dir, "/opt/cni/bin");
        r |= default_text(&o->cpu_policy, "none");
        r |= default_text(&o->topology_policy, "none");
        r |= default_text(&o->memory_policy, "None");
        if (r)
                return err_set(err, ENOMEM, "out of memory");
        if (default_below(&o->socket, o->run_dir, "nacelle.sock") < 0 ||
            default_below(&o->seccomp_dir, o->root_dir, "seccomp") < 0 ||
            default_below(&o->cert_dir, o->root_dir, "pki") < 0)
                return err_set(err, ENOMEM, "out of memory");
        if (!o->node_name && !(o->node_name = host_name()))
                return err_set(err, ENOENT, "the host has no name; use --hostname-override");
        return 0;
}

static int check_absolute(const char *flag, const char *path, struct err **err) {
        if (path && path[0] != '/')
                return err_set(err, EINVAL, "--%s: \"%s\" is not an absolute path", flag, path);
        return 0;
}

static int check_node_name(const char *name, struct err **err) {
        size_t length = strlen(name);

        if (length == 0 || length > 253 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != length ||
            !isalnum((unsigned char)name[0]) || !isalnum((unsigned char)name[length - 1]))
                return err_set(err, EINVAL, "--hostname-override: \"%s\" is not a lowercase RFC 1123 subdomain", name);
        return 0;
}

static int check_cidr(const char *text, struct err **err) {
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *one;
        unsigned char address[16];

        if (!copy)
                return err_set(err, ENOMEM, "out of memory");
        while ((one = strsep(&rest, ","))) {
                char *slash = strchr(one, '/'), *end = NULL;
                int family = strchr(one, ':') ? AF_INET6 : AF_INET;

                if (slash)
                        *slash = '\0';
                long bits = slash && slash[1] ? strtol(slash + 1, &end, 10) : -1;
                if (inet_pton(family, one, address) != 1 || !end || *end || bits < 1 ||
                    bits > (family == AF_INET ? 30 : 126))
                        return err_set(err, EINVAL, "--pod-cidr: \"%s\" is not a network like " OPTIONS_POD_CIDR, text);
        }
        return 0;
}

/* A cgroup below the root of the tree: "/", "." and ".." in it would reach the host's own. */
static int check_cgroup_root(const char *path, struct err **err) {
        if (path[0] != '/' || strstr(path, "/../") || strstr(path, "/./") || strstr(path, "//"))
                return err_set(err, EINVAL, "--cgroup-root: \"%s\" is not a cgroup's path like /nacelle", path);
        return 0;
}

static int check_server(const struct options *o, struct err **err) {
        const struct options_server *s = &o->server;
        unsigned char address[16];
        bool asks = strcmp(s->mode, "Webhook") == 0;

        if (s->address && inet_pton(AF_INET, s->address, address) != 1 && inet_pton(AF_INET6, s->address, address) != 1)
                return err_set(err, EINVAL, "--address: \"%s\" is not an address", s->address);
        if (s->port > 65535)
                return err_set(err, EINVAL, "--port: %d is not a port", s->port);
        if (!s->certificate != !s->key)
                return err_set(err, EINVAL, "--tls-cert-file and --tls-private-key-file go together");
        if (!asks && strcmp(s->mode, "AlwaysAllow") != 0)
                return err_set(err, EINVAL, "--authorization-mode: \"%s\" is neither Webhook nor AlwaysAllow", s->mode);
        if (s->port > 0 && !o->kubeconfig && (asks || s->tokens))
                return err_set(err, EINVAL,
                               "--port: without --kubeconfig there is no service to ask about clients; give "
                               "--authentication-token-webhook=false, --authorization-mode AlwaysAllow and "
                               "--client-ca-file");
        return 0;
}

static int check_managers(const struct options *o, struct err **err) {
        int r;

        if ((r = cpus_check(o->cpu_policy, o->cpu_options, err)) < 0)
                return err_wrap(err, r, "cpuManagerPolicy");
        if (strcmp(o->topology_policy, "none") != 0)
                return err_set(err, EINVAL, "topologyManagerPolicy: \"%s\" is not supported, only none is",
                               o->topology_policy);
        if (strcmp(o->memory_policy, "None") != 0)
                return err_set(err, EINVAL, "memoryManagerPolicy: \"%s\" is not supported, only None is",
                               o->memory_policy);
        return 0;
}

static int check(const struct options *o, struct err **err) {
        unsigned char address[16];
        int r;

        if ((r = check_absolute("root-dir", o->root_dir, err)) < 0 ||
            (r = check_absolute("run-dir", o->run_dir, err)) < 0 ||
            (r = check_absolute("libexec-dir", o->libexec_dir, err)) < 0 ||
            (r = check_absolute("kubelet-dir", o->kubelet_dir, err)) < 0 ||
            (r = check_absolute("pod-manifest-path", o->manifest_dir, err)) < 0 ||
            (r = check_absolute("image-credential-provider-bin-dir", o->provider_bin_dir, err)) < 0 ||
            (r = check_absolute("pod-logs-dir", o->pod_logs_dir, err)) < 0 ||
            (r = check_node_name(o->node_name, err)) < 0 || (*o->pod_cidr && (r = check_cidr(o->pod_cidr, err)) < 0) ||
            (r = check_cgroup_root(o->cgroup_root, err)) < 0)
                return r;
        if (o->node_ip && inet_pton(AF_INET, o->node_ip, address) != 1 && inet_pton(AF_INET6, o->node_ip, address) != 1)
                return err_set(err, EINVAL, "--node-ip: \"%s\" is not an address", o->node_ip);
        if (!o->provider_config != !o->provider_bin_dir)
                return err_set(
                        err, EINVAL,
                        "--image-credential-provider-config and --image-credential-provider-bin-dir go together");
        if (o->bootstrap_kubeconfig && !o->kubeconfig)
                return err_set(err, EINVAL, "--bootstrap-kubeconfig: say by --kubeconfig which file is made with it");
        if (o->kubeconfig && o->runtime_only)
                return err_set(err, EINVAL,
                               "--kubeconfig and --runtime-only: a runtime alone is no node; leave one of them out");
        if (!o->bridge[0] || strlen(o->bridge) > 15 || strpbrk(o->bridge, "/ \t\n"))
                return err_set(err, EINVAL, "--bridge: \"%s\" is not a network interface's name", o->bridge);
        if (o->read_only_port > 65535)
                return err_set(err, EINVAL, "--read-only-port: %d is not a port", o->read_only_port);
        if ((r = check_managers(o, err)) < 0)
                return r;
        return check_server(o, err);
}

/* CPUs that are named are those that are reserved, whatever amounts say (kubelet's cmd/kubelet/app/server.go). */
static int reserve_cpus(struct options *o, struct err **err) {
        struct cpus_set set;
        int r;

        if (!o->reserved_cpus)
                return 0;
        if ((r = cpus_set_parse(o->reserved_cpus, &set, err)) < 0)
                return err_wrap(err, r, "reservedSystemCPUs");
        eviction_reserve_cpus(&o->eviction, (int64_t)cpus_set_count(&set));
        return 0;
}

static int check_log_query(const struct options_server *server, struct err **err) {
        return server->log_query && !server->logs ?
                       err_set(err, EINVAL, "enableSystemLogQuery: it wants enableSystemLogHandler: true") :
                       0;
}

int options_settle(struct options *options, struct err **err) {
        int r = fill_defaults(options, err);

        if (r == 0)
                r = reserve_cpus(options, err);
        if (options->server.port < 0)
                options->server.port = options->kubeconfig ? OPTIONS_KUBELET_PORT : 0;
        if (!options->server.enabled)
                options->server.port = 0;
        if (r < 0 || (r = check_log_query(&options->server, err)) < 0)
                return r;
        return check(options, err);
}
