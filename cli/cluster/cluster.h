/* A cluster made and joined: init, join, token, certs, reset, backup, restore; with kubeadm's words where it has them.
 *
 *     CONFIG/api.env              NACELLE_API_ARGS: the service's flags, which its unit reads
 *     CONFIG/agent.env            NACELLE_AGENT_ARGS
 *     CONFIG/bootstrap-kubelet.conf   with the token, until there is
 *     CONFIG/kubelet.conf         the node's kubeconfig, which the agent writes (agent/identity)
 *     DATA/admin.kubeconfig       the administrator's, which the service writes (api/pki)
 *
 * Each step looks whether it is done already, so that a command that failed may be given again.
 */
#pragma once

#include "cli/cli.h"
#include "client/remote.h"

struct arena;
struct kube_kind;
struct value;

#define CLUSTER_CONFIG "/etc/nacelle"
#define CLUSTER_DATA "/var/lib/nacelle-api"
#define CLUSTER_ROOT "/var/lib/nacelle"
#define CLUSTER_RUN "/run/nacelle"
#define CLUSTER_KUBECONFIG "kubelet.conf"
#define CLUSTER_WAIT_S 120 /* for a service, and for a node */

/* Where things are, and how programs are started: options of several commands. */
struct cluster_places {
        const char *config, *data, *root, *run, *start;
};
extern struct cluster_places cli_cluster_places;
#define CLUSTER_PLACES_OPTIONS                                                                                         \
        { "config-dir", 0, CLI_TEXT, &cli_cluster_places.config, "DIR", "configuration [" CLUSTER_CONFIG "]" },        \
                { "data-dir", 0, CLI_TEXT, &cli_cluster_places.data, "DIR", "the API service's [" CLUSTER_DATA "]" },  \
                { "root-dir", 0, CLI_TEXT, &cli_cluster_places.root, "DIR", "the agent's [" CLUSTER_ROOT "]" },        \
                { "run-dir", 0, CLI_TEXT, &cli_cluster_places.run, "DIR", "the agent's sockets [" CLUSTER_RUN "]" }, { \
                "start", 0, CLI_TEXT, &cli_cluster_places.start, "HOW",                                                \
                        "systemd, openrc, process or none [what the host has]"                                         \
        }

/* --- files.c --- */

/* CONFIG/NAME in @arena; NULL without memory. */
const char *cli_cluster_file(struct arena *arena, const char *name);
/* Whether they can be written so. -EINVAL, which names @option. */
int cli_cluster_check_arguments(const char *option, const struct cli_values *arguments, struct err **err);
int cli_cluster_write(const char *path, const char *text, mode_t mode, struct err **err);
struct cluster_program;

/* Writes VARIABLE=ARG ARG... A blank or quote in one of them is -EINVAL. What was there and is no more is told. */
int cli_cluster_write_arguments(const struct cluster_program *program, const struct cli_values *arguments,
                                struct err **err);
/* Likewise in the place of what is there, also where the disk is full: then it is written over. */
int cli_cluster_rewrite_arguments(const struct cluster_program *program, const struct cli_values *arguments,
                                  struct err **err);

/* --- programs.c --- */

struct cluster_program {
        const char *name;            /* "nacelle-agent": also its unit's */
        const char *variable, *file; /* what is read of CONFIG/FILE */
        const char *settings;        /* its configuration file there, given by --config where it is; */
        const char *place;           /* the flag that says which directory is its own, which no other process has */
        const char *openrc_log;      /* where contrib/openrc's script has it write */
};
extern const struct cluster_program cli_cluster_api, cli_cluster_agent;

/* Has it started, now and at each boot, or anew where it runs already. */
int cli_cluster_start(const struct cluster_program *program, struct err **err);
/* Whether who starts programs here starts them with these places: -EINVAL. */
int cli_cluster_check_units(struct err **err);
/* Whether it could start: -EINVAL, -ENOENT. With the places that this command has, not others. */
int cli_cluster_check_start(const struct cluster_program *program, struct err **err);
int cli_cluster_stop(const struct cluster_program *program, struct err **err);
/* The words of CONFIG/FILE, in @arena. -EINVAL: it says none. */
int cli_cluster_arguments(struct arena *arena, const struct cluster_program *program, struct cli_values *ret_arguments,
                          struct err **err);
/* Nobody starts it: --start none. */
bool cli_cluster_is_left(void);
/* -ECHILD with its last words when it was started by us, and is not there any more: nobody starts it again. Else 0. */
int cli_cluster_check(const struct cluster_program *program, struct err **err);
/* Where to look when it does not come: in @arena. */
const char *cli_cluster_log(struct arena *arena, const struct cluster_program *program);
/* Runs the program to its end with @arguments behind its name. -EIO, with what it has complained of. */
int cli_cluster_run(const struct cluster_program *program, const char *const *arguments, struct err **err);

/* --- ask.c: requests, one after the other --- */

struct cluster_api {
        struct cli *cli;
        struct arena *arena;
        struct client *client;
};
int cli_cluster_open(struct cli *cli, const struct client_remote_config *config, struct cluster_api *ret_api,
                     struct err **err);
/* Whether this host's service answers: by DATA/admin.kubeconfig, whatever the environment says. @api is opened anew.
 * -EAGAIN: not yet; -ECHILD: it has ended. */
