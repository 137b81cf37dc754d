/* nacelle join: this host as a node of a cluster that is elsewhere. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cluster/cluster.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static const char *token, *node_name, *node_ip;
static struct cli_values hashes, agent_arguments;

const struct cli_option cli_join_options[] = {
        { "token", 0, CLI_TEXT, &token, "TOKEN", "of `nacelle token create` on the cluster's host" },
        { "discovery-token-ca-cert-hash", 0, CLI_LIST, &hashes, "sha256:HEX",
          "what the cluster's authority has to be" },
        { "ca-cert-hash", 0, CLI_LIST, &hashes, "sha256:HEX", "the same" },
        { "node-name", 0, CLI_TEXT, &node_name, "NAME", "this node's [the host's]" },
        { "node-ip", 0, CLI_TEXT, &node_ip, "IP", "this node's address [the default route's]" },
        { "agent-arg", 0, CLI_LIST, &agent_arguments, "--FLAG=VALUE", "a further flag of nacelle-agent" },
        CLUSTER_PLACES_OPTIONS,
        {},
};

static bool is_hash(const char *text) {
        return strncmp(text, "sha256:", 7) == 0 && strlen(text) == 7 + 64 &&
               strspn(text + 7, "0123456789abcdefABCDEF") == 64;
}

static int check(const struct cluster_member *node, struct err **err) {
        int r;

        if (!token)
                return err_set(err, EINVAL,
                               "give --token: `nacelle token create --print-join-command` on the cluster's host "
                               "prints the whole line");
        if ((r = cli_cluster_token_check(token, err)) < 0)
                return err_wrap(err, r, "--token");
        for (size_t i = 0; i < hashes.n; i++)
                if (!is_hash(hashes.values[i]))
                        return err_set(err, EINVAL,
                                       "--discovery-token-ca-cert-hash %s: give sha256: and 64 hexadecimal digits",
                                       hashes.values[i]);
        if ((r = cli_cluster_check_places(err)) < 0 || (r = cli_cluster_check_units(err)) < 0 ||
            (r = cli_cluster_check_member(node, err)) < 0)
                return r;
        return cli_cluster_node_preflight(err);
}

int cli_join(struct cli *cli, char **arguments, int n, struct err **err) {
        const struct cluster_member node = { node_name, node_ip, &agent_arguments, token, false };
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct cluster_sought sought = { arguments[0], token, &hashes };
        struct cluster_found cluster;
        _cleanup_close_ int lock = -EBADF;
        int r = arena ? check(&node, err) : err_set(err, ENOMEM, "out of memory");

        if (r < 0 || (r = cli_cluster_discover(cli, arena, &sought, &cluster, err)) < 0)
                return r;
        if (hashes.n == 0)
                fprintf(stderr,
                        "nacelle: warning: without --discovery-token-ca-cert-hash whoever has a token of the cluster "
                        "could pass for it\n");
        if ((r = cli_cluster_lock(&lock, err)) < 0 || (r = cli_cluster_node_join(cli, &cluster, &node, err)) < 0)
                return r;
        printf("This node is in the cluster of %s.\n", cluster.server);
        return 0;
}
