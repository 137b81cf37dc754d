#include "lib/grpc/server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "cri/api.pb-c.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grpc/client.h"
#include "lib/listen.h"

#define SERVICE "/runtime.v1.RuntimeService/"
#define ASK(method, timeout)                                                                                           \
        &(struct grpc_client_request) {                                                                                \
                SERVICE method, &request.base, &cri__version_response__descriptor, (timeout)                           \
        }

/* The server under test, its loop, and what its handlers saw. */
struct fixture {
        uv_loop_t loop;
        struct grpc_server *server;
        struct grpc_client *client;
        char dir[32], path[64], target[80];
        struct grpc_call *held; /* a call that its handler keeps */
        unsigned cancelled, sent, drained;
        enum grpc_code cancel_code;
        bool gone;
};

static struct fixture *f; /* handlers have only the row's data, which is constant here */

static void handle_version(struct grpc_call *call, const ProtobufCMessage *message) {
        const Cri__VersionRequest *request = (const Cri__VersionRequest *)message;
        Cri__VersionResponse response = CRI__VERSION_RESPONSE__INIT;

        response.runtime_name = request->version;
        grpc_call_reply(call, &response.base);
}

static void handle_fail(struct grpc_call *call, const ProtobufCMessage *message) {
        _cleanup_err_ struct err *err = NULL;

        err_set(&err, ENOENT, "sandbox \"ü\" 100%%: not found");
        grpc_call_fail_err(call, err);
}

static void on_cancel(struct grpc_call *call, enum grpc_code code, void *data) {
        f->cancelled++;
        f->cancel_code = code;
        f->held = NULL;
        grpc_call_fail(call, GRPC_UNKNOWN, "nobody reads this");
}

static void handle_hold(struct grpc_call *call, const ProtobufCMessage *message) {
        f->held = call;
        grpc_call_on_cancel(call, on_cancel, NULL);
}

/* Streams until its buffer is full, and again when it has drained, 20 MB in all. */
static void send_much(struct grpc_call *call) {
        static char text[100001];
        Cri__VersionResponse response = CRI__VERSION_RESPONSE__INIT;

        memset(text, 'x', sizeof(text) - 1);
        response.version = text;
        while (f->sent < 200) {
                if (grpc_call_send(call, &response.base) == -ENOBUFS)
                        return;
                f->sent++;
        }
        f->held = NULL;
        grpc_call_on_drain(call, NULL, NULL);
        grpc_call_on_cancel(call, NULL, NULL);
        grpc_call_finish(call);
}

static void on_drain(struct grpc_call *call, void *data) {
        f->drained++;
        send_much(call);
}

static void handle_stream(struct grpc_call *call, const ProtobufCMessage *message) {
        f->held = call;
        grpc_call_on_cancel(call, on_cancel, NULL);
        grpc_call_on_drain(call, on_drain, NULL);
        grpc_call_open(call);
        send_much(call);
}

static void handle_large(struct grpc_call *call, const ProtobufCMessage *message) {
        Cri__VersionResponse response = CRI__VERSION_RESPONSE__INIT;
        _cleanup_free_ char *text = calloc(1, GRPC_MESSAGE_MAX + 1);

        memset(text, 'x', GRPC_MESSAGE_MAX);
        response.version = text;
        grpc_call_reply(call, &response.base);
}

static void handle_twice(struct grpc_call *call, const ProtobufCMessage *message) {
        Cri__VersionResponse response = CRI__VERSION_RESPONSE__INIT;

        grpc_call_send(call, &response.base);
        grpc_call_send(call, &response.base);
        grpc_call_finish(call);
}

#define TYPES &cri__version_request__descriptor, &cri__version_response__descriptor
static const struct grpc_method methods[] = {
        { SERVICE "Version", TYPES, handle_version, NULL }, { SERVICE "Fail", TYPES, handle_fail, NULL },
        { SERVICE "Hold", TYPES, handle_hold, NULL },       { SERVICE "Stream", TYPES, handle_stream, NULL },
        { SERVICE "Large", TYPES, handle_large, NULL },     { SERVICE "Twice", TYPES, handle_twice, NULL },
};

static void on_gone(void *data) {
        f->gone = true;
}

