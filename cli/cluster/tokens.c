/* Bootstrap tokens: Secrets of kube-system (bootstrap.kubernetes.io/token), as kubeadm makes them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cli/cluster/cluster.h"
#include "cli/columns.h"
#include "client/certificate.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/duration.h"
#include "lib/json_writer.h"
#include "lib/nearest.h"
#include "lib/value.h"

#define SYSTEM "kube-system"
#define ID_SIZE 6
#define LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"
#define LETTERS_COUNT (sizeof(LETTERS) - 1)
/* Bytes from here on would make some letters likelier than others. */
#define RANDOM_BELOW (256 / LETTERS_COUNT * LETTERS_COUNT)

static const char *kubeconfig, *description, *ttl;
static bool print_line;

const struct cli_option cli_token_options[] = {
        { "kubeconfig", 0, CLI_TEXT, &kubeconfig, "FILE", "who asks [KUBECONFIG, or DATA-DIR/admin.kubeconfig]" },
        { "data-dir", 0, CLI_TEXT, &cli_cluster_places.data, "DIR", "the API service's [" CLUSTER_DATA "]" },
        { "description", 0, CLI_TEXT, &description, "TEXT", "of the token that is created" },
        { "ttl", 0, CLI_TEXT, &ttl, "DURATION", "for how long it counts [24h]; 0: for ever" },
        { "print-join-command", 0, CLI_FLAG, &print_line, NULL, "print the line by which a host joins with it" },
        {},
};

int cli_cluster_token_check(const char *token, struct err **err) {
        if (strlen(token) == CLUSTER_TOKEN_SIZE && strspn(token, LETTERS) == ID_SIZE && token[ID_SIZE] == '.' &&
            strspn(token + ID_SIZE + 1, LETTERS) == CLUSTER_TOKEN_SIZE - ID_SIZE - 1)
                return 0;
        return err_set(err, EINVAL, "the token is not of the form abcdef.0123456789abcdef");
}

/* What is less than a second is one: nothing said to end lasts for ever. */
int cli_cluster_token_ttl(const char *option, const char *text, int64_t *ret_seconds, struct err **err) {
        int64_t ns;

        *ret_seconds = CLUSTER_TOKEN_TTL_S;
        if (!text)
                return 0;
        if (duration_parse(text, &ns) < 0 || ns < 0)
                return err_set(err, EINVAL, "%s %s: give a duration such as 24h0m0s, or 0", option, text);
        *ret_seconds = ns / 1000000000 + (ns % 1000000000 > 0);
        return 0;
}

int cli_cluster_token_new(char ret_token[CLUSTER_TOKEN_SIZE + 1], struct err **err) {
        for (size_t i = 0; i < CLUSTER_TOKEN_SIZE;) {
                uint8_t byte;

                if (getrandom(&byte, 1, 0) != 1)
                        return err_errno(err, errno, "no random bytes");
                if (byte >= RANDOM_BELOW)
                        continue;
                ret_token[i] = i == ID_SIZE ? '.' : LETTERS[byte % LETTERS_COUNT];
                i++;
        }
        ret_token[CLUSTER_TOKEN_SIZE] = '\0';
        return 0;
}

static void write_secret(struct json_writer *w, const struct cluster_token *token, const char *name) {
        char end[KUBE_TIME_TEXT_MAX], id[ID_SIZE + 1];

        snprintf(id, sizeof(id), "%s", token->text);
        json_begin_map(w);
        json_add_string(w, "apiVersion", "v1");
        json_add_string(w, "kind", "Secret");
        json_key(w, "metadata");
        json_begin_map(w);
        json_add_string(w, "name", name);
        json_add_string(w, "namespace", SYSTEM);
        json_end_map(w);
        json_add_string(w, "type", "bootstrap.kubernetes.io/token");
        json_key(w, "stringData");
        json_begin_map(w);
        json_add_string(w, "token-id", id);
        json_add_string(w, "token-secret", token->text + ID_SIZE + 1);
        json_add_string(w, "usage-bootstrap-authentication", "true");
        json_add_string(w, "usage-bootstrap-signing", "true");
        json_add_string(w, "auth-extra-groups", CLUSTER_TOKEN_GROUP);
        json_add_string_if(w, "description", token->description);
        if (token->ttl_s > 0) {
                kube_time_format(&(struct kube_time){ .seconds = time(NULL) + token->ttl_s, .set = true }, false, end);
                json_add_string(w, "expiration", end);
        }
        json_end_map(w);
        json_end_map(w);
}

