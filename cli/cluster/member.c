/* Whether this host may become that node of that cluster, before anything is changed: who it is already, and whether
 * another host is that node. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cluster/cluster.h"
#include "client/certificate.h"
#include "kube/names.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/ip.h"
#include "lib/value.h"

#define NODE_USER "system:node:"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX 64

/* --- what is asked for --- */

int cli_cluster_check_places(struct err **err) {
        const struct {
                const char *option, *path;
        } places[] = { { "config-dir", cli_cluster_places.config },
                       { "data-dir", cli_cluster_places.data },
                       { "root-dir", cli_cluster_places.root },
                       { "run-dir", cli_cluster_places.run } };

        for (size_t i = 0; i < ELEMENTS(places); i++)
                if (places[i].path[0] != '/')
                        return err_set(err, EINVAL, "--%s \"%s\": give an absolute path", places[i].option,
                                       places[i].path);
        return 0;
}

int cli_cluster_check_member(const struct cluster_member *node, struct err **err) {
        const char *problem = node->name ? name_problem(NAME_SUBDOMAIN, node->name) : NULL;
        struct ip ip;

        if (problem)
                return err_set(err, EINVAL, "--node-name \"%s\": %s", node->name, problem);
        if (node->address && ip_parse(node->address, &ip, NULL) < 0)
                return err_set(err, EINVAL, "--node-ip \"%s\": give an IP address", node->address);
        return cli_cluster_check_arguments("--agent-arg", node->more, err);
}

/* --- who this host is already --- */

static bool same_authority(const char *one, const char *other) {
        char hashes[2][CLIENT_HASH_TEXT_MAX];

        return client_authority_hash(one, hashes[0], NULL) == 0 && client_authority_hash(other, hashes[1], NULL) == 0 &&
               strcmp(hashes[0], hashes[1]) == 0;
}

static int check_name(struct arena *arena, const struct client_remote_config *config, const char *path,
                      const char *name, struct err **err) {
        const char *user = config->certificate ? client_certificate_user(arena, config->certificate) : NULL;

        if (!user || strncmp(user, NODE_USER, strlen(NODE_USER)) != 0 || strcmp(user + strlen(NODE_USER), name) == 0)
                return 0;
        return err_set(err, EEXIST,
                       "this host is node %s of that cluster (%s), not %s: give --node-name %s, or `nacelle reset` it "
                       "first",
                       user + strlen(NODE_USER), path, name, user + strlen(NODE_USER));
}

int cli_cluster_check_own(const char *authority, const char *name, const char **ret_server, struct arena *arena,
                          struct err **err) {
        const char *path = cli_cluster_file(arena, CLUSTER_KUBECONFIG);
        struct client_remote_config config = { 0 };
        int r;

        *ret_server = NULL;
        if (!path || !name)
                return err_set(err, ENOMEM, "out of memory");
        if (access(path, F_OK) < 0)
                return 0;
        if ((r = client_kubeconfig(arena, path, &config, err)) == -ENOENT && access(path, F_OK) < 0)
                return 0;
        if (r < 0)
                return err_wrap(err, r, "this host's own kubeconfig cannot be used; `nacelle reset` takes it away");
        if (!authority || !config.authorities || !same_authority(config.authorities, authority))
                return err_set(err, EEXIST,
                               "this host is a node of another cluster, that of %s (%s); `nacelle reset` it first",
                               config.server, path);
        *ret_server = config.server;
        return check_name(arena, &config, path, name, err);
}

/* --- whether another host is that node --- */

static bool is_of_this_boot(const char *id) {
        _cleanup_free_ char *own = NULL;

        if (files_read(BOOT_ID, BOOT_ID_MAX, &own, NULL, NULL) < 0)
                return false;
        own[strcspn(own, "\n")] = '\0';
        return strcmp(own, id) == 0;
}

/* The host that was reset a moment ago is Ready still, by its own last word. */
int cli_cluster_check_free(struct cluster_api *api, const char *name, struct err **err) {
        const struct value *node;

        if (cli_cluster_get(api, &cli_cluster_nodes, NULL, name, &node, NULL) < 0 || !cli_cluster_is_ready(node) ||
            is_of_this_boot(value_string_or(value_find(node, "status.nodeInfo.bootID"), "")))
                return 0;
        return err_set(err, EEXIST,
                       "there is a Ready node %s in that cluster, which is another host: give another --node-name, or, "
                       "if it is no more, `kubectl delete node %s` first",
                       name, name);
}

/* --- one at a time --- */

int cli_cluster_lock(int *ret_fd, struct err **err) {
        int r = access(cli_cluster_places.config, F_OK) < 0 ? files_make_dirs(cli_cluster_places.config, 0755, err) : 0;

        return r < 0 ? r :
                       files_lock(cli_cluster_places.config,
                                  "a `nacelle` command is making, joining or leaving a cluster; wait for its end",
                                  ret_fd, err);
}
