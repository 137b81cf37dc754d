#include "lib/transport/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/transport/address.h"
#include "lib/transport/listener.h"
#include "lib/transport/tls.h"
#include "tests/unit/identity.h"

/* One end of a stream, and what it saw. */
struct end {
        struct transport *stream;
        bool opened, ended, closed, finish_when_opened, echo;
        int error;
        char why[TLS_WHY_MAX];
        size_t received, drained;
        char last[64];
};

static uv_loop_t loop;
static struct end client, server;

static void on_opened(void *data) {
        struct end *end = data;

        end->opened = true;
        if (end->finish_when_opened)
                transport_finish(end->stream);
}

static void on_received(void *data, uint8_t *bytes, size_t n) {
        struct end *end = data;

        end->received += n;
        snprintf(end->last, sizeof(end->last), "%.*s", (int)n, (char *)bytes);
        if (end->echo)
                assert_int_equal(transport_write(end->stream, &(struct iovec){ bytes, n }, 1), 0);
}

static void on_ended(void *data) {
        ((struct end *)data)->ended = true;
}

static void on_drained(void *data) {
        ((struct end *)data)->drained++;
}

static void on_closed(void *data, int error, const char *why) {
        struct end *end = data;

        end->closed = true;
        end->error = error;
        end->stream = NULL;
        snprintf(end->why, sizeof(end->why), "%s", why ?: "");
}

static const struct transport_events events = { on_opened, on_received, on_ended, on_drained, on_closed };

/* --- certificates --- */

static const char *const both[] = { "h2", "http/1.1", NULL }, *const old[] = { "http/1.1", NULL },
                         *const other[] = { "spdy/3", NULL };

static struct tls_context *make_tls(int side, enum tls_verify verify, const struct identity *own, const char *trust,
                                    const char *const *protocols) {
        struct tls_config config = { .side = side,
                                     .verify = verify,
                                     .certificate = own ? own->certificate : NULL,
                                     .key = own ? own->key : NULL,
                                     .authorities = trust,
                                     .protocols = protocols };
        struct tls_context *tls = NULL;
        _cleanup_err_ struct err *err = NULL;

        if (tls_context_new(&config, &tls, &err) < 0)
                fail_msg("%s", err_text(err));
        return tls;
}

/* --- a pair --- */

static void run_until(const bool *what) {
        for (int i = 0; i < 2000 && !*what; i++)
                uv_run(&loop, UV_RUN_ONCE);
        assert_true(*what);
}

static void connect_pair(struct tls_context *server_tls, struct tls_context *client_tls, const char *name) {
        struct transport_target target = { .tls = client_tls, .name = name };
        struct sockaddr_storage address;
        char text[64];
        int fd, accepted;

        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        snprintf(text, sizeof(text), "127.0.0.1:%d", listener_port(fd));
        assert_int_equal(address_parse(text, &address, &target.n_address, NULL), 0);
        target.address = (const struct sockaddr *)&address;
        assert_int_equal(transport_connect(&loop, &target, &events, &client, &client.stream), 0);
        do
                accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        while (accepted < 0);
        close(fd);
        assert_int_equal(transport_accept(&loop, accepted, server_tls, &events, &server, &server.stream), 0);
}

static int set_up(void **state) {
        memset(&client, 0, sizeof(client));
        memset(&server, 0, sizeof(server));
        return uv_loop_init(&loop);
}

static int tear_down(void **state) {
        if (client.stream)
                transport_close(client.stream, 0);
        if (server.stream)
                transport_close(server.stream, 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        return uv_loop_close(&loop);
}

static void say(struct end *end, const char *text) {
        struct iovec ranges[2] = { { (void *)(uintptr_t)text, 1 },
                                   { (void *)(uintptr_t)(text + 1), strlen(text) - 1 } };

        assert_int_equal(transport_write(end->stream, ranges, 2), 0);
}

/* What both kinds of stream have in common: echo, half-close either way, a clean end. */
static void check_conversation(void) {
        run_until(&client.opened);
        run_until(&server.opened);
        server.echo = true;
        say(&client, "hello");
        while (client.received < 5)
                uv_run(&loop, UV_RUN_ONCE);
        assert_string_equal(server.last, "hello");
        transport_finish(client.stream);
        run_until(&server.ended);
        assert_false(client.ended);
        say(&server, "still here");
        while (client.received < 15)
                uv_run(&loop, UV_RUN_ONCE);
        assert_string_equal(client.last, "still here");
        assert_int_equal(transport_write(client.stream, &(struct iovec){ client.last, 1 }, 1), -EPIPE);
        transport_finish(server.stream);
        run_until(&client.ended);
}

static void test_plain(void **state) {
        size_t n;

        connect_pair(NULL, NULL, NULL);
        check_conversation();
        assert_null(transport_protocol(client.stream, &n));
}

static void assert_congestion(int fd, const char *wanted) {
        char name[16] = "";

        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &(socklen_t){ sizeof(name) - 1 }), 0);
        assert_string_equal(name, wanted);
}

