#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/credentials.h"
#include "cli/format.h"
#include "cri/extension.pb-c.h"
#include "images/progress.h"
#include "images/transfer.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/value.h"

#define EXTENSION(name) "/nacelle.v1.Images/" name
#define PASSWORD_MAX 1024

static struct {
        const char *auth, *creds, *username, *platform, *name, *file;
        bool password_stdin, quiet;
} options;

const struct cli_option cli_pull_options[] = {
        { "auth", 0, CLI_TEXT, &options.auth, "TEXT", "base64 of USERNAME:PASSWORD" },
        { "creds", 0, CLI_TEXT, &options.creds, "USER:PASSWORD", "credentials for the registry" },
        { "username", 'u', CLI_TEXT, &options.username, "NAME", "the password is asked for" },
        { "platform", 0, CLI_TEXT, &options.platform, "OS/ARCH", "in place of the node's" },
        { "quiet", 'q', CLI_FLAG, &options.quiet, NULL, "show no progress" },
        {},
};
const struct cli_option cli_import_options[] = {
        { "input", 'i', CLI_TEXT, &options.file, "FILE", "the archive, in place of the argument" },
        { "name", 'n', CLI_TEXT, &options.name, "NAME", "for an image that brings none" },
        { "platform", 0, CLI_TEXT, &options.platform, "OS/ARCH", "in place of the node's" },
        { "quiet", 'q', CLI_FLAG, &options.quiet, NULL, "show no progress" },
        {},
};
const struct cli_option cli_save_options[] = {
        { "output", 'o', CLI_TEXT, &options.file, "FILE", "where to (needed)" },
        { "file", 'f', CLI_TEXT, &options.file, "FILE", "the same" },
        { "quiet", 'q', CLI_FLAG, &options.quiet, NULL, "show no progress" },
        {},
};
const struct cli_option cli_login_options[] = {
        { "username", 'u', CLI_TEXT, &options.username, "NAME", "the user" },
        { "password-stdin", 0, CLI_FLAG, &options.password_stdin, NULL, "read the password from standard input" },
        {},
};

/* A transfer as it is shown. */
struct view {
        struct image_progress_board *board;
        char *image_id, *manifest;
        char **references;
        size_t n_references;
};

static char *text(const char *text) {
        return (char *)(uintptr_t)(text ? text : "");
}

static bool on_update(void *data, const ProtobufCMessage *message) {
        const Nacelle__TransferUpdate *update = (const Nacelle__TransferUpdate *)message;
        struct view *view = data;

        if (!update->result) {
                const struct image_progress progress = {
                        .digest = update->digest, .phase = update->phase, .done = update->done, .total = update->total
                };

                if (view->board)
                        image_progress_board_update(view->board, &progress);
                return true;
        }
        view->image_id = strdup(update->result->image_id);
        view->manifest = strdup(update->result->manifest);
        view->references = calloc(update->result->n_references + 1, sizeof(*view->references));
        for (size_t i = 0; view->references && i < update->result->n_references; i++)
                view->references[view->n_references++] = strdup(update->result->references[i]);
        return true;
}

static void view_done(struct view *view) {
        image_progress_board_free(view->board);
        for (size_t i = 0; i < view->n_references; i++)
                free(view->references[i]);
        free(view->references);
        free(view->image_id);
        free(view->manifest);
}

/* Asks on the terminal without echo, or reads a line from standard input. */
static int read_password(char ret_password[PASSWORD_MAX], struct err **err) {
        struct termios saved, quiet;
        bool terminal = !options.password_stdin && tcgetattr(STDIN_FILENO, &saved) == 0;
        char *line;

        if (terminal) {
                fputs("Password: ", stderr);
                quiet = saved;
                quiet.c_lflag &= ~(tcflag_t)ECHO;
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        }
        line = fgets(ret_password, PASSWORD_MAX, stdin);
        if (terminal) {
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
                fputc('\n', stderr);
        }
        if (!line)
                return err_set(err, EINVAL, "no password was given");
        ret_password[strcspn(ret_password, "\r\n")] = '\0';
        return 0;
}

