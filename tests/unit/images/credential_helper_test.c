/* docker's config.json and the programs that it names: scripts that follow the protocol, and others. */
#include "images/credential_helper.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "images/docker_config.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/value.h"

static char directory[64], saved_path[4096];

static int setup(void **state) {
        (void)state;
        strcpy(directory, "/tmp/nacelle-helper-XXXXXX");
        assert_non_null(mkdtemp(directory));
        snprintf(saved_path, sizeof(saved_path), "%s", getenv("PATH") ?: "");
        return 0;
}

static int teardown(void **state) {
        (void)state;
        setenv("PATH", saved_path, 1);
        return files_remove_tree(directory, NULL);
}

static void write_file(const char *name, const char *text, mode_t mode) {
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        assert_int_equal(files_replace(path, text, strlen(text), mode, NULL), 0);
        assert_int_equal(chmod(path, mode), 0);
}

/* docker-credential-NAME that runs @body, in a PATH that has it and the usual programs. */
static void write_helper(const char *name, const char *body) {
        char file[128], text[4096], path[8192];

        snprintf(file, sizeof(file), CREDENTIAL_HELPER_PREFIX "%s", name);
        snprintf(text, sizeof(text), "#!/bin/sh\ncd %s\n%s\n", directory, body);
        write_file(file, text, 0755);
        snprintf(path, sizeof(path), "relative:%s:%s", directory, saved_path);
        setenv("PATH", path, 1);
}

static char *read_back(const char *name) {
        char path[256], *text;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        assert_int_equal(files_read(path, 4096, &text, NULL, NULL), 0);
        return text;
}

static const struct value *parse(struct arena *arena, const char *text) {
        const struct value *root;

        assert_int_equal(json_parse(arena, text, strlen(text), NULL, &root, NULL), 0);
        return root;
}

/* Keys of auths, each with its place as credentials, and which one is taken. */
static void test_entries(void **state) {
        static const struct {
                const char *keys[3], *host, *path;
                int taken; /* -1: none */
        } rows[] = {
                { { "a.test" }, "a.test", "x", 0 },
                { { "b.test" }, "a.test", "x", -1 },
                { { "a.test" }, "a.test:5000", "x", -1 },
                { { "a.test:5000" }, "a.test:5000", "x", 0 },
                { { "a.test:500" }, "a.test:5000", "x", -1 },
                { { "https://a.test" }, "a.test", "x", 0 },
                { { "http://a.test/" }, "a.test", "x", 0 },
                { { "https://a.test/v1/" }, "a.test", "x", 0 },
                { { "a.test/v2" }, "a.test", "x", 0 },
                { { "a.test/v2/team" }, "a.test", "team/app", 0 },
                { { "a.test/v20" }, "a.test", "x", -1 },
                { { "a.test/v20" }, "a.test", "v20/x", 0 },
                { { "a.test/team" }, "a.test", "team/app", 0 },
                { { "a.test/team/" }, "a.test", "team/app", 0 },
                { { "a.test/team/" }, "a.test", "teams/app", -1 },
                { { "a.test/team/app" }, "a.test", "team", -1 },
                { { "a.test/te" }, "a.test", "team/app", 0 },
                { { "a.test/te", "a.test" }, "a.test", "team/app", 1 },
                { { "a.test", "a.test/team", "a.test/team/app" }, "a.test", "team/app", 2 },
                { { "a.test/team/app", "a.test/team", "a.test" }, "a.test", "team/other", 1 },
                { { "*.test" }, "a.test", "x", 0 },
                { { "*.test" }, "a.b.test", "x", -1 },
                { { "*.test" }, "test", "x", -1 },
                { { "*" }, "a.test", "x", -1 },
                { { "*.*" }, "a.test", "x", 0 },
                { { "*.test" }, "a.test:5000", "x", -1 },
                { { "*.test:5000" }, "a.test:5000", "x", 0 },
                { { "*.test:*" }, "a.test:5000", "x", -1 },
                { { "a*.test" }, "abc.test", "x", 0 },
                { { "a?.test" }, "abc.test", "x", -1 },
                { { "[ab].test" }, "b.test", "x", 0 },
                { { "[ab].test" }, "c.test", "x", -1 },
                { { "https://*.test/team" }, "a.test", "team/app", 0 },
                { { "*.test/*" }, "a.test", "team/app", -1 },
                { { "*.test", "a.test" }, "a.test", "x", 1 },
                { { "*.test", "*.test/team" }, "a.test", "team/app", 1 },
                { { "[::1]:5000" }, "[::1]:5000", "x", 0 },
                { { "https://index.docker.io/v1/" }, "docker.io", "library/x", 0 },
                { { "docker.io" }, "docker.io", "library/x", 0 },
                { { "index.docker.io" }, "registry-1.docker.io", "library/x", 0 },
                { { "docker.io/me" }, "docker.io", "library/x", -1 },
                { { "docker.io" }, "docker.io.test", "x", -1 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                const struct value *root, *entry;
                char text[1024] = "", expected[8];

                for (int j = 0; j < 3 && rows[i].keys[j]; j++)
                        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\"%s\": {\"auth\": \"%d\"}",
                                 j > 0 ? ", " : "", rows[i].keys[j], j);
                root = parse(arena, arena_printf(arena, "{\"auths\": {%s}}", text));
                entry = image_docker_config_entry(root, rows[i].host, rows[i].path);
                snprintf(expected, sizeof(expected), "%d", rows[i].taken);
                if (rows[i].taken < 0 ? entry != NULL :
                                        !entry || strcmp(value_string(value_get(entry, "auth")), expected) != 0)
                        fail_msg("row %zu: key %s, image %s/%s: %s", i, rows[i].keys[0], rows[i].host, rows[i].path,
                                 entry ? value_string(value_get(entry, "auth")) : "none");
        }
}

