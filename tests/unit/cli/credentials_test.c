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
                _cleanup_free_ char *auth = NULL;
                char text[512];

                snprintf(text, sizeof(text), "{\"auths\": {%s}}", rows[i].auths);
                write_config(text);
                assert_int_equal(credentials_find(rows[i].reference, &auth, NULL), rows[i].found ? 1 : 0);
                if (rows[i].found)
                        assert_string_equal(auth, rows[i].found);
        }
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
        const struct CMUnitTest tests[] = { TEST(test_save_and_remove), TEST(test_find), TEST(test_refusals) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