static int setup(void **state) {
        int fd;

        f = calloc(1, sizeof(*f));
        uv_loop_init(&f->loop);
        strcpy(f->dir, "/tmp/nacelle-grpc-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        snprintf(f->path, sizeof(f->path), "%s/run/x.sock", f->dir);
        snprintf(f->target, sizeof(f->target), "unix://%s", f->path);
        assert_int_equal(listen_unix(f->path, 0600, &fd, NULL), 0);
        assert_int_equal(grpc_server_new(&f->loop, &f->server), 0);
        grpc_server_on_gone(f->server, on_gone, NULL);
        assert_int_equal(grpc_server_add(f->server, methods, ELEMENTS(methods), NULL), 0);
        assert_int_equal(grpc_server_listen(f->server, fd, NULL), 0);
        assert_int_equal(grpc_client_new(&f->loop, f->target, &f->client, NULL), 0);
        return 0;
}

/* Nothing may be left: the loop closes only when every handle is gone. */
static int teardown(void **state) {
        char run[64];

        grpc_client_free(f->client);
        grpc_server_free(f->server);
        uv_run(&f->loop, UV_RUN_DEFAULT);
        assert_true(f->gone);
        assert_int_equal(uv_loop_close(&f->loop), 0);
        unlink(f->path);
        snprintf(run, sizeof(run), "%s/run", f->dir);
        rmdir(run);
        rmdir(f->dir);
        free(f);
        return 0;
}

static int call(const char *method, const char *version, uint64_t timeout_ms, char *ret_name, struct err **err) {
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        char path[64];
        struct grpc_unpacked answer;
        int r;

        request.version = (char *)(uintptr_t)version;
        snprintf(path, sizeof(path), SERVICE "%s", method);
        r = grpc_client_unary(
                f->client,
                &(struct grpc_client_request){ path, &request.base, &cri__version_response__descriptor, timeout_ms },
                &answer, err);
        if (r < 0)
                return r;
        if (ret_name)
                snprintf(ret_name, 64, "%s", ((Cri__VersionResponse *)answer.message)->runtime_name);
        grpc_unpacked_free(&answer);
        return 0;
}

static void test_unary(void **state) {
        char name[64];

        for (int i = 0; i < 3; i++) {
                assert_int_equal(call("Version", "héllo", 0, name, NULL), 0);
                assert_string_equal(name, "héllo");
        }
        assert_int_equal(grpc_server_connections(f->server), 1);
        assert_int_equal(grpc_server_calls(f->server), 0);
}

static const struct {
        const char *method, *version;
        int error;
        const char *says;
} refusals[] = {
        { "Fail", "", -ENOENT, "NotFound: sandbox \"ü\" 100%: not found" },
        { "None", "", -ENOSYS, "unknown method None for service runtime.v1.RuntimeService" },
        { "Version", "\xc3\x28", -EPROTO, "no valid message of its type" },
        { "Large", "", -ENOSPC, "larger than a message may be" },
};

static void test_refusals(void **state) {
        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                _cleanup_err_ struct err *err = NULL;

                assert_int_equal(call(refusals[i].method, refusals[i].version, 0, NULL, &err), refusals[i].error);
                assert_non_null(strstr(err_text(err), refusals[i].says));
        }
}

static void test_large_request(void **state) {
        _cleanup_free_ char *text = calloc(1, GRPC_MESSAGE_MAX + 1);

        memset(text, 'x', GRPC_MESSAGE_MAX - 5); /* the field's tag and length are 5 bytes */
        assert_int_equal(call("Version", text, 0, NULL, NULL), 0);
        memset(text, 'x', GRPC_MESSAGE_MAX - 4);
        assert_int_equal(call("Version", text, 0, NULL, NULL), -EMSGSIZE);
        text[1 << 20] = '\0';
        assert_int_equal(call("Version", text, 0, NULL, NULL), 0);
}

static void test_deadline(void **state) {
        _cleanup_err_ struct err *err = NULL;

        assert_int_equal(call("Hold", "", 30, NULL, &err), -ETIMEDOUT);
        for (int i = 0; i < 100 && !f->cancelled; i++)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(f->cancelled, 1);
}

static void on_done(void *data, enum grpc_code code, const char *text) {
        *(int *)data = (int)code;
}