int cli_cluster_token_put(struct cluster_api *api, const struct cluster_token *token, struct err **err) {
        const char *name = arena_printf(api->arena, CLUSTER_TOKEN_PREFIX "%.*s", ID_SIZE, token->text);
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        int r;

        if (!name)
                return err_set(err, ENOMEM, "out of memory");
        write_secret(&w, token, name);
        if ((r = json_writer_finish(&w, &text, NULL)) < 0)
                return err_set(err, -r, "out of memory");
        r = cli_cluster_apply(api, &cli_cluster_secrets, SYSTEM, name, text, err);
        explicit_bzero(text, strlen(text));
        return r;
}

int cli_cluster_join_line(struct cluster_api *api, const char *token, const char **ret_line, struct err **err) {
        const struct value *map;
        struct cluster_found found;
        char hash[CLIENT_HASH_TEXT_MAX];
        int r = cli_cluster_get(api, &cli_cluster_maps, "kube-public", "cluster-info", &map, err);

        if (r < 0)
                return err_wrap(err, r, "ConfigMap kube-public/cluster-info, which `nacelle init` makes");
        if ((r = cli_cluster_read_info(api->arena, value_string_or(value_find(map, "data.kubeconfig"), ""), &found,
                                       err)) < 0 ||
            (r = client_authority_hash(found.authority, hash, err)) < 0)
                return r;
        *ret_line = arena_printf(api->arena, "nacelle join %s --token %s --discovery-token-ca-cert-hash %s",
                                 found.server + strlen("https://"), token, hash);
        return *ret_line ? 0 : err_set(err, ENOMEM, "out of memory");
}

static const char *datum(struct arena *arena, const struct value *secret, const char *key) {
        const char *text = value_string_or(value_get(value_get(secret, "data"), key), "");
        char *data = arena_alloc(arena, strlen(text) / 4 * 3 + 4);
        struct base64_decoder decoder = { 0 };

        return data && base64_decode(&decoder, text, strlen(text), data) >= 0 ? data : "";
}

/* --- the verbs --- */

/* A token that others may have is not taken from them. */
int cli_cluster_token_check_free(struct cluster_api *api, const char *token, struct err **err) {
        const char *name = arena_printf(api->arena, CLUSTER_TOKEN_PREFIX "%.*s", ID_SIZE, token);
        _cleanup_err_ struct err *why = NULL;
        const struct value *there;
        int r = name ? cli_cluster_get(api, &cli_cluster_secrets, SYSTEM, name, &there, &why) : -ENOMEM;

        if (r == -ENOENT || (r == 0 && strcmp(datum(api->arena, there, "token-secret"), token + ID_SIZE + 1) == 0))
                return 0;
        if (r < 0)
                return err_set(err, -r, "token %.*s: %s", ID_SIZE, token, err_text(why));
        return err_set(err, EEXIST, "there is another token %.*s; delete it first, or give other letters", ID_SIZE,
                       token);
}

static int create(struct cluster_api *api, char **arguments, int n, struct err **err) {
        char made[CLUSTER_TOKEN_SIZE + 1];
        struct cluster_token token = { .text = n > 0 ? arguments[0] : made, .description = description };
        const char *line;
        int r;

        if (n > 1)
                return err_set(err, EINVAL, "%s: one token is created at a time", arguments[1]);
        if ((r = cli_cluster_token_ttl("--ttl", ttl, &token.ttl_s, err)) < 0 ||
            (r = n > 0 ? cli_cluster_token_check(token.text, err) : cli_cluster_token_new(made, err)) < 0 ||
            (n > 0 && (r = cli_cluster_token_check_free(api, token.text, err)) < 0) ||
            (r = cli_cluster_token_put(api, &token, err)) < 0)
                return r;
        if (!print_line) {
                puts(token.text);
                return 0;
        }
        if ((r = cli_cluster_join_line(api, token.text, &line, err)) < 0)
                return r;
        puts(line);
        return 0;
}