/* Between one address and itself there is no path to be paced for; between two the host's choice stands. */
static void test_congestion_control(void **state) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };
        char hosts[16] = "";
        int fd, from = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;
        FILE *f;

        connect_pair(NULL, NULL, NULL);
        assert_congestion(transport_fd(client.stream), "reno");
        assert_congestion(transport_fd(server.stream), "reno");
        transport_close(server.stream, 0);

        f = fopen("/proc/sys/net/ipv4/tcp_congestion_control", "re");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%15s", hosts), 1);
        fclose(f);
        assert_int_equal(listener_tcp("127.0.0.1:0", &fd, NULL), 0);
        assert_int_equal(bind(from, (struct sockaddr *)&address, sizeof(address)), 0);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons((uint16_t)listener_port(fd));
        assert_int_equal(connect(from, (struct sockaddr *)&address, sizeof(address)), 0);
        do
                accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        while (accepted < 0);
        close(fd);
        assert_int_equal(transport_accept(&loop, accepted, NULL, &events, &server, &server.stream), 0);
        assert_congestion(transport_fd(server.stream), hosts);
        close(from);
}

static void test_tls(void **state) {
        struct identity own = make_identity("api.test");
        struct tls_context *s = make_tls(TLS_SERVER, TLS_VERIFY_NONE, &own, NULL, both),
                           *c = make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, NULL, own.certificate, old);
        size_t n;

        connect_pair(s, c, "api.test");
        check_conversation();
        assert_memory_equal(transport_protocol(server.stream, &n), "http/1.1", 8);
        assert_int_equal(n, 8);
        assert_string_equal(SSL_get_servername(transport_tls(server.stream), TLSEXT_NAMETYPE_host_name), "api.test");
        tls_context_unref(s);
        tls_context_unref(c);
        identity_done(&own);
}

/* In place of the C library's: who asks a socket, and how often. */
static unsigned n_asked;

ssize_t recv(int fd, void *buffer, size_t size, int flags) {
        n_asked++;
        return recvfrom(fd, buffer, size, flags, NULL, NULL);
}

/* A socket that has given all that it had is not asked whether there is more. */
static void test_each_record_is_asked_for_once(void **state) {
        struct identity own = make_identity("api.test");
        struct tls_context *s = make_tls(TLS_SERVER, TLS_VERIFY_NONE, &own, NULL, NULL),
                           *c = make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, NULL, own.certificate, NULL);

        connect_pair(s, c, "api.test");
        run_until(&client.opened);
        run_until(&server.opened);
        for (int i = 0; i < 10; i++) /* tickets */
                uv_run(&loop, UV_RUN_NOWAIT);
        n_asked = 0;
        for (unsigned i = 1; i <= 3; i++) {
                say(&client, "hello");
                while (server.received < 5 * i)
                        uv_run(&loop, UV_RUN_ONCE);
                uv_run(&loop, UV_RUN_NOWAIT);
                assert_int_equal(n_asked, i);
        }
        tls_context_unref(s);
        tls_context_unref(c);
        identity_done(&own);
}

/* By address, the peer is checked and no name is sent. */
static void test_tls_address(void **state) {
        struct identity own = make_identity("api.test");
        struct tls_context *s = make_tls(TLS_SERVER, TLS_VERIFY_NONE, &own, NULL, NULL),
                           *c = make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, NULL, own.certificate, NULL);

        connect_pair(s, c, "127.0.0.1");
        check_conversation();
        assert_null(SSL_get_servername(transport_tls(server.stream), TLSEXT_NAMETYPE_host_name));
        tls_context_unref(s);
        tls_context_unref(c);
        identity_done(&own);
}