/* The client goes while its call is held: the handler hears of it and answers into the void. */
static void test_disconnect(void **state) {
        const struct grpc_client_handlers handlers = { .done = on_done };
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        int code = -1;

        assert_int_equal(grpc_client_call(f->client, ASK("Hold", 0), &handlers, &code, NULL), 0);
        while (!f->held)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(grpc_call_peer(f->held).pid, getpid());
        grpc_client_free(TAKE_PTR(f->client));
        assert_int_equal(code, GRPC_CANCELLED);
        while (!f->cancelled)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(f->cancel_code, GRPC_CANCELLED);
        assert_int_equal(grpc_server_calls(f->server), 0);
}

static void test_cancel(void **state) {
        const struct grpc_client_handlers handlers = { .done = on_done };
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        struct grpc_client_call *client_call;
        int code = -1;

        assert_int_equal(grpc_client_call(f->client, ASK("Hold", 0), &handlers, &code, &client_call), 0);
        while (!f->held)
                uv_run(&f->loop, UV_RUN_ONCE);
        grpc_client_cancel(client_call);
        while (code < 0 || !f->cancelled)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(code, GRPC_CANCELLED);
        assert_int_equal(call("Version", "", 0, NULL, NULL), 0);
}

/* Ended by this side before the connection is there: it is never sent. */
static void test_cancel_before_the_connection(void **state) {
        const struct grpc_client_handlers handlers = { .done = on_done };
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        struct grpc_client_call *client_call;
        int code = -1, late = -1;

        assert_int_equal(grpc_client_call(f->client, ASK("Hold", 0), &handlers, &code, &client_call), 0);
        grpc_client_cancel(client_call);
        assert_int_equal(grpc_client_call(f->client, ASK("Hold", 1), &handlers, &late, NULL), 0);
        usleep(2000); /* its time is over when the loop runs for the first time */
        while (code < 0 || late < 0)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(code, GRPC_CANCELLED);
        assert_int_equal(late, GRPC_DEADLINE_EXCEEDED);
        assert_int_equal(call("Version", "", 0, NULL, NULL), 0);
}

struct answers {
        unsigned n;
        int code;
};

static void on_answer(void *data, const ProtobufCMessage *message) {
        ((struct answers *)data)->n++;
}

static void on_answered(void *data, enum grpc_code code, const char *text) {
        ((struct answers *)data)->code = (int)code;
}

/* Who asks for one answer is not told a second. */
static void test_two_answers(void **state) {
        const struct grpc_client_handlers handlers = { on_answer, on_answered };
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        struct answers answers = { .code = -1 }, streamed = { .code = -1 };

        assert_int_equal(grpc_client_call(f->client, ASK("Twice", 0), &handlers, &answers, NULL), 0);
        assert_int_equal(grpc_client_watch(f->client, ASK("Twice", 0), &handlers, &streamed, NULL), 0);
        while (answers.code < 0 || streamed.code < 0)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(answers.n, 1);
        assert_int_equal(answers.code, GRPC_INTERNAL);
        assert_int_equal(streamed.n, 2);
        assert_int_equal(streamed.code, GRPC_OK);
}

static bool count_message(void *data, const ProtobufCMessage *message) {
        unsigned *n = data;

        return ++*n < 1000;
}

static bool stop_at_three(void *data, const ProtobufCMessage *message) {
        unsigned *n = data;

        return ++*n < 3;
}

static void test_stream_with_backpressure(void **state) {
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        unsigned n = 0;

        assert_int_equal(grpc_client_stream(f->client, ASK("Stream", 0), count_message, &n, NULL), 0);
        assert_int_equal(n, 200);
        assert_true(f->drained > 0);
}

static void test_stream_ended_by_reader(void **state) {
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        unsigned n = 0;

        assert_int_equal(grpc_client_stream(f->client, ASK("Stream", 0), stop_at_three, &n, NULL), 0);
        assert_int_equal(n, 3);
}

