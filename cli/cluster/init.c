/* nacelle init: an API service on this host, and this host as its first node. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/cluster/cluster.h"
#include "client/certificate.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/ip.h"
#include "lib/json_writer.h"
#include "lib/value.h"

#define PORT 6443
#define CONTROL_PLANE "node-role.kubernetes.io/control-plane"
/* Documentation's (RFC 5737, 3849), to which the default route leads; nothing is sent. */
#define ELSEWHERE "192.0.2.1"
#define ELSEWHERE_6 "2001:db8::1"

static const char *address, *extra_names, *service_cidr, *pod_cidr, *token, *ttl, *node_name, *node_ip;
static int64_t port = PORT;
static bool without_node;
static struct cli_values api_arguments, agent_arguments;

const struct cli_option cli_init_options[] = {
        { "apiserver-advertise-address", 0, CLI_TEXT, &address, "IP",
          "where other hosts find the API service [the default route's]" },
        { "apiserver-bind-port", 0, CLI_NUMBER, &port, "PORT", "its port [6443]" },
        { "apiserver-cert-extra-sans", 0, CLI_TEXT, &extra_names, "NAME,...",
          "further names of it, for its certificate" },
        { "service-cidr", 0, CLI_TEXT, &service_cidr, "CIDR", "Services' addresses [10.96.0.0/16]" },
        { "pod-network-cidr", 0, CLI_TEXT, &pod_cidr, "CIDR", "pods' addresses in the cluster [10.244.0.0/16]" },
        { "token", 0, CLI_TEXT, &token, "TOKEN", "by which nodes join [a new one]" },
        { "token-ttl", 0, CLI_TEXT, &ttl, "DURATION", "for how long it counts [24h]; 0: for ever" },
        { "node-name", 0, CLI_TEXT, &node_name, "NAME", "this node's [the host's]" },
        { "node-ip", 0, CLI_TEXT, &node_ip, "IP", "this node's address [the default route's]" },
        { "skip-node", 0, CLI_FLAG, &without_node, NULL, "this host becomes no node" },
        { "api-arg", 0, CLI_LIST, &api_arguments, "--FLAG=VALUE", "a further flag of nacelle-api" },
        { "agent-arg", 0, CLI_LIST, &agent_arguments, "--FLAG=VALUE", "a further flag of nacelle-agent" },
        CLUSTER_PLACES_OPTIONS,
        {},
};

struct making {
        struct cli *cli;
        struct arena *arena;
        struct cluster_api api;
        char own_address[IP_TEXT_MAX], new_token[CLUSTER_TOKEN_SIZE + 1];
        int64_t ttl_s;
        struct cluster_found cluster;
};

/* --- before anything is changed --- */

/* By which this host would reach others. */
static bool find_route(int family, const char *elsewhere, char ret_address[IP_TEXT_MAX]) {
        struct sockaddr_storage to = { .ss_family = (sa_family_t)family };
        struct sockaddr_in *four = (struct sockaddr_in *)&to;
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)&to;
        void *at = family == AF_INET ? (void *)&four->sin_addr : (void *)&six->sin6_addr;
        _cleanup_close_ int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        socklen_t size = family == AF_INET ? sizeof(*four) : sizeof(*six);

        *(family == AF_INET ? &four->sin_port : &six->sin6_port) = htons(9);
        inet_pton(family, elsewhere, at);
        return fd >= 0 && connect(fd, (struct sockaddr *)&to, size) == 0 &&
               getsockname(fd, (struct sockaddr *)&to, &size) == 0 && inet_ntop(family, at, ret_address, IP_TEXT_MAX);
}

/* What other hosts can be told: an address of one host. */
static bool is_one_hosts(const struct ip *ip) {
        static const uint8_t none[16];

        return memcmp(ip->bytes, none, sizeof(none)) != 0 &&
               (ip->family == AF_INET ? ip->bytes[0] < 224 :
                                        ip->bytes[0] != 0xff && !IN6_IS_ADDR_LINKLOCAL((struct in6_addr *)ip->bytes));
}

static int find_address(struct making *m, struct err **err) {
        struct ip ip;

        if (address && (ip_parse(address, &ip, NULL) < 0 || !is_one_hosts(&ip)))
                return err_set(err, EINVAL,
                               "--apiserver-advertise-address %s: give an IP address at which other hosts find this "
                               "one",
                               address);
        if (address) {
                ip_format(&ip, m->own_address);
                return 0;
        }
        if (find_route(AF_INET, ELSEWHERE, m->own_address) || find_route(AF_INET6, ELSEWHERE_6, m->own_address))
                return 0;
        return err_set(err, ENETUNREACH,
                       "there is no default route that says this host's address; give --apiserver-advertise-address");
}

