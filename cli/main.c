#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/nearest.h"

static const char *endpoint;
static const char *image_endpoint; /* taken for crictl's sake: one socket serves both */
static const char *timeout;
static bool show_version;

static const struct cli_option global_options[] = {
        { "runtime-endpoint", 'r', CLI_TEXT, &endpoint, "ENDPOINT", "the agent's socket [" CLI_ENDPOINT "]" },
        { "image-endpoint", 'i', CLI_TEXT, &image_endpoint, "ENDPOINT", "not needed: one socket serves both" },
        { "timeout", 't', CLI_TEXT, &timeout, "SECONDS", "how long to wait for an answer [10s]" },
        { "version", 'v', CLI_FLAG, &show_version, NULL, "show this program's version" },
        {},
};

static void print_help(void) {
        printf("Usage: nacelle [OPTIONS] COMMAND [ARGUMENTS]\n\nSees and manages pods, containers and images of a node "
               "through its CRI socket.\n\nCommands:\n");
        for (const struct cli_command *c = cli_commands; c->name; c++)
                printf("  %-16s %s\n", c->name, c->help);
        printf("\nOptions:\n");
        cli_options_help(global_options);
        printf("\nThe endpoint is also taken from CONTAINER_RUNTIME_ENDPOINT. `nacelle COMMAND --help` says more.\n");
}

static void print_command_help(const struct cli_command *command) {
        printf("Usage: nacelle %s [OPTIONS]%s%s\n\n%s\n\nOptions:\n", command->name, *command->arguments ? " " : "",
               command->arguments, command->help);
        cli_options_help(command->options);
}

/* What others call it. */
static const struct {
        const char *text, *name;
} elsewhere[] = {
        { "get", "pods" },  { "ls", "ps" },        { "list", "ps" },
        { "top", "stats" }, { "kill", "stop" },    { "delete", "rmp" },
        { "remove", "rm" }, { "run", "pods" },     { "sh", "exec" },
        { "log", "logs" },  { "container", "ps" }, { "containers", "ps" },
        { "pod", "pods" },  { "img", "images" },   { "describep", "describe" },
};

static int unknown_command(const char *text, struct err **err) {
        struct nearest nearest = nearest_to(text);

        for (const struct cli_command *c = cli_commands; c->name; c++) {
                nearest_try(&nearest, c->name);
                if (c->alias)
                        nearest_try(&nearest, c->alias);
        }
        for (size_t i = 0; i < ELEMENTS(elsewhere); i++)
                if (strcmp(elsewhere[i].text, text) == 0)
                        nearest.name = elsewhere[i].name;
        if (nearest.name)
                err_set(err, EINVAL, "unknown command \"%s\"; did you mean \"%s\"? `nacelle --help` lists them", text,
                        nearest.name);
        else
                err_set(err, EINVAL, "unknown command \"%s\"; `nacelle --help` lists them", text);
        return CLI_USAGE_EXIT;
}

static const struct cli_command *find_command(const char *name) {
        for (const struct cli_command *c = cli_commands; c->name; c++)
                if (strcmp(c->name, name) == 0 || (c->alias && strcmp(c->alias, name) == 0))
                        return c;
        return NULL;
}

/* "10", "2s", "1m30s" is more than anybody needs: seconds, or minutes. */
static int read_timeout(struct cli *cli, const char *text, struct err **err) {
        char *end;
        double seconds = strtod(text, &end);

        if (strcmp(end, "m") == 0)
                seconds *= 60;
        else if (strcmp(end, "ms") == 0)
                seconds /= 1000;
        else if (strcmp(end, "s") != 0 && *end)
                end = (char *)(uintptr_t)text;
        if (end == text || !(seconds >= 0 && seconds < 1e6))
                return err_set(err, EINVAL, "--timeout: \"%s\" is no time such as 10s or 2m", text);
        cli->timeout_ms = (uint64_t)(seconds * 1000);
        cli->timeout_given = true;
        return 0;
}