/* A stream whose reader has stopped reading holds GRPC_CALL_BUFFER_MAX and one message at most. */
static void test_slow_reader_is_bounded(void **state) {
        const struct grpc_client_handlers handlers = { .done = on_done };
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        struct grpc_client_call *client_call;
        int code = -1;

        assert_int_equal(grpc_client_watch(f->client, ASK("Stream", 0), &handlers, &code, &client_call), 0);
        while (!f->held)
                uv_run(&f->loop, UV_RUN_ONCE);
        /* 100 kB each: at most the buffer, one more, and what the first flush could write at once. */
        assert_true(f->sent * 100000ull < GRPC_CALL_BUFFER_MAX + (2u << 20));
        grpc_client_cancel(client_call);
        while (code < 0)
                uv_run(&f->loop, UV_RUN_ONCE);
}

static void test_no_server(void **state) {
        _cleanup_err_ struct err *err = NULL;
        struct grpc_client *client;
        struct grpc_unpacked answer;
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;

        assert_int_equal(grpc_client_new(&f->loop, "unix:///nonexistent/x.sock", &client, NULL), 0);
        assert_int_equal(grpc_client_unary(client, ASK("Version", 0), &answer, &err), -EAGAIN);
        assert_non_null(strstr(err_text(err), "connect to unix:///nonexistent/x.sock: no such file"));
        grpc_client_free(client);
}

