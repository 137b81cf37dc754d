#include "images/credential_helper.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/docker_config.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/program.h"
#include "lib/value.h"

#define NOT_FOUND "credentials not found in native keychain"
#define TOKEN_USER "<token>" /* then the secret is an identity token */
#define COMPLAINT_MAX 256

static bool is_name(const char *name) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

        return n > 0 && n <= CREDENTIAL_HELPER_NAME_MAX && name[n] == '\0';
}

static bool is_program(const char *path) {
        struct stat st;

        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* A directory of PATH that is not absolute would depend on where we happen to be: it does not count. */
static int find_program(const char *name, char ret_path[PATH_MAX], struct err **err) {
        const char *directories = getenv("PATH");

        if (!directories || !*directories)
                directories = CREDENTIAL_HELPER_PATH;
        for (const char *p = directories;; p++) {
                size_t n = strcspn(p, ":");

                if (*p == '/' && n < PATH_MAX &&
                    snprintf(ret_path, PATH_MAX, "%.*s/" CREDENTIAL_HELPER_PREFIX "%s", (int)n, p, name) < PATH_MAX &&
                    is_program(ret_path))
                        return 0;
                p += n;
                if (*p == '\0')
                        return err_set(err, ENOENT, "there is no such program in PATH (%.400s)", directories);
        }
}

/* What a helper that failed says on its standard output, or else on the other one. An object in it is an answer: it may
 * hold a secret. */
static const char *complaint(struct program_result *result) {
        const char *text = program_complaint(&result->out, COMPLAINT_MAX);

        if (!*text)
                text = program_complaint(&result->error, COMPLAINT_MAX);
        return strchr(text, '{') ? "" : text;
}

static bool is_not_found(const struct program_result *result) {
        const struct program_output *out = &result->out;
        const char *text = out->text;
        size_t n = out->length;

        while (n > 0 && isspace((unsigned char)*text)) {
                text++;
                n--;
        }
        while (n > 0 && isspace((unsigned char)text[n - 1]))
                n--;
        return n == strlen(NOT_FOUND) && memcmp(text, NOT_FOUND, n) == 0;
}

static int check_end(struct program_result *result, struct err **err) {
        if (result->out.cut)
                return err_set(err, E2BIG, "answered more than %d bytes", CREDENTIAL_HELPER_OUTPUT_MAX);
        if (result->status == 0)
                return 1;
        if (is_not_found(result))
                return 0;
        return program_failed(result, complaint(result), EIO, err);
}

/* Returns 1 with the answer, 0 when it says that there are no credentials, or a negative errno. */
static int run(const struct credential_helper *helper, const char *verb, const char *input, size_t n_input,
               struct program_result *result, struct err **err) {
        char path[PATH_MAX];
        const char *const arguments[] = { path, verb, NULL };
        struct program_call call = { .path = path,
                                     .arguments = arguments,
                                     .input = input,
                                     .n_input = n_input,
                                     .output_max = CREDENTIAL_HELPER_OUTPUT_MAX,
                                     .timeout_ms = helper->timeout_ms ?: CREDENTIAL_HELPER_TIMEOUT_MS,
                                     .cancel_fd = helper->cancel_fd };
        int r;

        if (!is_name(helper->name))
                return err_set(err, EINVAL,
                               "is no name of a helper: at most %d letters, digits, dots, dashes and underscores",
                               CREDENTIAL_HELPER_NAME_MAX);
        if ((r = find_program(helper->name, path, err)) < 0 || (r = program_run(&call, result, err)) < 0)
                return r;
        return check_end(result, err);
}

static int wrap(const struct credential_helper *helper, const char *verb, int r, struct err **err) {
        return r < 0 ? err_wrap(err, r, "%s: %s: " CREDENTIAL_HELPER_PREFIX "%.80s %s", helper->file, helper->field,
                                helper->name, verb) :
                       r;
}

/* As Go reads it: the case of a key does not count. */
static const char *member(const struct value *object, const char *key) {
        for (uint32_t i = 0; i < value_count(object) && value_is(object, VALUE_MAP); i++)
                if (strcasecmp(object->members[i].key, key) == 0)
                        return value_string(&object->members[i].value);
        return NULL;
}

/* @answer's texts were copied into the parser's memory. */
static void wipe(const char *text) {
        if (text)
                explicit_bzero((char *)(uintptr_t)text, strlen(text));
}

static int take(const char *username, const char *secret, struct credentials *ret, struct err **err) {
        struct credentials c = { .username = NULL };

        if (strcmp(username, TOKEN_USER) == 0) {
                c.identity_token = strdup(secret);
        } else {
                c.username = strdup(username);
                c.password = strdup(secret);
        }
        if (!c.identity_token && (!c.username || !c.password)) {
                image_credentials_clear(&c);
                return err_set(err, ENOMEM, "out of memory");
        }
        *ret = c;
        return 1;
}

static int read_answer(const struct program_output *out, struct credentials *ret, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root;
        const char *username, *secret;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        /* the parser's error may quote what it stumbles over */
        if (json_parse(arena, out->text ?: "", out->length, NULL, &root, NULL) < 0)
                return err_set(err, EINVAL, "the answer is no JSON object");
        username = member(root, "Username");
        secret = member(root, "Secret");
        if (!username || !secret)
                r = err_set(err, EINVAL, "the answer has no %s", username ? "Secret" : "Username");
        else
                r = *username || *secret ? take(username, secret, ret, err) : 0;
        wipe(secret);
        return r;
}

int image_credential_helper_get(const struct credential_helper *helper, const char *server, struct credentials *ret,
                                struct err **err) {
        _cleanup_program_ struct program_result result = { .status = 0 };
        int r = run(helper, "get", server, strlen(server), &result, err);

        if (r > 0)
                r = read_answer(&result.out, ret, err);
        return wrap(helper, "get", r, err);
}

int image_credential_helper_store(const struct credential_helper *helper, const char *server, const char *username,
                                  const char *password, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_program_ struct program_result result = { .status = 0 };
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r;

        json_begin_map(&w);
        json_add_string(&w, "ServerURL", server);
        json_add_string(&w, "Username", username);
        json_add_string(&w, "Secret", password);
        json_end_map(&w);
        r = json_writer_finish(&w, &text, &n);
        if (r < 0)
                return wrap(helper, "store", err_set(err, -r, "out of memory"), err);
        r = run(helper, "store", text, n, &result, err);
        explicit_bzero(text, n);
        if (r == 0) /* no answer to "store" */
                r = err_set(err, EIO, "says \"%s\"", NOT_FOUND);
        return wrap(helper, "store", r < 0 ? r : 0, err);
}

int image_credential_helper_erase(const struct credential_helper *helper, const char *server, struct err **err) {
        _cleanup_program_ struct program_result result = { .status = 0 };

        return wrap(helper, "erase", run(helper, "erase", server, strlen(server), &result, err), err);
}

int image_credential_helper_ask(const char *file, const char *host, int cancel_fd, struct credentials *ret,
                                struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct credential_helper helper = { .file = file, .cancel_fd = cancel_fd };
        const struct value *root;
        int r = arena ? image_docker_config_load(file, arena, &root, err) : err_set(err, ENOMEM, "out of memory");

        if (r < 0)
                return r;
        helper.name = image_docker_config_helper(root, host, &helper.field);
        return helper.name ? image_credential_helper_get(&helper, image_docker_config_server(host), ret, err) : 0;
}

void image_credentials_clear(struct credentials *c) {
        char *secrets[] = { c->username, c->password, c->identity_token };

        for (size_t i = 0; i < ELEMENTS(secrets); i++) {
                wipe(secrets[i]);
                free(secrets[i]);
        }
        *c = (struct credentials){ .username = NULL };
}