static int run(struct cli *cli, char **arguments, int n, struct err **err) {
        const struct cli_command *command;
        int r;

        bool help = n > 0 && strcmp(arguments[0], "help") == 0;

        arguments += help;
        n -= help;
        if (n == 0) {
                print_help();
                return help ? 0 : CLI_USAGE_EXIT;
        }
        command = find_command(arguments[0]);
        if (!command)
                return unknown_command(arguments[0], err);
        if (help) {
                print_command_help(command);
                return 0;
        }
        cli->command = command->name;
        r = cli_options_read(command->options, arguments + 1, n - 1, command->rest, &n, err);
        if (r > 0) {
                print_command_help(command);
                return 0;
        }
        if (r < 0 || ((n < command->least || (command->most >= 0 && n > command->most)) &&
                      (r = err_set(err, EINVAL, "usage: nacelle %s [OPTIONS]%s%s", command->name,
                                   *command->arguments ? " " : "", command->arguments)) < 0))
                return CLI_USAGE_EXIT;
        return command->run(cli, arguments + 1, n, err);
}

/* Options in front of the command. Returns how many arguments they were, or -1 for help. */
static int read_globals(char **arguments, int n, struct err **err) {
        int i = 0;

        while (i < n && arguments[i][0] == '-') {
                const char *a = arguments[i];
                bool takes_next = !strchr(a, '=') && strcmp(a, "-v") != 0 && strcmp(a, "--version") != 0;
                int kept, r;

                if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0)
                        return -1;
                /* "-rPATH" and "-t5s" hold their value */
                takes_next = takes_next && (a[1] == '-' || a[2] == '\0') && i + 1 < n;
                r = cli_options_read(global_options, arguments + i, takes_next ? 2 : 1, false, &kept, err);
                if (r < 0)
                        return r;
                i += takes_next ? 2 : 1;
        }
        return i;
}

static int setup(struct cli *cli, struct err **err) {
        const char *variable = getenv("CONTAINER_RUNTIME_ENDPOINT");

        cli->endpoint = endpoint ? endpoint : image_endpoint ? image_endpoint : variable ? variable : CLI_ENDPOINT;
        cli->timeout_ms = CLI_TIMEOUT_SECONDS * 1000;
        if (timeout && read_timeout(cli, timeout, err) < 0)
                return CLI_USAGE_EXIT;
        return uv_loop_init(&cli->loop) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}

static void finish(struct cli *cli) {
        grpc_client_free(cli->client);
        uv_run(&cli->loop, UV_RUN_DEFAULT);
        uv_loop_close(&cli->loop);
}

/* What was printed has to be somewhere; whoever has closed a pipe did not want it. */
static int end_output(int code) {
        bool lost = ferror(stdout);
        int error = fflush(stdout) != 0 ? errno : lost ? EIO : 0;
        struct stat st;

        if (error == 0)
                return code;
        if (fstat(STDOUT_FILENO, &st) < 0 || !S_ISFIFO(st.st_mode))
                fprintf(stderr, "nacelle: the output is not whole: %s\n", strerror(error));
        return code ?: 1;
}

int main(int argc, char **argv) {
        _cleanup_err_ struct err *err = NULL;
        struct cli cli = {};
        int skip, r;

        skip = read_globals(argv + 1, argc - 1, &err);
        if (skip == -1 && !err) {
                print_help();
                return 0;
        }
        if (show_version) {
                printf("nacelle %s\n", NACELLE_VERSION);
                return 0;
        }
        r = err ? CLI_USAGE_EXIT : setup(&cli, &err);
        if (r == 0) {
                r = run(&cli, argv + 1 + skip, argc - 1 - skip, &err);
                finish(&cli);
        }
        if (err)
                fprintf(stderr, "nacelle%s%s: %s\n", r == CLI_USAGE_EXIT && cli.command ? " " : "",
                        r == CLI_USAGE_EXIT && cli.command ? cli.command : "", err_text(err));
        return end_output(r < 0 ? 1 : r);
}