static void test_targets(void **state) {
        static const struct {
                const char *target;
                int error;
        } targets[] = {
                { "unix:///run/x", 0 },         { "unix:/run/x", 0 },     { "/run/x", 0 },
                { "127.0.0.1:80", 0 },          { "[::1]:80", 0 },        { "unix://x", -EINVAL },
                { "localhost:80", -EINVAL },    { "127.0.0.1", -EINVAL }, { "127.0.0.1:0", -EINVAL },
                { "127.0.0.1:65536", -EINVAL }, { "", -EINVAL },          { "[::1:80", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTS(targets); i++) {
                struct grpc_client *client = NULL;

                assert_int_equal(grpc_client_new(&f->loop, targets[i].target, &client, NULL), targets[i].error);
                grpc_client_free(client);
        }
}

/* A client of raw frames, for what a correct one never sends. */

struct raw {
        uint8_t out[4096];
        size_t n;
};

static void raw_frame(struct raw *raw, uint8_t type, uint8_t flags, uint32_t stream, const void *data, size_t size) {
        uint8_t *p = raw->out + raw->n;

        p[0] = (uint8_t)(size >> 16);
        p[1] = (uint8_t)(size >> 8);
        p[2] = (uint8_t)size;
        p[3] = type;
        p[4] = flags;
        p[5] = p[6] = p[7] = 0;
        p[8] = (uint8_t)stream;
        if (size > 0)
                memcpy(p + 9, data, size);
        raw->n += 9 + size;
}

/* "name: value" lines as literal fields. */
static void raw_headers(struct raw *raw, const char *lines, uint8_t flags) {
        uint8_t block[2048];
        size_t n = 0;

        while (*lines) {
                const char *end = strchr(lines, '\n'), *colon = strstr(lines + 1, ": ");
                size_t n_name = (size_t)(colon - lines), n_value = (size_t)(end - colon - 2);

                block[n++] = 0;
                block[n++] = (uint8_t)n_name;
                memcpy(block + n, lines, n_name);
                n += n_name;
                block[n++] = (uint8_t)n_value;
                memcpy(block + n, colon + 2, n_value);
                n += n_value;
                lines = end + 1;
        }
        raw_frame(raw, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, 1, block, n);
}

#define BASE ":scheme: http\n:authority: x\n"
#define POST ":method: POST\n"
#define VERSION ":path: " SERVICE "Version\n"
#define GRPC "content-type: application/grpc\n"
#define CASE(d) d, sizeof(d) - 1

static const struct {
        const char *name, *headers, *data;
        size_t size;
        const char *status; /* HTTP */
        int code;           /* -1: the stream is reset */
        const char *says;
} cases[] = {
        { "right", BASE POST VERSION GRPC, CASE("\0\0\0\0\0"), "200", GRPC_OK, NULL },
        { "subtype", BASE POST VERSION "content-type: application/grpc+proto\n", CASE("\0\0\0\0\0"), "200", GRPC_OK,
          NULL },
        { "GET", BASE ":method: GET\n" VERSION GRPC, CASE("\0\0\0\0\0"), "405", GRPC_INTERNAL, "must be POST" },
        { "no content type", BASE POST VERSION, CASE("\0\0\0\0\0"), "415", GRPC_INVALID_ARGUMENT, "content type" },
        { "JSON", BASE POST VERSION "content-type: application/json\n", CASE("{}"), "415", GRPC_INVALID_ARGUMENT,
          NULL },
        { "grpc-web", BASE POST VERSION "content-type: application/grpc-web\n", CASE(""), "415", GRPC_INVALID_ARGUMENT,
          NULL },
        { "service", BASE POST ":path: /other.Service/Version\n" GRPC, CASE("\0\0\0\0\0"), "200", GRPC_UNIMPLEMENTED,
          "unknown method Version for service other.Service" },
        { "path", BASE POST ":path: /\n" GRPC, CASE("\0\0\0\0\0"), "200", GRPC_UNIMPLEMENTED, "malformed method name" },
        { "timeout", BASE POST VERSION GRPC "grpc-timeout: soon\n", CASE("\0\0\0\0\0"), "400", GRPC_INTERNAL,
          "grpc-timeout" },
        { "no message", BASE POST VERSION GRPC, CASE(""), "200", GRPC_INTERNAL, "no message" },
        { "cut prefix", BASE POST VERSION GRPC, CASE("\0\0\0"), "200", GRPC_INTERNAL, "ends within" },
        { "cut message", BASE POST VERSION GRPC, CASE("\0\0\0\0\4ab"), "200", GRPC_INTERNAL, "ends within" },
        { "two messages", BASE POST VERSION GRPC, CASE("\0\0\0\0\0\0\0\0\0\0"), "200", GRPC_INTERNAL, "more than one" },
        { "not protobuf", BASE POST VERSION GRPC, CASE("\0\0\0\0\2\xff\xff"), "200", GRPC_INTERNAL,
          "no valid message" },
        { "too large", BASE POST VERSION GRPC, CASE("\0\1\0\0\1"), "200", GRPC_RESOURCE_EXHAUSTED,
          "received message larger than max (16777217 vs. 16777216)" },
        { "flag", BASE POST VERSION GRPC, CASE("\7\0\0\0\0"), "200", GRPC_INTERNAL, "malformed message prefix" },
        { "compressed", BASE POST VERSION GRPC "grpc-encoding: gzip\n", CASE("\1\0\0\0\1x"), "200", GRPC_UNIMPLEMENTED,
          "compressed" },
        { "gzip, not used", BASE POST VERSION GRPC "grpc-encoding: gzip\n", CASE("\0\0\0\0\0"), "200", GRPC_OK, NULL },
        { "flag only", BASE POST VERSION GRPC, CASE("\1\0\0\0\1x"), "200", GRPC_INTERNAL, "without grpc-encoding" },
        { "identity", BASE POST VERSION GRPC "grpc-encoding: identity\n", CASE("\0\0\0\0\0"), "200", GRPC_OK, NULL },
        { "no path", BASE POST GRPC, CASE(""), NULL, -1, NULL },
        { "upper case", BASE POST VERSION GRPC "X-Y: 1\n", CASE(""), NULL, -1, NULL },
};

struct seen {
        char status[8], message[256], accept[32];
        int code;
        bool reset, ended, goaway;
};

static void see_headers(nghttp2_hd_inflater *inflater, struct seen *seen, const uint8_t *block, size_t size) {
        for (;;) {
                nghttp2_nv nv;
                int flags = 0;
                ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block, size, 1);

                assert_true(n >= 0);
                block += n;
                size -= (size_t)n;
                if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
                        break;
                if (strcmp((char *)nv.name, ":status") == 0)
                        snprintf(seen->status, sizeof(seen->status), "%s", nv.value);
                if (strcmp((char *)nv.name, "grpc-status") == 0)
                        seen->code = atoi((char *)nv.value);
                if (strcmp((char *)nv.name, "grpc-message") == 0)
                        snprintf(seen->message, sizeof(seen->message), "%s", nv.value);
                if (strcmp((char *)nv.name, "grpc-accept-encoding") == 0)
                        snprintf(seen->accept, sizeof(seen->accept), "%s", nv.value);
        }
        nghttp2_hd_inflate_end_headers(inflater);
}

