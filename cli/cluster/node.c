/* This host as a node: its agent gets a kubeconfig with a token, with which it asks for its own identity. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cluster/cluster.h"
#include "lib/arena.h"
#include "lib/value.h"

#define BOOTSTRAP "bootstrap-kubelet.conf"
#define LEASES "kube-node-lease" /* the namespace */

int cli_cluster_node_preflight(struct err **err) {
        if (geteuid() != 0)
                return err_set(err, EPERM, "a node's agent needs root; run this as root");
        if (access("/proc/self/ns/net", F_OK) < 0 || access("/sys/fs/cgroup", F_OK) < 0)
                return err_set(err, ENOENT, "there are no namespaces or cgroups (/proc, /sys/fs/cgroup); mount them");
        return 0;
}

const char *cli_cluster_node_name(struct arena *arena, const char *name) {
        char host[HOST_NAME_MAX + 1] = "";

        if (name)
                return name;
        gethostname(host, sizeof(host) - 1);
        for (char *p = host; *p; p++)
                *p = (char)tolower((unsigned char)*p);
        return arena_strdup(arena, host);
}

static void add(struct cli_values *list, const char *text, int *failed) {
        if (text && list->n < CLI_VALUES_MAX)
                list->values[list->n++] = text;
        else
                *failed = -E2BIG;
}

static int write_arguments(struct arena *arena, const struct cluster_member *node, struct err **err) {
        const char *own = cli_cluster_file(arena, CLUSTER_KUBECONFIG), *bootstrap = cli_cluster_file(arena, BOOTSTRAP);
        struct cli_values all = { .n = 0 };
        int failed = own && bootstrap ? 0 : -ENOMEM;

        add(&all, arena_printf(arena, "--kubeconfig=%s", own), &failed);
        add(&all, arena_printf(arena, "--bootstrap-kubeconfig=%s", bootstrap), &failed);
        add(&all, arena_printf(arena, "--root-dir=%s", cli_cluster_places.root), &failed);
        add(&all, arena_printf(arena, "--run-dir=%s", cli_cluster_places.run), &failed);
        add(&all, "--rotate-server-certificates", &failed);
        add(&all, "--pod-cidr=", &failed); /* the cluster says, whatever the configuration file does */
        if (node->name)
                add(&all, arena_printf(arena, "--hostname-override=%s", node->name), &failed);
        if (node->address)
                add(&all, arena_printf(arena, "--node-ip=%s", node->address), &failed);
        for (size_t i = 0; i < node->more->n; i++)
                add(&all, node->more->values[i], &failed);
        if (failed < 0)
                return err_set(err, -failed, "too many arguments of the agent's");
        return cli_cluster_write_arguments(&cli_cluster_agent, &all, err);
}

/* --- until it is Ready --- */

struct waiting {
        struct cli *cli;
        const char *path, *name;
        const struct cluster_found *cluster;
        const char *renewed; /* when an agent before this one has renewed the lease last; NULL: unknown */
        struct cluster_api api;
};

/* Of the node's lease, in @arena. NULL where it cannot be had. */
static const char *renew_time(struct waiting *w, struct arena *arena) {
        _cleanup_err_ struct err *err = NULL;
        const struct value *lease;

        if (cli_cluster_get(&w->api, &cli_cluster_leases, LEASES, w->name, &lease, &err) < 0)
                return NULL;
        return arena_strdup(arena, value_string_or(value_find(lease, "spec.renewTime"), ""));
}

static int open_own(struct waiting *w, struct arena *arena, struct err **err) {
        struct client_remote_config config = { 0 };
        int r = client_kubeconfig(arena, w->path, &config, err);

        config.server = w->cluster->server; /* which may be another than it was */
        config.any_time = true;
        return r < 0 ? r : cli_cluster_open(w->cli, &config, &w->api, err);
}

/* A node that was here before may be Ready still, by what its agent told then. */
static void look_before(struct waiting *w, struct arena *arena) {
        _cleanup_err_ struct err *err = NULL;

        if (access(w->path, F_OK) < 0 || open_own(w, arena, &err) < 0)
                return;
        w->renewed = renew_time(w, arena);
        cli_cluster_close(&w->api);
}

static bool is_renewed(struct waiting *w) {
        const char *now = w->renewed ? renew_time(w, w->api.arena) : NULL;

        return !w->renewed || (now && strcmp(now, w->renewed) != 0);
}

bool cli_cluster_is_ready(const struct value *node) {
        const struct value *ready = value_item(value_find(node, "status.conditions"), "type", "Ready");

        return strcmp(value_string_or(value_get(ready, "status"), ""), "True") == 0;
}