int cli_cluster_probe_here(struct cli *cli, struct cluster_api *api, struct err **err);
/* By --kubeconfig, KUBECONFIG, or DATA/admin.kubeconfig. */
int cli_cluster_open_admin(struct cli *cli, const char *kubeconfig, struct cluster_api *ret_api, struct err **err);
void cli_cluster_close(struct cluster_api *api);
#define _cleanup_cluster_api_ __attribute__((cleanup(cli_cluster_close)))

/* The answer's object in the api's arena (@ret_object may be NULL). -ENOENT: 404; another refusal is -EACCES (401, 403)
 * or -EIO, with the server's words. */
int cli_cluster_ask(struct cluster_api *api, const struct client_request *request, const struct value **ret_object,
                    struct err **err);
int cli_cluster_get(struct cluster_api *api, const struct kube_kind *kind, const char *namespace, const char *name,
                    const struct value **ret_object, struct err **err);
/* Makes it as @json says, or changes it so (server-side apply). */
int cli_cluster_apply(struct cluster_api *api, const struct kube_kind *kind, const char *namespace, const char *name,
                      const char *json, struct err **err);

/* Calls @probe(@data) until it gives something else than -EAGAIN, for @seconds at most, while the loop runs. */
int cli_cluster_wait(struct cli *cli, unsigned seconds, int (*probe)(void *data, struct err **err), void *data,
                     struct err **err);

extern const struct kube_kind cli_cluster_secrets, cli_cluster_maps, cli_cluster_nodes, cli_cluster_leases,
        cli_cluster_roles, cli_cluster_bindings, cli_cluster_all_roles, cli_cluster_all_bindings;

/* --- tokens.c --- */

#define CLUSTER_TOKEN_SIZE 23 /* ID.SECRET: 6 and 16 of a-z0-9 */
#define CLUSTER_TOKEN_TTL_S INT64_C(86400)
#define CLUSTER_TOKEN_GROUP "system:bootstrappers:kubeadm:default-node-token"
#define CLUSTER_TOKEN_PREFIX "bootstrap-token-"

int cli_cluster_token_check(const char *token, struct err **err);
/* For how long @option (its text, NULL: not given) says; 0: for ever. -EINVAL. */
int cli_cluster_token_ttl(const char *option, const char *text, int64_t *ret_seconds, struct err **err);
int cli_cluster_token_new(char ret_token[CLUSTER_TOKEN_SIZE + 1], struct err **err);
struct cluster_token {
        const char *text;
        const char *description;
        int64_t ttl_s; /* 0: for ever */
};
/* -EEXIST when its first letters are another one's. */
int cli_cluster_token_check_free(struct cluster_api *api, const char *token, struct err **err);
int cli_cluster_token_put(struct cluster_api *api, const struct cluster_token *token, struct err **err);
/* "nacelle join ADDRESS --token T --discovery-token-ca-cert-hash H", of cluster-info, in the api's arena. */
int cli_cluster_join_line(struct cluster_api *api, const char *token, const char **ret_line, struct err **err);

/* --- discovery.c --- */

struct cluster_found {
        const char *server, *authority; /* PEM; both in the arena */
};
struct cluster_sought {
        const char *address, *token;
        const struct cli_values *hashes;
};
/* Asks the address what cluster it is, as nobody, and believes what the token has signed, and whose authority is one of
 * the hashes where there are any. Only then may anything else be sent there. */
int cli_cluster_discover(struct cli *cli, struct arena *arena, const struct cluster_sought *sought,
                         struct cluster_found *ret_found, struct err **err);
int cli_cluster_read_info(struct arena *arena, const char *kubeconfig, struct cluster_found *ret_found,
                          struct err **err);
/* The text of a kubeconfig with the cluster, and @token where that is not NULL. NULL without memory. */
const char *cli_cluster_kubeconfig(struct arena *arena, const struct cluster_found *cluster, const char *token);

/* --- node.c: this host as a node --- */

struct cluster_member {
        const char *name, *address;    /* --node-name, --node-ip; NULL: what the agent finds */
        const struct cli_values *more; /* arguments of the agent's */
        const char *token;
        bool with_service; /* of the service's own host: whoever was this node in what was restored there is no more */
};
int cli_cluster_node_preflight(struct err **err);
bool cli_cluster_is_ready(const struct value *node);
/* Writes its files, has the agent start, and waits until this agent, not one before it, has its identity and is
 * Ready. */
int cli_cluster_node_join(struct cli *cli, const struct cluster_found *cluster, const struct cluster_member *node,
                          struct err **err);
/* The node's name: @name, or the host's in lower case, in @arena. */
const char *cli_cluster_node_name(struct arena *arena, const char *name);

/* --- member.c: whether this host may become it; nothing is changed --- */

int cli_cluster_check_places(struct err **err); /* options of CLUSTER_PLACES_OPTIONS */
int cli_cluster_check_member(const struct cluster_member *node, struct err **err);
/* -EEXIST: it is a node of another cluster than @authority's (PEM; NULL: of whichever), or one of another name. @name
 * may be NULL for want of memory. *@ret_server: that of its kubeconfig, in @arena; NULL: it has none. */
int cli_cluster_check_own(const char *authority, const char *name, const char **ret_server, struct arena *arena,
                          struct err **err);
/* -EEXIST: another host is node @name, and Ready. Who may not look goes on. */
int cli_cluster_check_free(struct cluster_api *api, const char *name, struct err **err);
/* -EBUSY: another command is at it. *@ret_fd is the caller's. */
int cli_cluster_lock(int *ret_fd, struct err **err);
