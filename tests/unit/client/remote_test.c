/* Answers of a server that says more than one expects. */
#include "client/remote.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/kubelet/self_signed.h"
#include "kube/kinds.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/server.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"

static const struct kube_kind config_maps = {
        .group = "", .version = "v1", .kind = "ConfigMap", .resource = "configmaps", .namespaced = true
};

static uv_loop_t loop;
static struct http_server *server;
static struct client *client;
static size_t size; /* of the answer */
static int code;
static size_t got;
static bool endless;
static const char *text; /* of the answer; NULL: {} and blanks */
static unsigned pages;

/* A page of a list that never ends. */
static void answer_page(struct http_exchange *x) {
        static const char page[] = "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":"
                                   "{\"resourceVersion\":\"1\",\"continue\":\"more\"},\"items\":[]}";

        pages++;
        assert_int_equal(http_respond(x, 200, NULL, 0, sizeof(page) - 1), 0);
        assert_int_equal(http_send(x, page, sizeof(page) - 1), 0);
        assert_int_equal(http_end(x, NULL, 0), 0);
}

static void handle(struct http_exchange *x, void *data) {
        struct bytes *body;

        if (endless)
                return answer_page(x);
        if (text) {
                body = bytes_copy(text, size = strlen(text));
        } else {
                body = bytes_new(size);
                memset(body->data, ' ', size);
                memcpy(body->data, "{}", 2);
        }
        assert_int_equal(http_respond(x, 200, NULL, 0, (int64_t)size), 0);
        assert_int_equal(http_send_bytes(x, body), 0);
        assert_int_equal(http_end(x, NULL, 0), 0);
        bytes_unref(body);
}

static int set_up(void **state) {
        static const struct http_route routes[] = { { "GET", "/{rest...}", handle, 0 } };
        static const char *const protocols[] = { "h2", NULL };
        struct client_remote_config config = { .unverified = true };
        struct tls_config tls = { .side = TLS_SERVER, .protocols = protocols };
        struct http_server_config serving = { .routes = routes, .n_routes = 1 };
        _cleanup_free_ char *certificate = NULL, *key = NULL;
        char place[64];
        int fd;

        uv_loop_init(&loop);
        assert_int_equal(kubelet_self_signed_new("n", "127.0.0.1", time(NULL), &certificate, &key, NULL), 0);
        tls.certificate = certificate;
        tls.key = key;
        assert_int_equal(tls_context_new(&tls, &serving.tls, NULL), 0);
        assert_int_equal(http_server_new(&loop, &serving, &server, NULL), 0);
        tls_context_unref(serving.tls);
        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        snprintf(place, sizeof(place), "https://127.0.0.1:%d", listener_port(fd));
        assert_int_equal(http_server_listen(server, fd), 0);
        config.server = place;
        return client_remote_new(&loop, &config, &client, NULL);
}

static int tear_down(void **state) {
        client_remote_free(client);
        http_server_free(server, NULL, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
        return uv_loop_close(&loop);
}

static void on_answer(void *data, const struct client_answer *answer) {
        code = answer->code;
        got = code > 0 ? answer->body->size : 0;
        *(bool *)data = true;
}

static int ask(size_t n) {
        const struct client_request request = {
                .verb = KUBE_VERB_GET, .kind = &config_maps, .namespace = "a", .name = "b"
        };
        struct client_call *call;
        bool done = false;

        size = n;
        assert_int_equal(client_ask(client, &request, on_answer, &done, &call), 0);
        while (!done)
                uv_run(&loop, UV_RUN_ONCE);
        return code;
}

/* It comes in thousands of pieces: memory grows with what is there, not with their number. */
static void test_large_answers(void **state) {
        assert_int_equal(ask(CLIENT_BODY_MAX), 200);
        assert_int_equal(got, CLIENT_BODY_MAX);
        assert_int_equal(ask(CLIENT_BODY_MAX + 1), -EMSGSIZE);
        assert_int_equal(ask(2), 200);
}

/* One that fails after its head was answered; one that nobody answers was not. */
static void test_answers_are_counted(void **state) {
        const struct client_remote_count *counts;
        const char *host;

        ask(2);
        ask(CLIENT_BODY_MAX + 1);
        assert_int_equal(client_remote_counts(client, &counts, &host), 1);
        assert_string_equal(counts[0].method, "GET");
        assert_int_equal(counts[0].status, 200);
        assert_int_equal(counts[0].n, 2);
        assert_non_null(strstr(host, "127.0.0.1:"));
}

static void on_object(void *data, struct client_object *object) {
        fail();
}

static void on_list_done(void *data, int error, int64_t revision, const char *why) {
        code = error;
        *(bool *)data = true;
}

static int list(void) {
        static const struct client_list_events events = { on_object, on_list_done };
        const struct client_scope scope = { .kind = &config_maps };
        struct client_call *call;
        bool done = false;

        assert_int_equal(client_list(client, &scope, &events, &done, &call), 0);
        while (!done)
                uv_run(&loop, UV_RUN_ONCE);
        return code;
}

static void test_endless_list(void **state) {
        endless = true;
        assert_int_equal(list(), -EMSGSIZE);
        endless = false;
        assert_int_equal(pages, CLIENT_PAGES_MAX);
}

/* An answer that holds no objects is a list only where it says so: all that it does not hold would be gone. */
static void test_what_is_no_list(void **state) {
        static const struct {
                const char *text;
                int error;
        } rows[] = {
                { "{}", -EINVAL },
                { "{\"items\":[]}", -EINVAL },
                { "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"items\":[]}", -EINVAL },
                { "{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"\"},\"items\":[]}", -EINVAL },
                { "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]}", -EINVAL },
                { "{\"kind\":\"ConfigMap\",\"metadata\":{\"resourceVersion\":\"7\"}}", -EINVAL },
                { "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\"}", -EINVAL },
                { "{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":null}", 0 },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                text = rows[i].text;
                if (list() != rows[i].error)
                        fail_msg("%s: %d", text, code);
        }
        text = NULL;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_large_answers, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_answers_are_counted, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_endless_list, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_what_is_no_list, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
