/* The `nacelle` command: what all its verbs share.
 *
 * A verb is a row in a table: name, synopsis, options, function. Options are read into the verb's own variables before
 * the function runs. A function returns the program's exit code, or a negative errno with *err set, which main()
 * prints: `nacelle: TEXT` and exit code 1, or `nacelle VERB: TEXT` and 2 for wrong usage.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "cri/api.pb-c.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grpc/client.h"

#define CLI_ENDPOINT "unix:///run/nacelle/nacelle.sock"
#define CLI_TIMEOUT_SECONDS 10
#define CLI_VALUES_MAX 64 /* of an option that may be repeated */

#define CLI_USAGE_EXIT 2
#define CLI_UNWELL_EXIT 3 /* of `pods`: one is not as it should be */

#define RUNTIME(name) "/runtime.v1.RuntimeService/" name
#define IMAGE(name) "/runtime.v1.ImageService/" name

enum cli_option_kind { CLI_FLAG, CLI_TEXT, CLI_NUMBER, CLI_LIST };

struct cli_values {
        const char *values[CLI_VALUES_MAX];
        size_t n;
};

/* One option; a table ends with a row without a name. */
struct cli_option {
        const char *name; /* without "--" */
        char letter;      /* 0: none */
        enum cli_option_kind kind;
        void *target;      /* bool, const char *, int64_t or struct cli_values */
        const char *value; /* what the value is called in help */
        const char *help;
};

struct cli {
        uv_loop_t loop;
        const char *endpoint;
        uint64_t timeout_ms; /* of a call; 0: none */
        bool timeout_given;
        struct grpc_client *client; /* made by the first call */
        const char *command;        /* the verb; NULL before it is known */
};

struct cli_command {
        const char *name, *alias;
        const char *arguments, *help;
        const struct cli_option *options;
        int least, most; /* positional arguments; most -1: any number */
        bool rest;       /* options end at the first positional argument: what follows is a command line */
        int (*run)(struct cli *cli, char **arguments, int n, struct err **err);
};

extern const struct cli_command cli_commands[]; /* ends with a row without a name */

/* Reads @options out of @arguments, leaving the positional ones in their order. Returns 0 with their number, 1 when
 * help was asked for, or -EINVAL. */
int cli_options_read(const struct cli_option *options, char **arguments, int n, bool rest, int *ret_n,
                     struct err **err);

/* Prints the options, two columns. */
void cli_options_help(const struct cli_option *options);

/* A call with the program's time-out. Returns 0 with the answer, to free with grpc_unpacked_free(), or a negative errno
 * with *err. */
int cli_call(struct cli *cli, const char *path, const ProtobufCMessage *request,
             const ProtobufCMessageDescriptor *response, struct grpc_unpacked *ret_response, struct err **err);

/* As above, for a stream; with the request's own time-out unless one was given. @message returns false to end it. */
int cli_stream(struct cli *cli, const struct grpc_client_request *request,
               bool (*message)(void *data, const ProtobufCMessage *message), void *data, struct err **err);

/* Makes the connection that cli_call() uses. */
int cli_connect(struct cli *cli, struct err **err);

static inline void cli_unpacked_freep(struct grpc_unpacked *message) {
        grpc_unpacked_free(message);
}
#define _cleanup_unpacked_ __attribute__((cleanup(cli_unpacked_freep)))

/* The verbs, by file. */
int cli_ps(struct cli *cli, char **arguments, int n, struct err **err);
int cli_pods(struct cli *cli, char **arguments, int n, struct err **err);
int cli_describe(struct cli *cli, char **arguments, int n, struct err **err);
int cli_images(struct cli *cli, char **arguments, int n, struct err **err);
int cli_inspect(struct cli *cli, char **arguments, int n, struct err **err);
int cli_inspectp(struct cli *cli, char **arguments, int n, struct err **err);
int cli_inspecti(struct cli *cli, char **arguments, int n, struct err **err);
int cli_version(struct cli *cli, char **arguments, int n, struct err **err);
int cli_info(struct cli *cli, char **arguments, int n, struct err **err);
int cli_imagefsinfo(struct cli *cli, char **arguments, int n, struct err **err);
int cli_runtime_config(struct cli *cli, char **arguments, int n, struct err **err);
int cli_events(struct cli *cli, char **arguments, int n, struct err **err);
int cli_start(struct cli *cli, char **arguments, int n, struct err **err);
int cli_stop(struct cli *cli, char **arguments, int n, struct err **err);
int cli_rm(struct cli *cli, char **arguments, int n, struct err **err);
int cli_checkpoint(struct cli *cli, char **arguments, int n, struct err **err);
int cli_stopp(struct cli *cli, char **arguments, int n, struct err **err);
int cli_rmp(struct cli *cli, char **arguments, int n, struct err **err);
int cli_rmi(struct cli *cli, char **arguments, int n, struct err **err);
int cli_stats(struct cli *cli, char **arguments, int n, struct err **err);
int cli_statsp(struct cli *cli, char **arguments, int n, struct err **err);
int cli_logs(struct cli *cli, char **arguments, int n, struct err **err);
int cli_exec(struct cli *cli, char **arguments, int n, struct err **err);
int cli_attach(struct cli *cli, char **arguments, int n, struct err **err);
int cli_pull(struct cli *cli, char **arguments, int n, struct err **err);
int cli_import(struct cli *cli, char **arguments, int n, struct err **err);
int cli_push(struct cli *cli, char **arguments, int n, struct err **err);
int cli_save(struct cli *cli, char **arguments, int n, struct err **err);
int cli_login(struct cli *cli, char **arguments, int n, struct err **err);
int cli_logout(struct cli *cli, char **arguments, int n, struct err **err);
int cli_tag(struct cli *cli, char **arguments, int n, struct err **err);
int cli_history(struct cli *cli, char **arguments, int n, struct err **err);
int cli_init(struct cli *cli, char **arguments, int n, struct err **err);
int cli_join(struct cli *cli, char **arguments, int n, struct err **err);
int cli_token(struct cli *cli, char **arguments, int n, struct err **err);
int cli_certs(struct cli *cli, char **arguments, int n, struct err **err);
int cli_reset(struct cli *cli, char **arguments, int n, struct err **err);
int cli_backup(struct cli *cli, char **arguments, int n, struct err **err);
int cli_restore(struct cli *cli, char **arguments, int n, struct err **err);

/* Their options. */
extern const struct cli_option cli_ps_options[], cli_pods_options[], cli_images_options[], cli_inspect_options[],
        cli_output_options[], cli_events_options[], cli_stop_options[], cli_rm_options[], cli_rmp_options[],
        cli_stopp_options[], cli_rmi_options[], cli_stats_options[], cli_logs_options[], cli_exec_options[],
        cli_attach_options[], cli_pull_options[], cli_import_options[], cli_login_options[], cli_save_options[],
        cli_checkpoint_options[], cli_no_options[], cli_init_options[], cli_join_options[], cli_token_options[],
        cli_certs_options[], cli_reset_options[], cli_backup_options[];