/* The Service `kubernetes` leads to it, which is of Services' first family. */
static int check_family(const struct making *m, struct err **err) {
        bool six = strchr(m->own_address, ':'),
             services_six = service_cidr && strcspn(service_cidr, ":") < strcspn(service_cidr, ",");

        if (six == services_six)
                return 0;
        return err_set(err, EINVAL,
                       "the API service's address %s is of IPv%d, and Services' first addresses are of IPv%d: give "
                       "--service-cidr and --pod-network-cidr of IPv%d first, or another "
                       "--apiserver-advertise-address",
                       m->own_address, six ? 6 : 4, services_six ? 6 : 4, six ? 6 : 4);
}

/* Of the service that is here already: it goes on as what it is. */
static int check_own(struct making *m, struct err **err) {
        const char *path = arena_printf(m->arena, "%s/pki/ca.crt", cli_cluster_places.data), *server;
        _cleanup_free_ char *authority = NULL;
        int r = path ? files_read(path, CLIENT_PEM_MAX, &authority, NULL, err) : err_set(err, ENOMEM, "out of memory");

        if (r < 0 && r != -ENOENT)
                return r;
        if (r == -ENOENT)
                *err = err_free(*err);
        return cli_cluster_check_own(authority, cli_cluster_node_name(m->arena, node_name), &server, m->arena, err);
}

static int check(struct making *m, struct err **err) {
        const struct cluster_member node = { node_name, node_ip, &agent_arguments, NULL, true };
        int r;

        if (port < 1 || port > 65535)
                return err_set(err, EINVAL, "--apiserver-bind-port %lld: give a port", (long long)port);
        if ((r = cli_cluster_check_places(err)) < 0 || (r = cli_cluster_check_units(err)) < 0 ||
            (r = cli_cluster_token_ttl("--token-ttl", ttl, &m->ttl_s, err)) < 0 ||
            (r = cli_cluster_check_arguments("--api-arg", &api_arguments, err)) < 0 ||
            (r = cli_cluster_check_member(&node, err)) < 0)
                return r;
        if (token && (r = cli_cluster_token_check(token, err)) < 0)
                return err_wrap(err, r, "--token");
        if (!token && (r = cli_cluster_token_new(m->new_token, err)) < 0)
                return r;
        if ((r = cli_cluster_node_preflight(err)) < 0 || (r = find_address(m, err)) < 0 ||
            (r = check_family(m, err)) < 0)
                return r;
        return without_node ? 0 : check_own(m, err);
}

/* --- the service --- */

static int probe_ready(void *data, struct err **err) {
        struct making *m = data;

        return cli_cluster_probe_here(m->cli, &m->api, err);
}

static int write_service(struct making *m, struct err **err) {
        struct cli_values all = { .n = 0 };
        const char *texts[] = {
                arena_printf(m->arena, "--data-dir=%s", cli_cluster_places.data),
                arena_printf(m->arena, "--secure-port=%lld", (long long)port),
                arena_printf(m->arena, "--advertise-address=%s", m->own_address),
                /* that of a loopback is advertised to nobody, but may be what tests and single hosts use */
                arena_printf(m->arena, "--cert-extra-sans=%s%s%s", m->own_address, extra_names ? "," : "",
                             extra_names ?: ""),
                /* nodes' names need no DNS; who answers there has a certificate of the cluster's */
                "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
                arena_printf(m->arena, "--kubelet-certificate-authority=%s/pki/ca.crt", cli_cluster_places.data),
                service_cidr ? arena_printf(m->arena, "--service-cluster-ip-range=%s", service_cidr) : "",
                pod_cidr ? arena_printf(m->arena, "--cluster-cidr=%s", pod_cidr) : "",
        };

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                if (!texts[i])
                        return err_set(err, ENOMEM, "out of memory");
                if (*texts[i])
                        all.values[all.n++] = texts[i];
        }
        for (size_t i = 0; i < api_arguments.n && all.n < CLI_VALUES_MAX; i++)
                all.values[all.n++] = api_arguments.values[i];
        return cli_cluster_write_arguments(&cli_cluster_api, &all, err);
}

