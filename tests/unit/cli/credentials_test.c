#include "cli/credentials.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

static char directory[64], path[96];

static int setup(void **state) {
        strcpy(directory, "/tmp/nacelle-credentials-XXXXXX");
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof(path), "%s/config.json", directory);
        setenv("DOCKER_CONFIG", directory, 1);
        return 0;
}

static int teardown(void **state) {
        return files_remove_tree(directory, NULL);
}

static void write_config(const char *text) {
        assert_int_equal(files_replace(path, text, strlen(text), 0644, NULL), 0);
}

static void expect_config(const char *expected) {
        _cleanup_free_ char *text = NULL;
        size_t n;

        assert_int_equal(files_read(path, 4096, &text, &n, NULL), 0);
        assert_string_equal(text, expected);
}

static void test_save_and_remove(void **state) {
        struct stat st;

        assert_int_equal(credentials_remove("a.test", NULL), 0);
        assert_int_equal(credentials_save("a.test", "me", "secret", NULL), 0);
        expect_config("{\n  \"auths\": {\n    \"a.test\": {\n      \"auth\": \"bWU6c2VjcmV0\"\n    }\n  }\n}");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(credentials_save("a.test", "me", "x", NULL), 0);
        assert_int_equal(credentials_remove("a.test", NULL), 1);
        assert_int_equal(credentials_remove("a.test", NULL), 0);
}

/* A file, an image, and what is found for it. */
static void test_find(void **state) {
        static const struct {
                const char *auths, *reference, *found;
        } rows[] = {
                { "\"a.test\": {\"auth\": \"QQ==\"}", "a.test/x:1", "QQ==" },
                { "\"a.test\": {\"auth\": \"QQ==\"}", "a.test:5000/x:1", NULL },
                { "\"a.test\": {\"auth\": \"QQ==\"}, \"a.test/x\": {\"auth\": \"Qg==\"}", "a.test/x/y:1", "Qg==" },
                { "\"a.test\": {\"auth\": \"QQ==\"}, \"a.test/x\": {\"auth\": \"Qg==\"}", "a.test/xy:1", "QQ==" },
                { "\"a.test/x\": {\"auth\": \"\"}, \"a.test\": {\"auth\": \"QQ==\"}", "a.test/x", "QQ==" },
                { "\"https://index.docker.io/v1/\": {\"auth\": \"QQ==\"}", "busybox", "QQ==" },
                { "\"docker.io\": {\"auth\": \"QQ==\"}", "library/busybox", "QQ==" },
                { "\"a.test\": {}", "a.test/x", NULL },
                { "\"a.test\": 5", "a.test/x", NULL },
                { "", "UPPER//x", NULL },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_credentials_ struct credentials other = { .username = NULL };
                _cleanup_free_ char *auth = NULL;
                char text[512];

                snprintf(text, sizeof(text), "{\"auths\": {%s}}", rows[i].auths);
                write_config(text);
                assert_int_equal(credentials_find(rows[i].reference, &auth, &other, NULL), rows[i].found ? 1 : 0);
                if (rows[i].found)
                        assert_string_equal(auth, rows[i].found);
        }
}

/* docker-credential-NAME in a PATH that has it and the usual programs. */
static void write_helper(const char *name, const char *body) {
        char file[160], text[512], environment[4096];

        snprintf(file, sizeof(file), "%s/docker-credential-%s", directory, name);
        snprintf(text, sizeof(text), "#!/bin/sh\ncd %s\n%s\n", directory, body);
        assert_int_equal(files_replace(file, text, strlen(text), 0755, NULL), 0);
        snprintf(environment, sizeof(environment), "%s:/usr/bin:/bin", directory);
        setenv("PATH", environment, 1);
}

/* A helper keeps them: the file has an empty entry only, as docker's. */
static void test_helper(void **state) {
        _cleanup_credentials_ struct credentials found = { .username = NULL };
        _cleanup_free_ char *auth = NULL;

        write_helper("box", "case $1 in store) cat >box;; get) cat >asked; cat box;; erase) rm box;; esac 2>&-");
        write_config("{\"credHelpers\": {\"a.test\": \"box\"}}");
        assert_int_equal(credentials_save("a.test", "m:e", "secret", NULL), 0);
        expect_config(
                "{\n  \"credHelpers\": {\n    \"a.test\": \"box\"\n  },\n  \"auths\": {\n    \"a.test\": {}\n  }\n}");
        assert_int_equal(credentials_find("a.test/x:1", &auth, &found, NULL), 1);
        assert_null(auth);
        assert_string_equal(found.username, "m:e");
        assert_string_equal(found.password, "secret");
        assert_int_equal(credentials_remove("a.test", NULL), 1);
        expect_config("{\n  \"credHelpers\": {\n    \"a.test\": \"box\"\n  },\n  \"auths\": {}\n}");
        assert_int_equal(credentials_remove("a.test", NULL), -EIO); /* as this helper has it */
        assert_int_equal(credentials_remove("b.test", NULL), 0);
}

/* A helper that cannot store is a login that failed; one that cannot get leaves what the file has. */
static void test_helper_fails(void **state) {
        _cleanup_credentials_ struct credentials found = { .username = NULL };
        _cleanup_free_ char *auth = NULL;
        _cleanup_err_ struct err *err = NULL;
        const char *text = "{\"credsStore\": \"nosuch\", \"auths\": {\"*.test\": {\"auth\": \"QQ==\", "
                           "\"identitytoken\": \"tok\"}}}";

        write_config(text);
        assert_int_equal(credentials_save("a.test", "me", "secret", &err), -ENOENT);
        assert_non_null(strstr(err_text(err), "config.json: credsStore: docker-credential-nosuch store: there is no"));
        expect_config(text);
        assert_int_equal(credentials_find("a.test/x:1", &auth, &found, NULL), 1);
        assert_string_equal(auth, "QQ==");
        assert_string_equal(found.identity_token, "tok");
}

static void test_refusals(void **state) {
        static const struct {
                const char *text, *says;
        } rows[] = {
                { "{", "config.json" },
                { "[]", "is a list, not a map" },
                { "{\"auths\": []}", "auths is a list, not a map" },
        };
        char longest[5000] = "";

        memset(longest, 'x', sizeof(longest) - 1);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_err_ struct err *err = NULL;

                write_config(rows[i].text);
                assert_true(credentials_save("a.test", "me", "x", &err) < 0);
                assert_non_null(strstr(err_text(err), rows[i].says));
        }
        assert_int_equal(credentials_save("a.test", "m:e", "x", NULL), -EINVAL);
        assert_int_equal(credentials_save("a.test", "me", longest, NULL), -E2BIG);
        unsetenv("DOCKER_CONFIG");
        unsetenv("HOME");
        assert_int_equal(credentials_save("a.test", "me", "x", NULL), -ENOENT);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = { TEST(test_save_and_remove), TEST(test_find), TEST(test_helper),
                                            TEST(test_helper_fails), TEST(test_refusals) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