static void expect_refusal(struct tls_context *s, struct tls_context *c, const char *name, struct end *who,
                           const char *why) {
        connect_pair(s, c, name);
        run_until(&who->closed);
        assert_int_equal(who->error, -EPROTO);
        if (!strstr(who->why, why))
                fail_msg("\"%s\" does not say \"%s\"", who->why, why);
        tear_down(NULL);
        set_up(NULL);
        tls_context_unref(c);
}

static void test_tls_refusals(void **state) {
        struct identity own = make_identity("api.test"), foreign = make_identity("api.test");
        struct tls_context *s = make_tls(TLS_SERVER, TLS_VERIFY_REQUIRED, &own, own.certificate, both);

        expect_refusal(s, make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, NULL, own.certificate, NULL), "other.test", &client,
                       "mismatch");
        expect_refusal(s, make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, NULL, own.certificate, NULL), "10.0.0.1", &client,
                       "mismatch");
        expect_refusal(s, make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, NULL, foreign.certificate, NULL), "api.test",
                       &client, "self-signed");
        expect_refusal(s, make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, NULL, own.certificate, NULL), "api.test", &server,
                       "did not return a certificate");
        expect_refusal(s, make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, &foreign, own.certificate, NULL), "api.test",
                       &server, "self-signed");
        expect_refusal(s, make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, &own, own.certificate, other), "api.test", &server,
                       "");
        tls_context_unref(s);
        identity_done(&own);
        identity_done(&foreign);
}

static void test_client_certificate_and_resumption(void **state) {
        struct identity own = make_identity("api.test");
        struct tls_context *s = make_tls(TLS_SERVER, TLS_VERIFY_REQUIRED, &own, own.certificate, both),
                           *c = make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, &own, own.certificate, both);

        for (int round = 0; round < 3; round++) {
                X509 *peer;

                connect_pair(s, c, "api.test");
                check_conversation();
                assert_int_equal(SSL_session_reused(transport_tls(client.stream)), round > 0);
                peer = SSL_get1_peer_certificate(transport_tls(server.stream));
                assert_non_null(peer);
                X509_free(peer);
                tear_down(NULL);
                set_up(NULL);
        }
        tls_context_unref(s);
        tls_context_unref(c);
        identity_done(&own);
}

/* Whoever serves the stream sees what the client has shown, and what is wrong with it, also after a resumption. */
static void test_client_certificate_that_others_look_at(void **state) {
        struct identity own = make_identity("api.test"), foreign = make_identity("api.test");
        struct tls_context *s = make_tls(TLS_SERVER, TLS_VERIFY_LATER, &own, own.certificate, both);
        const struct identity *shown[] = { &own, &foreign, NULL };

        for (unsigned i = 0; i < ELEMENTS(shown); i++) {
                struct tls_context *c = make_tls(TLS_CLIENT, TLS_VERIFY_REQUIRED, shown[i], own.certificate, both);

                for (int round = 0; round < 2; round++) {
                        X509 *peer;

                        connect_pair(s, c, "api.test");
                        check_conversation();
                        peer = SSL_get1_peer_certificate(transport_tls(server.stream));
                        assert_int_equal(!peer, !shown[i]);
                        assert_int_equal(SSL_get_verify_result(transport_tls(server.stream)) == X509_V_OK,
                                         shown[i] != &foreign);
                        X509_free(peer);
                        tear_down(NULL);
                        set_up(NULL);
                }
                tls_context_unref(c);
        }
        tls_context_unref(s);
        identity_done(&own);
        identity_done(&foreign);
}

static void test_bad_configurations(void **state) {
        static const struct tls_config configs[] = {
                { .side = TLS_SERVER, .certificate = "nonsense", .key = "nonsense" },
                { .side = TLS_CLIENT, .verify = TLS_VERIFY_REQUIRED, .authorities = "nonsense" },
        };
        struct identity a = make_identity("a"), b = make_identity("b");
        struct tls_config mixed = { .side = TLS_SERVER, .certificate = a.certificate, .key = b.key };
        struct tls_context *tls = NULL;

        for (size_t i = 0; i < ELEMENTS(configs); i++) {
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(tls_context_new(&configs[i], &tls, &err), -EINVAL);
                assert_non_null(strstr(err_text(err), "certificate"));
        }
        assert_int_equal(tls_context_new(&mixed, &tls, NULL), -EINVAL);
        assert_null(tls);
        identity_done(&a);
        identity_done(&b);
}