static int start_service(struct making *m, struct err **err) {
        const char *log = cli_cluster_log(m->arena, &cli_cluster_api);
        int r;

        if ((r = write_service(m, err)) < 0)
                return r;
        puts("Starting nacelle-api");
        fflush(stdout);
        if ((r = cli_cluster_start(&cli_cluster_api, err)) < 0)
                return r;
        r = cli_cluster_wait(m->cli, CLUSTER_WAIT_S, probe_ready, m, err);
        return r < 0 ? err_wrap(err, r, "nacelle-api does not come (its log: %s)", log ?: "") : 0;
}

/* --- what joining needs --- */

#define BINDING(kind, name, more, role_kind, role, subject_kind, subject)                                              \
        "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"" kind "\",\"metadata\":{\"name\":\"" name        \
        "\"" more "},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"" role_kind                    \
        "\",\"name\":\"" role "\"},\"subjects\":[{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"" subject_kind \
        "\",\"name\":\"" subject "\"}]}"
#define CSRS "system:certificates.k8s.io:certificatesigningrequests:"
#define INFO_ROLE "kubeadm:bootstrap-signer-clusterinfo"

/* kubeadm's objects, by its names. */
static const struct {
        const struct kube_kind *kind;
        const char *namespace, *name, *json;
} objects[] = {
        { &cli_cluster_all_roles, NULL, "kubeadm:get-nodes",
          "{\"apiVersion\":\"rbac.authorization.k8s.io/"
          "v1\",\"kind\":\"ClusterRole\",\"metadata\":{\"name\":\"kubeadm:get-nodes\"},"
          "\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"nodes\"],\"verbs\":[\"get\"]}]}" },
        { &cli_cluster_all_bindings, NULL, "kubeadm:get-nodes",
          BINDING("ClusterRoleBinding", "kubeadm:get-nodes", "", "ClusterRole", "kubeadm:get-nodes", "Group",
                  CLUSTER_TOKEN_GROUP) },
        { &cli_cluster_all_bindings, NULL, "kubeadm:kubelet-bootstrap",
          BINDING("ClusterRoleBinding", "kubeadm:kubelet-bootstrap", "", "ClusterRole", "system:node-bootstrapper",
                  "Group", CLUSTER_TOKEN_GROUP) },
        { &cli_cluster_all_bindings, NULL, "kubeadm:node-autoapprove-bootstrap",
          BINDING("ClusterRoleBinding", "kubeadm:node-autoapprove-bootstrap", "", "ClusterRole", CSRS "nodeclient",
                  "Group", CLUSTER_TOKEN_GROUP) },
        { &cli_cluster_all_bindings, NULL, "kubeadm:node-autoapprove-certificate-rotation",
          BINDING("ClusterRoleBinding", "kubeadm:node-autoapprove-certificate-rotation", "", "ClusterRole",
                  CSRS "selfnodeclient", "Group", "system:nodes") },
        { &cli_cluster_roles, "kube-public", INFO_ROLE,
          "{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"Role\",\"metadata\":{\"name\":\"" INFO_ROLE
          "\",\"namespace\":\"kube-public\"},\"rules\":[{\"apiGroups\":[\"\"],\"resourceNames\":[\"cluster-info\"],"
          "\"resources\":[\"configmaps\"],\"verbs\":[\"get\"]}]}" },
        { &cli_cluster_bindings, "kube-public", INFO_ROLE,
          BINDING("RoleBinding", INFO_ROLE, ",\"namespace\":\"kube-public\"", "Role", INFO_ROLE, "User",
                  "system:anonymous") },
};

static int put_info(struct making *m, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        const char *config = cli_cluster_kubeconfig(m->arena, &m->cluster, NULL);
        int r;

        if (!config)
                return err_set(err, ENOMEM, "out of memory");
        json_begin_map(&w);
        json_add_string(&w, "apiVersion", "v1");
        json_add_string(&w, "kind", "ConfigMap");
        json_key(&w, "metadata");
        json_begin_map(&w);
        json_add_string(&w, "name", "cluster-info");
        json_add_string(&w, "namespace", "kube-public");
        json_end_map(&w);
        json_key(&w, "data");
        json_begin_map(&w);
        json_add_string(&w, "kubeconfig", config);
        json_end_map(&w);
        json_end_map(&w);
        if ((r = json_writer_finish(&w, &text, NULL)) < 0)
                return err_set(err, -r, "out of memory");
        return cli_cluster_apply(&m->api, &cli_cluster_maps, "kube-public", "cluster-info", text, err);
}