/* Credentials as the options give them. @user and @password are room for them. */
static int fill_auth(Nacelle__Auth *auth, char user[256], char password[PASSWORD_MAX], struct err **err) {
        const char *creds = options.creds ? options.creds : getenv("CRICTL_CREDS"), *colon;

        auth->auth = text(options.auth ? options.auth : getenv("CRICTL_AUTH"));
        if (options.username) {
                auth->username = text(options.username);
                auth->password = password;
                return read_password(password, err);
        }
        if (!creds)
                return 0;
        colon = strchr(creds, ':');
        snprintf(user, 256, "%.*s", (int)(colon ? (size_t)(colon - creds) : strlen(creds)), creds);
        auth->username = user;
        auth->password = text(colon ? colon + 1 : "");
        return 0;
}

static int transfer(struct cli *cli, const char *path, Nacelle__TransferRequest *request, struct view *view,
                    struct err **err) {
        Nacelle__Auth auth = NACELLE__AUTH__INIT;
        char user[256], password[PASSWORD_MAX] = "";
        _cleanup_credentials_ struct credentials kept = { .username = NULL };
        _cleanup_free_ char *kept_auth = NULL;
        int r;

        if ((r = fill_auth(&auth, user, password, err)) < 0 ||
            (!*auth.auth && !*auth.username && !*request->file && *request->reference &&
             (r = credentials_find(request->reference, &kept_auth, &kept, err)) < 0))
                return r;
        if (r > 0) {
                auth.auth = text(kept_auth);
                auth.username = text(kept.username);
                auth.password = text(kept.password);
                auth.identity_token = text(kept.identity_token);
        }
        request->auth = &auth;
        request->platform = text(options.platform);
        if (!options.quiet)
                view->board = image_progress_board_new(STDERR_FILENO);
        r = cli_stream(cli,
                       &(struct grpc_client_request){ path, &request->base, &nacelle__transfer_update__descriptor, 0 },
                       on_update, view, err);
        explicit_bzero(password, sizeof(password));
        return r;
}

/* An absolute path: the agent has another working directory. */
static int absolute(const char *path, char ret_path[PATH_MAX], struct err **err) {
        char cwd[PATH_MAX];

        if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
                return err_errno(err, errno, "working directory");
        if (snprintf(ret_path, PATH_MAX, "%s%s%s", path[0] == '/' ? "" : cwd, path[0] == '/' ? "" : "/", path) >=
            PATH_MAX)
                return err_set(err, ENAMETOOLONG, "%s: the path is too long", path);
        return 0;
}

int cli_pull(struct cli *cli, char **arguments, int n, struct err **err) {
        Nacelle__TransferRequest request = NACELLE__TRANSFER_REQUEST__INIT;
        struct view view = {};
        int r;

        request.reference = arguments[0];
        r = transfer(cli, EXTENSION("Pull"), &request, &view, err);
        if (r == 0)
                printf("Image is up to date for %s\n", view.image_id ? view.image_id : arguments[0]);
        view_done(&view);
        return r;
}

int cli_push(struct cli *cli, char **arguments, int n, struct err **err) {
        Nacelle__TransferRequest request = NACELLE__TRANSFER_REQUEST__INIT;
        struct view view = {};
        int r;

        request.reference = arguments[0];
        r = transfer(cli, EXTENSION("Push"), &request, &view, err);
        if (r == 0)
                printf("Pushed %s %s\n", arguments[0], view.manifest ? view.manifest : "");
        view_done(&view);
        return r;
}

int cli_import(struct cli *cli, char **arguments, int n, struct err **err) {
        Nacelle__TransferRequest request = NACELLE__TRANSFER_REQUEST__INIT;
        struct view view = {};
        char path[PATH_MAX];
        int r;

        if ((n == 0) == !options.file) {
                err_set(err, EINVAL, "usage: nacelle import [OPTIONS] FILE, or nacelle load --input FILE");
                return CLI_USAGE_EXIT;
        }
        r = absolute(n > 0 ? arguments[0] : options.file, path, err);
        if (r < 0)
                return r;
        request.file = path;
        request.reference = text(options.name);
        r = transfer(cli, EXTENSION("Import"), &request, &view, err);
        for (size_t i = 0; i < view.n_references; i++)
                printf("Imported %s\n", view.references[i]);
        if (r == 0 && view.n_references == 0)
                printf("Imported %s\n", view.image_id ? view.image_id : "");
        view_done(&view);
        return r;
}

