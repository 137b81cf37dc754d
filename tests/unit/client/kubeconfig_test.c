#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/remote.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

static char directory[64];
static struct arena *arena;

static int set_up(void **state) {
        strcpy(directory, "/tmp/nacelle-kubeconfig-XXXXXX");
        arena = arena_new();
        return mkdtemp(directory) && arena ? 0 : -1;
}

static int tear_down(void **state) {
        arena_free(arena);
        return files_remove_tree(directory, NULL);
}

static const char *put(const char *name, const char *text) {
        static char path[128];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        assert_int_equal(files_replace(path, text, strlen(text), 0600, NULL), 0);
        return path;
}

#define HEAD                                                                                                           \
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- {name: b, context: {cluster: no, user: no}}\n" \
        "- {name: a, context: {cluster: c, user: u}}\n"
#define CLUSTER(more) "clusters:\n- {name: c, cluster: {server: 'https://h:1'" more "}}\n"
#define USER(text) "users:\n- {name: u, user: {" text "}}\n"

static void texts_and_files(void **state) {
        struct client_remote_config c;

        put("ca", "AUTHORITY");
        put("t", "TOKEN\n");
        assert_int_equal(client_kubeconfig(arena,
                                           put("k", HEAD CLUSTER(", certificate-authority: ca") USER(
                                                            "client-certificate-data: Q0VSVA==, client-key-data: S0VZ, "
                                                            "tokenFile: t")),
                                           &c, NULL),
                         0);
        assert_string_equal(c.server, "https://h:1");
        assert_string_equal(c.authorities, "AUTHORITY");
        assert_string_equal(c.certificate, "CERT");
        assert_string_equal(c.key, "KEY");
        assert_string_equal(c.token, "TOKEN");
        assert_int_equal(client_kubeconfig(arena, put("k", HEAD CLUSTER("") USER("token: abc")), &c, NULL), 0);
        assert_string_equal(c.token, "abc");
        assert_null(c.authorities);
        assert_null(c.certificate);
}

static void what_is_wrong(void **state) {
        static const struct {
                const char *text, *says;
        } cases[] = {
                { "", "holds no document" },
                { "a: [", "k:" },
                { "- a", "the current context has no cluster with a server" },
                { HEAD, "the current context has no cluster with a server" },
                { HEAD CLUSTER(", insecure-skip-tls-verify: true") USER(""),
                  "insecure-skip-tls-verify is not supported" },
                { HEAD CLUSTER("") USER("exec: {command: x}"), "exec of a user is not supported" },
                { HEAD CLUSTER("") USER("username: x"), "username of a user is not supported" },
                { HEAD CLUSTER("") USER("client-key-data: '!'"), "client-key-data is no base64 of a text" },
                { HEAD CLUSTER("") USER("client-key-data: AA=="), "client-key-data is no base64 of a text" },
                { HEAD CLUSTER("") USER("client-key: none"), "none" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct client_remote_config c;

                assert_true(client_kubeconfig(arena, put("k", cases[i].text), &c, &err) < 0);
                if (!strstr(err_text(err), cases[i].says))
                        fail_msg("%s: not %s", err_text(err), cases[i].says);
                assert_non_null(strstr(err_text(err), "/k"));
        }
}

static void servers(void **state) {
        static const struct {
                const char *server;
                int result;
        } cases[] = {
                { "https://127.0.0.1:6443", 0 },
                { "https://127.0.0.1", 0 },
                { "https://[::1]:6443", 0 },
                { "https://127.0.0.1:6443/", 0 },
                { "http://127.0.0.1", -EINVAL },
                { "https://", -EINVAL },
                { "https://127.0.0.1/x", -EINVAL },
                { "https://[::1", -EINVAL },
                { "https://h:123456789", -EINVAL },
                { "127.0.0.1:6443", -EINVAL },
                { "https://no.such.invalid", -ENOENT },
        };
        uv_loop_t loop;

        uv_loop_init(&loop);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct client_remote_config c = { .server = cases[i].server };
                struct client *client = NULL;

                assert_int_equal(client_remote_new(&loop, &c, &client, NULL), cases[i].result);
                client_remote_free(client);
        }
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(texts_and_files),
                cmocka_unit_test(what_is_wrong),
                cmocka_unit_test(servers),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