static void print_token(struct columns *columns, struct arena *arena, const struct value *secret) {
        const char *end = datum(arena, secret, "expiration"), *what = datum(arena, secret, "description"),
                   *groups = datum(arena, secret, "auth-extra-groups");
        const char *usages = strcmp(datum(arena, secret, "usage-bootstrap-signing"), "true") == 0 ?
                                     "authentication,signing" :
                                     "authentication";

        columns_row(columns, "%s.%s\t%s\t%s\t%s\t%s", datum(arena, secret, "token-id"),
                    datum(arena, secret, "token-secret"), *end ? end : "<forever>", usages, *what ? what : "<none>",
                    *groups ? groups : "<none>");
}

struct listing {
        struct cluster_api *api;
        struct columns columns;
        bool done;
        int error;
        const char *why;
};

static void on_secret(void *data, struct client_object *object) {
        struct listing *l = data;
        const struct value *tree;

        if (strncmp(object->name, CLUSTER_TOKEN_PREFIX, strlen(CLUSTER_TOKEN_PREFIX)) == 0 &&
            client_object_tree(l->api->arena, object, &tree) == 0)
                print_token(&l->columns, l->api->arena, tree);
}

static void on_listed(void *data, int error, int64_t revision, const char *why) {
        struct listing *l = data;

        l->done = true;
        l->error = error;
        l->why = arena_strdup(l->api->arena, why);
}

static int list(struct cluster_api *api, char **arguments, int n, struct err **err) {
        static const struct client_list_events events = { on_secret, on_listed };
        const struct client_scope scope = { .kind = &cli_cluster_secrets,
                                            .namespace = SYSTEM,
                                            .fields = "type=bootstrap.kubernetes.io/token" };
        struct listing l = { .api = api };
        int r;

        if (n > 0)
                return err_set(err, EINVAL, "%s: list takes no token", arguments[0]);
        columns_begin(&l.columns, "TOKEN\tEXPIRES\tUSAGES\tDESCRIPTION\tEXTRA GROUPS");
        if ((r = client_list(api->client, &scope, &events, &l, NULL)) < 0)
                return err_errno(err, -r, "cannot ask the API service");
        while (!l.done)
                uv_run(&api->cli->loop, UV_RUN_ONCE);
        if (l.error < 0)
                return err_set(err, -l.error, "%s", l.why ?: "the API service refused it");
        columns_end(&l.columns, stdout);
        return 0;
}

static bool is_token_or_id(const char *text) {
        return (strlen(text) == ID_SIZE && strspn(text, LETTERS) == ID_SIZE) ||
               cli_cluster_token_check(text, NULL) == 0;
}

static int delete (struct cluster_api *api, char **arguments, int n, struct err **err) {
        for (int i = 0; i < n; i++)
                if (!is_token_or_id(arguments[i]))
                        return err_set(err, EINVAL, "%s: give the token, or its first six letters", arguments[i]);
        for (int i = 0; i < n; i++) {
                const char *name = arena_printf(api->arena, CLUSTER_TOKEN_PREFIX "%.*s", ID_SIZE, arguments[i]);
                const struct client_request q = {
                        .verb = KUBE_VERB_DELETE, .kind = &cli_cluster_secrets, .namespace = SYSTEM, .name = name
                };
                int r = name ? cli_cluster_ask(api, &q, NULL, err) : err_set(err, ENOMEM, "out of memory");

                if (r < 0)
                        return err_wrap(err, r, "token %.*s", ID_SIZE, arguments[i]);
                printf("bootstrap token \"%.*s\" deleted\n", ID_SIZE, arguments[i]);
        }
        return n > 0 ? 0 : err_set(err, EINVAL, "give the token, or its first six letters");
}

int cli_token(struct cli *cli, char **arguments, int n, struct err **err) {
        static const struct {
                const char *name;
                int (*run)(struct cluster_api *api, char **arguments, int n, struct err **err);
        } verbs[] = { { "create", create }, { "list", list }, { "delete", delete } };
        _cleanup_cluster_api_ struct cluster_api api = { 0 };
        int r;

        for (size_t i = 0; i < ELEMENTS(verbs); i++)
                if (strcmp(verbs[i].name, arguments[0]) == 0) {
                        r = cli_cluster_open_admin(cli, kubeconfig, &api, err);
                        return r < 0 ? r : verbs[i].run(&api, arguments + 1, n - 1, err);
                }
        err_set(err, EINVAL, "token %s: there are create, list and delete", arguments[0]);
        return CLI_USAGE_EXIT;
}