static int put_objects(struct making *m, struct err **err) {
        const struct cluster_token put = { token ?: m->new_token,
                                           "The default bootstrap token generated by 'nacelle init'.", m->ttl_s };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(objects); i++)
                r = cli_cluster_apply(&m->api, objects[i].kind, objects[i].namespace, objects[i].name, objects[i].json,
                                      err);
        if (r < 0 || (r = put_info(m, err)) < 0 ||
            (token && (r = cli_cluster_token_check_free(&m->api, token, err)) < 0))
                return r;
        return cli_cluster_token_put(&m->api, &put, err);
}

/* A cluster keeps the addresses that it was made with. */
static void tell_cidr(struct making *m) {
        static const struct kube_kind kind = {
                .group = "networking.k8s.io", .version = "v1", .kind = "ServiceCIDR", .resource = "servicecidrs"
        };
        const struct value *object, *cidrs;
        const char *text = "";

        if (!service_cidr || cli_cluster_get(&m->api, &kind, NULL, "kubernetes", &object, NULL) < 0)
                return;
        cidrs = value_find(object, "spec.cidrs");
        for (size_t i = 0; text && i < value_count(cidrs); i++)
                text = arena_printf(m->arena, "%s%s%s", text, *text ? "," : "",
                                    value_string_or(value_at(cidrs, i), ""));
        if (text && *text && strcmp(text, service_cidr) != 0)
                fprintf(stderr,
                        "nacelle: warning: this cluster's Services have the addresses that it was made with, %s, not "
                        "--service-cidr %s; `nacelle reset` and begin anew for others\n",
                        text, service_cidr);
}

static int read_authority(struct making *m, struct err **err) {
        const char *path = arena_printf(m->arena, "%s/pki/ca.crt", cli_cluster_places.data);
        _cleanup_free_ char *text = NULL;
        int r = path ? files_read(path, CLIENT_PEM_MAX, &text, NULL, err) : -ENOMEM;

        if (r < 0)
                return r;
        m->cluster.authority = arena_strdup(m->arena, text);
        m->cluster.server =
                arena_printf(m->arena, strchr(m->own_address, ':') ? "https://[%s]:%lld" : "https://%s:%lld",
                             m->own_address, (long long)port);
        return m->cluster.authority && m->cluster.server ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* --- the first node --- */

static int make_node(struct making *m, struct err **err) {
        static const char label[] = "{\"metadata\":{\"labels\":{\"" CONTROL_PLANE "\":\"\"}}}";
        const struct cluster_member node = { node_name, node_ip, &agent_arguments, token ?: m->new_token, true };
        struct client_request q = { .verb = KUBE_VERB_PATCH,
                                    .kind = &cli_cluster_nodes,
                                    .body = label,
                                    .length = sizeof(label) - 1,
                                    .patch = CLIENT_PATCH_MERGE };
        int r;

        puts("Starting nacelle-agent");
        fflush(stdout);
        if ((r = cli_cluster_node_join(m->cli, &m->cluster, &node, err)) < 0)
                return r;
        q.name = cli_cluster_node_name(m->arena, node_name);
        if (cli_cluster_is_left())
                return 0;
        return q.name ? cli_cluster_ask(&m->api, &q, NULL, err) : err_set(err, ENOMEM, "out of memory");
}

static int print_end(struct making *m, struct err **err) {
        const char *line;
        int r = cli_cluster_join_line(&m->api, token ?: m->new_token, &line, err);

        if (r < 0)
                return r;
        printf("\nThe cluster is there. To use it:\n\n  export KUBECONFIG=%s/admin.kubeconfig\n\nOther hosts join it, "
               "as root, "
               "by:\n\n  %s\n",
               cli_cluster_places.data, line);
        return 0;
}

int cli_init(struct cli *cli, char **arguments, int n, struct err **err) {
        struct making m = { .cli = cli, .arena = arena_new() };
        _cleanup_close_ int lock = -EBADF;
        int r = m.arena ? check(&m, err) : err_set(err, ENOMEM, "out of memory");

        if (r == 0 && (r = cli_cluster_lock(&lock, err)) == 0 && (r = start_service(&m, err)) == 0)
                tell_cidr(&m);
        if (r == 0 && (r = read_authority(&m, err)) == 0 && (r = put_objects(&m, err)) == 0 &&
            (without_node || (r = make_node(&m, err)) == 0))
                r = print_end(&m, err);
        cli_cluster_close(&m.api);
        arena_free(m.arena);
        return r;
}