/* Reads frames until the stream or the connection ends. */
static void see(int fd, struct seen *seen) {
        nghttp2_hd_inflater *inflater;
        uint8_t buffer[65536];
        size_t filled = 0;

        nghttp2_hd_inflate_new(&inflater);
        for (int i = 0; i < 200 && !seen->ended && !seen->reset; i++) {
                ssize_t n;

                uv_run(&f->loop, UV_RUN_NOWAIT);
                n = recv(fd, buffer + filled, sizeof(buffer) - filled, MSG_DONTWAIT);
                if (n == 0)
                        break;
                filled += n > 0 ? (size_t)n : 0;
                while (filled >= 9) {
                        size_t size = (size_t)buffer[0] << 16 | (size_t)buffer[1] << 8 | buffer[2];

                        if (filled < 9 + size)
                                break;
                        if (buffer[3] == NGHTTP2_HEADERS)
                                see_headers(inflater, seen, buffer + 9, size);
                        seen->reset |= buffer[3] == NGHTTP2_RST_STREAM;
                        seen->goaway |= buffer[3] == NGHTTP2_GOAWAY;
                        seen->ended |=
                                buffer[8] == 1 && buffer[3] == NGHTTP2_HEADERS && (buffer[4] & NGHTTP2_FLAG_END_STREAM);
                        memmove(buffer, buffer + 9 + size, filled - 9 - size);
                        filled -= 9 + size;
                }
        }
        nghttp2_hd_inflate_del(inflater);
}