int cli_save(struct cli *cli, char **arguments, int n, struct err **err) {
        Nacelle__TransferRequest request = NACELLE__TRANSFER_REQUEST__INIT;
        struct view view = {};
        char path[PATH_MAX];
        int r;

        if (!options.file) {
                err_set(err, EINVAL, "usage: nacelle save --output FILE IMAGE");
                return CLI_USAGE_EXIT;
        }
        r = absolute(options.file, path, err);
        if (r < 0)
                return r;
        request.file = path;
        request.reference = arguments[0];
        r = transfer(cli, EXTENSION("Export"), &request, &view, err);
        view_done(&view);
        return r;
}

int cli_login(struct cli *cli, char **arguments, int n, struct err **err) {
        Nacelle__TransferRequest request = NACELLE__TRANSFER_REQUEST__INIT;
        Nacelle__Auth auth = NACELLE__AUTH__INIT;
        char user[256], password[PASSWORD_MAX] = "";
        struct view view = {};
        int r;

        if (!options.username) {
                err_set(err, EINVAL, "usage: nacelle login --username NAME [--password-stdin] REGISTRY");
                return CLI_USAGE_EXIT;
        }
        r = fill_auth(&auth, user, password, err);
        if (r < 0)
                return r;
        request.reference = arguments[0];
        request.auth = &auth;
        r = cli_stream(cli,
                       &(struct grpc_client_request){ EXTENSION("Login"), &request.base,
                                                      &nacelle__transfer_update__descriptor, 0 },
                       on_update, &view, err);
        if (r == 0)
                r = credentials_save(arguments[0], auth.username, password, err);
        explicit_bzero(password, sizeof(password));
        if (r == 0)
                printf("Login succeeded\n");
        view_done(&view);
        return r;
}

int cli_logout(struct cli *cli, char **arguments, int n, struct err **err) {
        int r = credentials_remove(arguments[0], err);

        if (r == 0)
                return err_set(err, ENOENT, "there are no credentials for %s", arguments[0]);
        if (r > 0)
                printf("Removed the credentials for %s\n", arguments[0]);
        return r < 0 ? r : 0;
}

int cli_tag(struct cli *cli, char **arguments, int n, struct err **err) {
        Nacelle__TagRequest request = NACELLE__TAG_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked answer = {};

        request.image = arguments[0];
        request.reference = arguments[1];
        return cli_call(cli, EXTENSION("Tag"), &request.base, &nacelle__tag_response__descriptor, &answer, err);
}

static void print_history(const struct value *config) {
        const struct value *history = value_get(config, "history");
        int64_t now = format_now_ns(), created;
        struct columns columns;

        columns_begin(&columns, "CREATED\tCREATED BY\tCOMMENT");
        for (uint32_t i = value_count(history); i-- > 0;) {
                const struct value *step = value_at(history, i);
                const char *time = value_string_or(value_get(step, "created"), "");
                char age[FORMAT_MAX];

                columns_row(&columns, "%s\t%.80s%s\t%s",
                            format_parse_since(time, now, &created) == 0 ? format_age(created, now, age) : "unknown",
                            value_string_or(value_get(step, "created_by"), ""),
                            value_bool_or(value_get(step, "empty_layer"), false) ? " (no layer)" : "",
                            value_string_or(value_get(step, "comment"), ""));
        }
        columns_end(&columns, stdout);
}

int cli_history(struct cli *cli, char **arguments, int n, struct err **err) {
        Nacelle__ConfigRequest request = NACELLE__CONFIG_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        _cleanup_arena_ struct arena *arena = arena_new();
        const Nacelle__ConfigResponse *answer;
        const struct value *config;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        request.image = arguments[0];
        r = cli_call(cli, EXTENSION("Config"), &request.base, &nacelle__config_response__descriptor, &unpacked, err);
        if (r < 0)
                return r;
        answer = (const Nacelle__ConfigResponse *)unpacked.message;
        r = json_parse(arena, answer->config, strlen(answer->config), NULL, &config, err);
        if (r < 0)
                return err_wrap(err, r, "config of %s", answer->image_id);
        print_history(config);
        return 0;
}