static int probe_identity(void *data, struct err **err) {
        struct waiting *w = data;

        if (access(w->path, F_OK) == 0)
                return 0;
        if (cli_cluster_check(&cli_cluster_agent, err) < 0)
                return -ECHILD;
        return err_set(err, EAGAIN, "node %s: its certificate is not signed yet", w->name);
}

/* As the node that it is by now: the certificate that it had may have been another cluster's. */
static int get_node(struct waiting *w, const struct value **ret_node, struct err **err) {
        _cleanup_arena_ struct arena *arena = w->api.client ? NULL : arena_new();
        int r = w->api.client ? 0 : arena ? open_own(w, arena, err) : err_set(err, ENOMEM, "out of memory");

        if (r < 0)
                return r;
        r = cli_cluster_get(&w->api, &cli_cluster_nodes, NULL, w->name, ret_node, err);
        if (r == -EACCES)
                cli_cluster_close(&w->api);
        return r;
}

static int probe_ready(void *data, struct err **err) {
        struct waiting *w = data;
        const struct value *node;
        int r = cli_cluster_check(&cli_cluster_agent, err) ?: get_node(w, &node, err);

        if (r == -ENOENT || r == -EACCES || r == -EIO || r == -ETIMEDOUT)
                return -EAGAIN;
        if (r < 0 || (cli_cluster_is_ready(node) && is_renewed(w)))
                return r;
        return err_set(err, EAGAIN, "node %s: it is not Ready yet", w->name);
}

static int wait_ready(struct waiting *w, struct err **err) {
        int r = cli_cluster_wait(w->cli, CLUSTER_WAIT_S, probe_identity, w, err);

        if (r < 0)
                return r;
        r = cli_cluster_wait(w->cli, CLUSTER_WAIT_S, probe_ready, w, err);
        cli_cluster_close(&w->api);
        return r;
}

/* By the token, which is of nobody's node yet. */
static int check_free(struct waiting *w, const char *token, struct err **err) {
        const struct client_remote_config config = {
                .server = w->cluster->server, .authorities = w->cluster->authority, .token = token, .any_time = true
        };
        int r = cli_cluster_open(w->cli, &config, &w->api, err);

        if (r < 0)
                return r;
        r = cli_cluster_check_free(&w->api, w->name, err);
        cli_cluster_close(&w->api);
        return r;
}

/* What the agent finds at its start: the token, also where there is an identity, which may be over. One that names the
 * cluster by another address is written anew by the agent, which keeps its certificate. */
static int write_identity(struct waiting *w, struct arena *arena, const char *path, const struct cluster_member *node,
                          struct err **err) {
        const char *bootstrap = cli_cluster_kubeconfig(arena, w->cluster, node->token), *server;
        int r = bootstrap ? cli_cluster_check_own(w->cluster->authority, w->name, &server, arena, err) :
                            err_set(err, ENOMEM, "out of memory");

        if (r < 0 || (!server && !node->with_service && (r = check_free(w, node->token, err)) < 0) ||
            (r = cli_cluster_write(path, bootstrap, 0600, err)) < 0)
                return r;
        look_before(w, arena);
        if (server && strcmp(server, w->cluster->server) != 0 && unlink(w->path) < 0 && errno != ENOENT)
                return err_errno(err, errno, "%s", w->path);
        return 0;
}

int cli_cluster_node_join(struct cli *cli, const struct cluster_found *cluster, const struct cluster_member *node,
                          struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct waiting w = { .cli = cli, .cluster = cluster };
        const char *path, *log;
        int r;

        if (!arena || !(w.name = cli_cluster_node_name(arena, node->name)) ||
            !(w.path = cli_cluster_file(arena, CLUSTER_KUBECONFIG)) || !(path = cli_cluster_file(arena, BOOTSTRAP)) ||
            !(log = cli_cluster_log(arena, &cli_cluster_agent)))
                return err_set(err, ENOMEM, "out of memory");
        if ((r = write_identity(&w, arena, path, node, err)) < 0 || (r = write_arguments(arena, node, err)) < 0 ||
            (r = cli_cluster_start(&cli_cluster_agent, err)) < 0)
                return r;
        if (cli_cluster_is_left())
                return 0;
        if ((r = wait_ready(&w, err)) < 0)
                return err_wrap(err, r, "the agent does not come (its log: %s)", log);
        unlink(path); /* the token's work is done */
        return 0;
}