static int raw_connect(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strcpy(address.sun_path, f->path);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static void raw_begin(struct raw *raw) {
        memcpy(raw->out, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
        raw->n = NGHTTP2_CLIENT_MAGIC_LEN;
        raw_frame(raw, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

static void on_done_free(void *data, enum grpc_code code, const char *text) {
        grpc_client_free(TAKE_PTR(f->client));
        *(int *)data = (int)code;
}

/* A server that says that it goes before it answers: the client may be freed by the answer, its connection follows. */
static void test_client_freed_after_goaway(void **state) {
        static const uint8_t last[8] = { 0, 0, 0, 1, 0, 0, 0, 0 };
        const struct grpc_client_handlers handlers = { .done = on_done_free };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), peer = -EBADF;
        Cri__VersionRequest request = CRI__VERSION_REQUEST__INIT;
        struct raw raw = {};
        int code = -1;

        grpc_client_free(TAKE_PTR(f->client));
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/raw", f->dir);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(grpc_client_new(&f->loop, address.sun_path, &f->client, NULL), 0);
        assert_int_equal(grpc_client_call(f->client, ASK("Version", 0), &handlers, &code, NULL), 0);
        peer = accept(fd, NULL, NULL);
        for (int i = 0; i < 10; i++)
                uv_run(&f->loop, UV_RUN_NOWAIT);
        raw_frame(&raw, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
        raw_frame(&raw, NGHTTP2_GOAWAY, 0, 0, last, sizeof(last));
        raw_headers(&raw, ":status: 200\ngrpc-status: 0\n", NGHTTP2_FLAG_END_STREAM);
        assert_int_equal(write(peer, raw.out, raw.n), raw.n);
        for (int i = 0; i < 1000 && code < 0; i++)
                uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_int_equal(code, GRPC_OK);
        assert_null(f->client);
        unlink(address.sun_path);
}

static void test_malformed_requests(void **state) {
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_close_ int fd = raw_connect();
                struct seen seen = { .code = -1 };
                struct raw raw;

                raw_begin(&raw);
                raw_headers(&raw, cases[i].headers, 0);
                raw_frame(&raw, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, cases[i].data, cases[i].size);
                assert_int_equal(write(fd, raw.out, raw.n), raw.n);
                see(fd, &seen);
                if (seen.code != cases[i].code)
                        fail_msg("%s: code %d, message %s", cases[i].name, seen.code, seen.message);
                if (cases[i].status)
                        assert_string_equal(seen.status, cases[i].status);
                else
                        assert_true(seen.reset);
                if (cases[i].says && !strstr(seen.message, cases[i].says))
                        fail_msg("%s: message %s", cases[i].name, seen.message);
                if (cases[i].code == GRPC_UNIMPLEMENTED && strstr(cases[i].headers, "gzip"))
                        assert_string_equal(seen.accept, "identity");
        }
        assert_int_equal(call("Version", "still there", 0, NULL, NULL), 0);
}

/* Headers at their maximum go through, past it the stream is refused and others go on. */
static void test_header_bytes_are_bounded(void **state) {
        static const struct {
                unsigned fields;
                bool reset;
        } rows[] = { { 50, false }, { 62, true } };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_close_ int fd = raw_connect();
                struct seen seen = { .code = -1 };
                uint8_t block[64 * 260 + 512];
                struct raw raw, headers = {};
                size_t n;

                raw_begin(&raw);
                assert_int_equal(write(fd, raw.out, raw.n), raw.n);
                raw_headers(&headers, BASE POST VERSION GRPC, 0);
                n = headers.n - 9;
                memcpy(block, headers.out + 9, n);
                for (unsigned k = 0; k < rows[i].fields; k++) {
                        block[n++] = 0;
                        block[n++] = 1;
                        block[n++] = 'x';
                        block[n++] = 127; /* 127 + 103 more: 230 bytes */
                        block[n++] = 103;
                        memset(block + n, 'v', 230);
                        n += 230;
                }
                uint8_t head[9] = { (uint8_t)(n >> 16),
                                    (uint8_t)(n >> 8),
                                    (uint8_t)n,
                                    NGHTTP2_HEADERS,
                                    NGHTTP2_FLAG_END_HEADERS,
                                    0,
                                    0,
                                    0,
                                    1 };
                assert_int_equal(write(fd, head, 9), 9);
                assert_int_equal(write(fd, block, n), n);
                raw = (struct raw){};
                raw_frame(&raw, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "\0\0\0\0\0", 5);
                assert_int_equal(write(fd, raw.out, raw.n), raw.n);
                see(fd, &seen);
                assert_int_equal(seen.reset, rows[i].reset);
                assert_int_equal(seen.code, rows[i].reset ? -1 : GRPC_OK);
        }
}

static void test_garbage_closes_the_connection(void **state) {
        _cleanup_close_ int fd = raw_connect();
        struct seen seen = { .code = -1 };

        assert_int_equal(write(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), 27);
        see(fd, &seen);
        assert_true(seen.goaway);
        assert_int_equal(grpc_server_connections(f->server), 0);
}

static bool ended(int fd) {
        char bytes[256];
        ssize_t n;

        while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
                ;
        return n == 0;
}

/* The first one is under way with a request, the others only wait: of those the oldest goes. */
static void test_connections_are_bounded(void **state) {
        int fds[GRPC_CONNECTIONS_MAX + 1];
        struct raw raw = {};

        for (int i = 0; i <= GRPC_CONNECTIONS_MAX; i++) {
                fds[i] = raw_connect();
                if (i == 0) {
                        raw_begin(&raw);
                        raw_headers(&raw, BASE POST VERSION GRPC, 0);
                        assert_int_equal(write(fds[0], raw.out, raw.n), raw.n);
                }
                for (int k = 0; k < 4; k++)
                        uv_run(&f->loop, UV_RUN_NOWAIT);
        }
        assert_int_equal(grpc_server_connections(f->server), GRPC_CONNECTIONS_MAX);
        for (int i = 0; i <= GRPC_CONNECTIONS_MAX; i++) {
                assert_int_equal(ended(fds[i]), i == 1);
                close(fds[i]);
        }
}

static void test_methods_are_unique(void **state) {
        _cleanup_err_ struct err *err = NULL;

        assert_int_equal(grpc_server_add(f->server, methods, 1, &err), -EEXIST);
        assert_non_null(strstr(err_text(err), "there twice"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_unary),
                TEST(test_refusals),
                TEST(test_large_request),
                TEST(test_deadline),
                TEST(test_disconnect),
                TEST(test_cancel),
                TEST(test_cancel_before_the_connection),
                TEST(test_two_answers),
                TEST(test_stream_with_backpressure),
                TEST(test_stream_ended_by_reader),
                TEST(test_slow_reader_is_bounded),
                TEST(test_no_server),
                TEST(test_client_freed_after_goaway),
                TEST(test_targets),
                TEST(test_malformed_requests),
                TEST(test_header_bytes_are_bounded),
                TEST(test_garbage_closes_the_connection),
                TEST(test_connections_are_bounded),
                TEST(test_methods_are_unique),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