/* More than sockets hold, by reference and by copy, to a reader that pauses. */
static void check_much(void) {
        const size_t size = (size_t)8 << 20;
        struct bytes *much = bytes_new(size);

        run_until(&client.opened);
        run_until(&server.opened);
        memset(much->data, 'x', size);
        transport_pause(client.stream);
        assert_int_equal(transport_write_shared(server.stream, &(struct iovec){ much->data, much->size }, &much, 1), 0);
        assert_int_equal(transport_write(server.stream, &(struct iovec){ much->data, size }, 1), 0);
        bytes_unref(much);
        for (int i = 0; i < 50; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(client.received, 0);
        assert_true(transport_pending(server.stream) > size);
        assert_int_equal(server.drained, 0);
        transport_finish(server.stream);
        transport_resume(client.stream);
        run_until(&client.ended);
        assert_int_equal(client.received, 2 * size);
        assert_int_equal(server.drained, 1);
        assert_int_equal(transport_pending(server.stream), 0);
}

static void test_much(void **state) {
        struct identity own = make_identity("api.test");
        struct tls_context *s = make_tls(TLS_SERVER, TLS_VERIFY_NONE, &own, NULL, both),
                           *c = make_tls(TLS_CLIENT, TLS_VERIFY_NONE, NULL, NULL, both);

        connect_pair(NULL, NULL, NULL);
        check_much();
        tear_down(NULL);
        set_up(NULL);
        connect_pair(s, c, "api.test");
        check_much();
        tls_context_unref(s);
        tls_context_unref(c);
        identity_done(&own);
}

/* A stream cut off without close_notify is an error, and so is a client that speaks no TLS. */
static void test_truncation_and_nonsense(void **state) {
        struct identity own = make_identity("api.test");
        struct tls_context *s = make_tls(TLS_SERVER, TLS_VERIFY_NONE, &own, NULL, both),
                           *c = make_tls(TLS_CLIENT, TLS_VERIFY_NONE, NULL, NULL, both);

        connect_pair(s, c, "api.test");
        run_until(&client.opened);
        run_until(&server.opened);
        transport_close(client.stream, -ECANCELED);
        run_until(&server.closed);
        assert_true(server.error < 0);
        assert_false(server.ended);
        tear_down(NULL);
        set_up(NULL);
        connect_pair(s, NULL, NULL);
        run_until(&client.opened);
        say(&client, "GET / HTTP/1.1\r\n\r\n");
        run_until(&server.closed);
        assert_int_equal(server.error, -EPROTO);
        assert_string_equal(server.why, "http request");
        tls_context_unref(s);
        tls_context_unref(c);
        identity_done(&own);
}

static void test_refused_connection(void **state) {
        struct transport_target target = { 0 };
        struct sockaddr_storage address;

        assert_int_equal(address_parse("127.0.0.1:1", &address, &target.n_address, NULL), 0);
        target.address = (const struct sockaddr *)&address;
        assert_int_equal(transport_connect(&loop, &target, &events, &client, &client.stream), 0);
        run_until(&client.closed);
        assert_int_equal(client.error, -ECONNREFUSED);
        assert_false(client.opened);
}

static void test_addresses(void **state) {
        static const char *const bad[] = { "",
                                           ":",
                                           "127.0.0.1",
                                           "127.0.0.1:",
                                           "127.0.0.1:65536",
                                           "127.0.0.1:+1",
                                           "::1:80",
                                           "[127.0.0.1]:80",
                                           "[::1]",
                                           "localhost:80",
                                           "[::1]x:80" };
        struct sockaddr_storage address;
        socklen_t size;

        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(address_parse(bad[i], &address, &size, NULL), -EINVAL);
        assert_int_equal(address_parse("[::1]:65535", &address, &size, NULL), 0);
        assert_int_equal(address.ss_family, AF_INET6);
        assert_int_equal(address_parse("unix:///run/x.sock", &address, &size, NULL), 0);
        assert_int_equal(address.ss_family, AF_UNIX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_plain, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_congestion_control, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_tls, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_each_record_is_asked_for_once, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_tls_address, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_tls_refusals, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_client_certificate_and_resumption, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_client_certificate_that_others_look_at, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_bad_configurations, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_much, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_truncation_and_nonsense, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_refused_connection, set_up, tear_down),
                cmocka_unit_test(test_addresses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