/* docker leaves an empty entry where a helper has the credentials; it does not hide another. */
static void test_empty_entries(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *root = parse(arena, "{\"auths\": {\"a.test/x\": {}, \"a.test\": {\"username\": \"me\"},"
                                                "\"b.test\": {\"auth\": \"\"}, \"c.test\": 5}}");

        (void)state;
        assert_non_null(image_docker_config_entry(root, "a.test", "x"));
        assert_null(image_docker_config_entry(root, "b.test", "x"));
        assert_null(image_docker_config_entry(root, "c.test", "x"));
        assert_null(image_docker_config_entry(parse(arena, "{\"auths\": []}"), "c.test", "x"));
        assert_null(image_docker_config_entry(NULL, "c.test", "x"));
}

static void test_which_helper(void **state) {
        static const struct {
                const char *config, *host, *name, *field;
        } rows[] = {
                { "{}", "a.test", NULL, NULL },
                { "{\"credsStore\": \"s\"}", "a.test", "s", "credsStore" },
                { "{\"credsStore\": \"\"}", "a.test", NULL, NULL },
                { "{\"credsStore\": 5}", "a.test", NULL, NULL },
                { "{\"credsStore\": \"s\", \"credHelpers\": {\"a.test\": \"h\"}}", "a.test", "h", "credHelpers" },
                { "{\"credsStore\": \"s\", \"credHelpers\": {\"a.test\": \"h\"}}", "b.test", "s", "credsStore" },
                { "{\"credsStore\": \"s\", \"credHelpers\": {\"a.test\": \"h\"}}", "a.test:1", "s", "credsStore" },
                { "{\"credsStore\": \"s\", \"credHelpers\": {\"a.test\": \"\"}}", "a.test", NULL, NULL },
                { "{\"credHelpers\": {\"https://index.docker.io/v1/\": \"h\"}}", "docker.io", "h", "credHelpers" },
                { "{\"credHelpers\": {\"docker.io\": \"h\"}}", "docker.io", "h", "credHelpers" },
                { "{\"credHelpers\": [\"a.test\"]}", "a.test", NULL, NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                const char *field,
                        *name = image_docker_config_helper(parse(arena, rows[i].config), rows[i].host, &field);

                if (!rows[i].name) {
                        assert_null(name);
                        continue;
                }
                assert_string_equal(name, rows[i].name);
                assert_string_equal(field, rows[i].field);
        }
}

/* It is told the server, and what it answers is a user and password, a token, or nothing. */
static void test_get(void **state) {
        static const struct {
                const char *body;
                int r;
                const char *username, *password, *token;
        } rows[] = {
                { "[ \"$(cat)\" = a.test ] && [ \"$*\" = get ] && echo '{\"ServerURL\":\"a.test\",\"Username\":\"me\","
                  "\"Secret\":\"pass\\\"word\"}'",
                  1, "me", "pass\"word", NULL },
                { "echo '{\"username\":\"me\",\"secret\":\"low\"}'", 1, "me", "low", NULL },
                { "echo '{\"Username\":\"<token>\",\"Secret\":\"tok\"}'", 1, NULL, NULL, "tok" },
                { "echo '{\"Username\":\"\",\"Secret\":\"\"}'", 0, NULL, NULL, NULL },
                { "echo credentials not found in native keychain; exit 1", 0, NULL, NULL, NULL },
                { "echo; echo '  credentials not found in native keychain '; exit 1", 0, NULL, NULL, NULL },
                { "echo noise >&2; echo '{\"Username\":\"me\",\"Secret\":\"x\"}'; sleep 2 & exit 0", 1, "me", "x",
                  NULL },
                { "exec 0<&-; echo '{\"Username\":\"me\",\"Secret\":\"x\"}'", 1, "me", "x", NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct credential_helper helper = { .name = "t", .file = "f", .field = "c", .cancel_fd = -EBADF };
                _cleanup_credentials_ struct credentials c = { .username = NULL };
                _cleanup_err_ struct err *err = NULL;

                write_helper("t", rows[i].body);
                if (image_credential_helper_get(&helper, "a.test", &c, &err) != rows[i].r)
                        fail_msg("row %zu: %s", i, err_text(err));
                assert_string_equal(c.username ?: "", rows[i].username ?: "");
                assert_string_equal(c.password ?: "", rows[i].password ?: "");
                assert_string_equal(c.identity_token ?: "", rows[i].token ?: "");
        }
}

static void test_refusals(void **state) {
        static const struct {
                const char *name, *body;
                int r;
                const char *says;
        } rows[] = {
                { "nosuch", NULL, -ENOENT, "f: c: docker-credential-nosuch get: there is no such program in PATH" },
                { "../t", NULL, -EINVAL, "is no name of a helper" },
                { "a b", NULL, -EINVAL, "is no name of a helper" },
                { "", NULL, -EINVAL, "is no name of a helper" },
                { "t", "exit 3", -EIO, "docker-credential-t get: exit code 3" },
                { "t", "echo locked; exit 1", -EIO, "exit code 1: locked" },
                { "t", "echo why >&2; exit 1", -EIO, "exit code 1: why" },
                { "t", "kill -9 $$", -EIO, "killed by signal 9" },
                { "t", "echo '{'", -EINVAL, "the answer is no JSON object" },
                { "t", "echo '[]'", -EINVAL, "the answer has no Username" },
                { "t", ":", -EINVAL, "the answer is no JSON object" },
                { "t", "echo '{\"Username\":\"me\"}'", -EINVAL, "the answer has no Secret" },
                { "t", "echo '{\"Username\":\"me\",\"Secret\":5}'", -EINVAL, "the answer has no Secret" },
                { "t", "head -c 40000 /dev/zero", -E2BIG, "answered more than 32768 bytes" },
                { "t", "exec yes", -E2BIG, "answered more than 32768 bytes" },
                { "t", "exec sleep 1000", -ETIMEDOUT, "took longer than 300 ms" },
                { "t", "sleep 1000 & wait", -ETIMEDOUT, "took longer than 300 ms" },
        };

        (void)state;
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const struct credential_helper helper = { .name = rows[i].name,
                                                          .file = "f",
                                                          .field = "c",
                                                          .timeout_ms = strstr(rows[i].says, "300") ? 300 : 0,
                                                          .cancel_fd = -EBADF };
                _cleanup_credentials_ struct credentials c = { .username = NULL };
                _cleanup_err_ struct err *err = NULL;

                write_helper("t", rows[i].body ?: ":");
                if (image_credential_helper_get(&helper, "a.test", &c, &err) != rows[i].r)
                        fail_msg("row %zu: %s", i, err_text(err));
                if (!strstr(err_text(err), rows[i].says))
                        fail_msg("row %zu: %s", i, err_text(err));
                assert_null(c.password);
        }
        /* Whatever was killed was also waited for. */
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

/* Names and answers as long as they may be, and one byte more. */
static void test_limits(void **state) {
        char name[CREDENTIAL_HELPER_NAME_MAX + 2] = "", body[256];
        struct credential_helper helper = { .name = name, .file = "f", .field = "c", .cancel_fd = -EBADF };

        (void)state;
        memset(name, 'n', CREDENTIAL_HELPER_NAME_MAX);
        for (int more = 0; more < 2; more++) {
                _cleanup_credentials_ struct credentials c = { .username = NULL };

                snprintf(body, sizeof(body), "printf '{\"Username\":\"me\",\"Secret\":\"%%0%dd\"}' 0",
                         CREDENTIAL_HELPER_OUTPUT_MAX - 29 + more);
                write_helper(name, body);
                assert_int_equal(image_credential_helper_get(&helper, "a.test", &c, NULL), more ? -E2BIG : 1);
        }
        name[CREDENTIAL_HELPER_NAME_MAX] = 'n';
        write_helper(name, body);
        assert_int_equal(image_credential_helper_store(&helper, "a.test", "me", "x", NULL), -EINVAL);
}

/* A secret never shows in an error, even of a helper that prints one and then fails. */
static void test_no_secret_in_errors(void **state) {
        static const char *const bodies[] = {
                "echo '{\"Username\":\"me\",\"Secret\":\"hush\"}'; exit 1",
                "echo '{\"Username\":\"me\",\"Secret\":\"hush\"'",
                "echo '{\"Secret\":\"hush\"}'",
        };
        const struct credential_helper helper = { .name = "t", .file = "f", .field = "c", .cancel_fd = -EBADF };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(bodies); i++) {
                struct credentials c = { .username = NULL };
                _cleanup_err_ struct err *err = NULL;

                write_helper("t", bodies[i]);
                assert_true(image_credential_helper_get(&helper, "a.test", &c, &err) < 0);
                assert_null(strstr(err_text(err), "hush"));
        }
}

static void test_cancel(void **state) {
        _cleanup_close_ int fd = eventfd(1, EFD_CLOEXEC);
        const struct credential_helper helper = { .name = "t", .file = "f", .field = "c", .cancel_fd = fd };
        struct credentials c = { .username = NULL };

        (void)state;
        write_helper("t", "exec sleep 1000");
        assert_int_equal(image_credential_helper_get(&helper, "a.test", &c, NULL), -ECANCELED);
}

static void test_store_and_erase(void **state) {
        const struct credential_helper helper = { .name = "t", .file = "f", .field = "c", .cancel_fd = -EBADF };
        _cleanup_free_ char *stored = NULL, *erased = NULL;
        _cleanup_err_ struct err *err = NULL;

        (void)state;
        write_helper("t", "cat >$1");
        assert_int_equal(image_credential_helper_store(&helper, "a.test", "me", "se\"cret", NULL), 0);
        stored = read_back("store");
        assert_string_equal(stored, "{\"ServerURL\":\"a.test\",\"Username\":\"me\",\"Secret\":\"se\\\"cret\"}");
        assert_int_equal(image_credential_helper_erase(&helper, "a.test", NULL), 1);
        erased = read_back("erase");
        assert_string_equal(erased, "a.test");
        write_helper("t", "echo credentials not found in native keychain; exit 1");
        assert_int_equal(image_credential_helper_erase(&helper, "a.test", NULL), 0);
        write_helper("t", "echo the keyring is locked; exit 1");
        assert_int_equal(image_credential_helper_store(&helper, "a.test", "me", "secret", &err), -EIO);
        assert_string_equal(err_text(err), "f: c: docker-credential-t store: exit code 1: the keyring is locked");
}

/* The whole way: file, field, server. */
static void test_ask(void **state) {
        _cleanup_credentials_ struct credentials c = { .username = NULL };
        char file[96];

        (void)state;
        snprintf(file, sizeof(file), "%s/config.json", directory);
        write_helper("t", "cat >server; echo '{\"Username\":\"me\",\"Secret\":\"x\"}'");
        assert_int_equal(image_credential_helper_ask(file, "docker.io", -EBADF, &c, NULL), 0);
        write_file("config.json", "{\"credHelpers\": {\"a.test\": \"t\"}}", 0600);
        assert_int_equal(image_credential_helper_ask(file, "docker.io", -EBADF, &c, NULL), 0);
        write_file("config.json", "{\"credsStore\": \"t\"}", 0600);
        assert_int_equal(image_credential_helper_ask(file, "docker.io", -EBADF, &c, NULL), 1);
        assert_string_equal(c.username, "me");
        _cleanup_free_ char *server = read_back("server");
        assert_string_equal(server, "https://index.docker.io/v1/");
        write_file("config.json", "{", 0600);
        assert_int_equal(image_credential_helper_ask(file, "docker.io", -EBADF, &c, NULL), -EINVAL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_entries),         TEST(test_empty_entries), TEST(test_which_helper),        TEST(test_get),
                TEST(test_refusals),        TEST(test_limits),        TEST(test_no_secret_in_errors), TEST(test_cancel),
                TEST(test_store_and_erase), TEST(test_ask),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
