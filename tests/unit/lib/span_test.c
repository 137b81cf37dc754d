#include "lib/trace/span.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grpc/server.h"
#include "lib/listen.h"
#include "lib/log.h"
#include "lib/trace/otlp.pb-c.h"
#include "lib/pool.h"
#include "lib/trace/tracer.h"
#include "lib/trace/internal.h"

#define ID "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static const struct {
        const char *text;
        enum trace_decision decision; /* TRACE_NONE: refused */
} parents[] = {
        { "00-" ID "-" SPAN "-01", TRACE_SAMPLED },
        { "00-" ID "-" SPAN "-00", TRACE_DROPPED },
        { "00-" ID "-" SPAN "-03", TRACE_SAMPLED }, /* other flags mean nothing to us */
        { "00-" ID "-" SPAN "-fe", TRACE_DROPPED },
        { "01-" ID "-" SPAN "-01", TRACE_SAMPLED },
        { "fe-" ID "-" SPAN "-01-what-is-to-come", TRACE_SAMPLED },
        { "fe-" ID "-" SPAN "-01.what", TRACE_NONE },
        { "ff-" ID "-" SPAN "-01", TRACE_NONE },
        { "00-" ID "-" SPAN "-01-", TRACE_NONE }, /* version 00 ends there */
        { "00-" ID "-" SPAN "-0", TRACE_NONE },
        { "00-" ID "-" SPAN "-", TRACE_NONE },
        { "00-" ID "-" SPAN, TRACE_NONE },
        { "00-" ID "-" SPAN "-0g", TRACE_NONE },
        { "00-" ID "-" SPAN "_01", TRACE_NONE },
        { "00_" ID "-" SPAN "-01", TRACE_NONE },
        { "0-0" ID "-" SPAN "-01", TRACE_NONE },
        { "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", TRACE_NONE },
        { "00-" ID "-B7AD6B7169203331-01", TRACE_NONE },
        { "00-00000000000000000000000000000000-" SPAN "-01", TRACE_NONE },
        { "00-" ID "-0000000000000000-01", TRACE_NONE },
        { " 00-" ID "-" SPAN "-01", TRACE_NONE },
        { "00-" ID "-" SPAN "-01 ", TRACE_NONE },
        { "", TRACE_NONE },
};

static void test_trace_parents(void **state) {
        static const uint8_t id[] = { 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
                                      0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c };
        static const uint8_t span[] = { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 };

        for (size_t i = 0; i < ELEMENTS(parents); i++) {
                struct trace_parent parent = { .decision = TRACE_NONE };
                int r = trace_parent_parse(parents[i].text, strlen(parents[i].text), &parent);

                if (parent.decision != parents[i].decision || r != (parents[i].decision == TRACE_NONE ? -EINVAL : 0))
                        fail_msg("%s: %d, decision %d", parents[i].text, r, parent.decision);
                if (r < 0)
                        continue;
                assert_true(parent.remote);
                assert_memory_equal(parent.trace_id, id, sizeof(id));
                assert_memory_equal(parent.span_id, span, sizeof(span));
        }
}

static const struct {
        const char *endpoint;
        int error;
} endpoints[] = {
        { "localhost:4317", 0 },
        { "collector.example:1", 0 },
        { "10.0.0.1:65535", 0 },
        { "[::1]:4317", 0 },
        { "dns:///collector:4317", 0 },
        { "dns://collector:4317", 0 },
        { "unix:///run/x.sock", 0 },
        { "unix://run/x.sock", -EINVAL },
        { "unix:///", -EINVAL },
        { "http://localhost:4317", -EINVAL },
        { "localhost", -EINVAL },
        { "localhost:", -EINVAL },
        { ":4317", -EINVAL },
        { "localhost:0", -EINVAL },
        { "localhost:65536", -EINVAL },
        { "localhost:+1", -EINVAL },
        { "localhost:4317/v1/traces", -EINVAL },
        { "::1:4317", -EINVAL },
        { "[::1:4317", -EINVAL },
        { "[localhost:]:4317", -EINVAL },
        { "", -EINVAL },
};

static void test_endpoints(void **state) {
        for (size_t i = 0; i < ELEMENTS(endpoints); i++) {
                _cleanup_err_ struct err *err = NULL;

                if (tracer_check_endpoint(endpoints[i].endpoint, &err) != endpoints[i].error)
                        fail_msg("%s: %s", endpoints[i].endpoint, err_text(err));
                if (endpoints[i].error)
                        assert_non_null(strstr(err_text(err), "is no endpoint: wants HOST:PORT"));
        }
}

/* A collector on a Unix socket, its loop, and what it got. */
struct fixture {
        uv_loop_t loop;
        struct pool *pool;
        struct tracer *tracer;
        struct grpc_server *server;
        char dir[40], path[64], endpoint[80];
        unsigned exports, spans, most; /* most: in one export */
        int64_t reject;
        enum grpc_code refuse; /* the next exports */
        Otlp__Span *last[16];
        char host[64];
        bool server_gone;
};

static struct fixture *f;

static void keep(const ProtobufCBinaryData *data) {
        Otlp__Span *span = otlp__span__unpack(NULL, data->len, data->data);

        assert_non_null(span);
        if (f->spans < ELEMENTS(f->last))
                f->last[f->spans] = span;
        else
                otlp__span__free_unpacked(span, NULL);
        f->spans++;
}

static void handle_export(struct grpc_call *call, const ProtobufCMessage *message) {
        const Otlp__ExportRequest *request = (const Otlp__ExportRequest *)message;
        Otlp__ExportResponse response = OTLP__EXPORT_RESPONSE__INIT;
        Otlp__PartialSuccess partial = OTLP__PARTIAL_SUCCESS__INIT;
        const Otlp__ResourceSpans *resource = request->resource_spans[0];
        const Otlp__ScopeSpans *scope = resource->scope_spans[0];

        f->exports++;
        if (f->refuse != GRPC_OK)
                return grpc_call_fail(call, f->refuse, "not now");
        assert_int_equal(resource->resource->n_attributes, 3);
        assert_string_equal(resource->resource->attributes[0]->value->string_value, "nacelle");
        snprintf(f->host, sizeof(f->host), "%s", resource->resource->attributes[2]->value->string_value);
        f->most = scope->n_spans > f->most ? (unsigned)scope->n_spans : f->most;
        for (size_t i = 0; i < scope->n_spans; i++)
                keep(&scope->spans[i]);
        partial.rejected_spans = f->reject;
        partial.error_message = (char *)(uintptr_t) "too many";
        response.partial_success = f->reject ? &partial : NULL;
        grpc_call_reply(call, &response.base);
}

static const struct grpc_method methods[] = {
        { "/opentelemetry.proto.collector.trace.v1.TraceService/Export", &otlp__export_request__descriptor,
          &otlp__export_response__descriptor, handle_export, NULL },
};

static void on_server_gone(void *data) {
        f->server_gone = true;
}

static void collector_start(void) {
        int fd;

        f->server_gone = false;
        assert_int_equal(listen_unix(f->path, 0600, &fd, NULL), 0);
        assert_int_equal(grpc_server_new(&f->loop, &f->server), 0);
        grpc_server_on_gone(f->server, on_server_gone, NULL);
        assert_int_equal(grpc_server_add(f->server, methods, ELEMENTS(methods), NULL), 0);
        assert_int_equal(grpc_server_listen(f->server, fd, NULL), 0);
}

static void collector_stop(void) {
        grpc_server_free(TAKE_PTR(f->server));
        unlink(f->path);
        while (!f->server_gone)
                uv_run(&f->loop, UV_RUN_ONCE);
}

static void make_tracer(unsigned per_million) {
        const struct tracer_options options = { .endpoint = f->endpoint,
                                                .per_million = per_million,
                                                .host_name = "host" };

        assert_int_equal(tracer_new(&f->loop, f->pool, &options, &f->tracer, NULL), 0);
}

static int setup(void **state) {
        f = calloc(1, sizeof(*f));
        log_init("test", LOG_LEVEL_ERROR);
        uv_loop_init(&f->loop);
        assert_int_equal(pool_new(&f->loop, &f->pool), 0);
        strcpy(f->dir, "/tmp/nacelle-span-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        snprintf(f->path, sizeof(f->path), "%s/x.sock", f->dir);
        snprintf(f->endpoint, sizeof(f->endpoint), "unix://%s", f->path);
        make_tracer(TRACER_PER_MILLION_MAX);
        return 0;
}

static int teardown(void **state) {
        tracer_free(f->tracer);
        grpc_server_free(f->server);
        pool_free(f->pool);
        uv_run(&f->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&f->loop), 0);
        for (size_t i = 0; i < ELEMENTS(f->last); i++)
                if (f->last[i])
                        otlp__span__free_unpacked(f->last[i], NULL);
        unlink(f->path);
        rmdir(f->dir);
        free(f);
        return 0;
}

static struct tracer_counters counters(void) {
        struct tracer_counters c;

        tracer_get_counters(f->tracer, &c);
        return c;
}

static void flush(void) {
        while (tracer_flush(f->tracer))
                uv_run(&f->loop, UV_RUN_ONCE);
}

static void make_spans(unsigned n) {
        for (unsigned i = 0; i < n; i++)
                span_end(span_begin(f->tracer, "one", SPAN_INTERNAL, NULL), NULL, 0, NULL);
}

static const struct {
        unsigned per_million;
        const char *id; /* of 8 bytes, those that count */
        bool sampled;
} samples[] = {
        { 0, "0000000000000000", false },      { 1, "0000000000000000", true },
        { 1, "000010c6f7a0b5eb", true }, /* of 2^63, a millionth rounded down, in steps of 2 */
        { 1, "000010c6f7a0b5ec", false },      { 500000, "7fffffffffffffff", true },
        { 500000, "8000000000000000", false }, { 999999, "ffffffffffffffff", false },
        { 1000000, "ffffffffffffffff", true },
};

static void test_sampling(void **state) {
        for (size_t i = 0; i < ELEMENTS(samples); i++) {
                uint8_t id[TRACE_ID_SIZE];

                tracer_free(f->tracer);
                make_tracer(samples[i].per_million);
                memset(id, 0xff, sizeof(id));
                for (int k = 0; k < 8; k++)
                        sscanf(samples[i].id + 2 * k, "%2hhx", &id[8 + k]);
                if (tracer_samples(f->tracer, id) != samples[i].sampled)
                        fail_msg("%u per million of %s", samples[i].per_million, samples[i].id);
        }
}

static void test_the_parent_decides(void **state) {
        struct trace_parent sampled = { .decision = TRACE_SAMPLED, .trace_id = { 1 }, .span_id = { 2 } };
        struct trace_parent dropped = { .decision = TRACE_DROPPED, .trace_id = { 1 }, .span_id = { 2 } };
        struct trace_parent context;
        struct span *span;

        assert_null(span_begin(f->tracer, "x", SPAN_SERVER, &dropped));
        tracer_free(f->tracer);
        make_tracer(0);
        assert_null(span_begin(f->tracer, "x", SPAN_SERVER, NULL));
        span = span_begin(f->tracer, "x", SPAN_SERVER, &sampled);
        assert_non_null(span);
        context = span_context(span);
        assert_int_equal(context.decision, TRACE_SAMPLED);
        assert_memory_equal(context.trace_id, sampled.trace_id, TRACE_ID_SIZE);
        assert_memory_not_equal(context.span_id, sampled.span_id, SPAN_ID_SIZE);
        span_end(span, NULL, 0, NULL);
        assert_int_equal(counters().waiting, 1);
        assert_int_equal(span_context(NULL).decision, TRACE_DROPPED);
}

/* Off: nothing is made, and nothing has to be asked before. */
static void test_without_a_tracer(void **state) {
        _cleanup_err_ struct err *err = NULL;
        struct span *span = span_begin(NULL, "x", SPAN_SERVER, NULL);

        assert_null(span);
        assert_null(span_child(span, "y"));
        assert_int_equal(SPAN_STEP(span, "y", err_set(&err, EIO, "bad"), &err), -EIO);
        span_end(span, NULL, 0, "bad");
        assert_false(tracer_flush(NULL));
        tracer_free(NULL);
}

static const Otlp__KeyValue *attribute(const Otlp__Span *span, const char *key) {
        for (size_t i = 0; i < span->n_attributes; i++)
                if (strcmp(span->attributes[i]->key, key) == 0)
                        return span->attributes[i];
        fail_msg("no attribute %s", key);
        return NULL;
}

/* A span, a step of it, a step of that one, as the collector reads them. */
static void test_what_is_sent(void **state) {
        struct trace_parent parent;
        const struct span_attribute attributes[] = { { "text",
                                                       "b\xff"
                                                       "ad\xc3",
                                                       0 },
                                                     { "number", NULL, -5 } };
        _cleanup_err_ struct err *err = NULL;
        struct span *top, *middle;
        const Otlp__Span *leaf, *step, *whole;

        collector_start();
        assert_int_equal(trace_parent_parse("00-" ID "-" SPAN "-01", TRACE_PARENT_SIZE, &parent), 0);
        top = span_begin(f->tracer, "runtime.v1/X", SPAN_SERVER, &parent);
        middle = span_child(top, "step");
        assert_int_equal(SPAN_STEP(middle, "leaf", err_set(&err, EIO, "disk\xf0 gone"), &err), -EIO);
        span_end(middle, attributes, ELEMENTS(attributes), NULL);
        span_end(top, NULL, 0, NULL);
        flush();
        assert_int_equal(f->spans, 3);
        assert_string_equal(f->host, "host");
        leaf = f->last[0], step = f->last[1], whole = f->last[2];
        assert_string_equal(leaf->name, "leaf");
        assert_int_equal(leaf->status->code, OTLP__STATUS__CODE__ERROR);
        assert_string_equal(leaf->status->message, "disk? gone");
        assert_int_equal(leaf->kind, OTLP__SPAN__KIND__INTERNAL);
        assert_int_equal(leaf->flags, 0x101);
        assert_memory_equal(leaf->parent_span_id.data, step->span_id.data, SPAN_ID_SIZE);
        assert_string_equal(attribute(step, "text")->value->string_value, "b?ad?");
        assert_int_equal(attribute(step, "number")->value->int_value, -5);
        assert_null(step->status);
        assert_memory_equal(step->parent_span_id.data, whole->span_id.data, SPAN_ID_SIZE);
        assert_string_equal(whole->name, "runtime.v1/X");
        assert_int_equal(whole->kind, OTLP__SPAN__KIND__SERVER);
        assert_int_equal(whole->flags, 0x301);
        assert_memory_equal(whole->parent_span_id.data, parent.span_id, SPAN_ID_SIZE);
        for (int i = 0; i < 3; i++) {
                assert_memory_equal(f->last[i]->trace_id.data, parent.trace_id, TRACE_ID_SIZE);
                assert_true(f->last[i]->start_time_unix_nano >= whole->start_time_unix_nano);
                assert_true(f->last[i]->end_time_unix_nano <= whole->end_time_unix_nano + 1000000);
        }
}

static void test_roots_have_no_parent(void **state) {
        collector_start();
        make_spans(2);
        flush();
        assert_int_equal(f->last[0]->parent_span_id.len, 0);
        assert_memory_not_equal(f->last[0]->trace_id.data, f->last[1]->trace_id.data, TRACE_ID_SIZE);
}

static void test_texts_are_cut(void **state) {
        char text[SPAN_STATUS_MAX + 2];
        const struct span_attribute attributes[] = { { "a", text, 0 } };

        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        text[SPAN_TEXT_MAX - 1] = (char)0xc3; /* a character that does not fit any more */
        text[SPAN_TEXT_MAX] = (char)0xbc;
        collector_start();
        span_end(span_begin(f->tracer, "x", SPAN_INTERNAL, NULL), attributes, 1, text);
        flush();
        assert_int_equal(strlen(attribute(f->last[0], "a")->value->string_value), SPAN_TEXT_MAX - 1);
        assert_int_equal(strlen(f->last[0]->status->message), SPAN_STATUS_MAX);
}

static void test_children_are_bounded(void **state) {
        struct span *top = span_begin(f->tracer, "x", SPAN_INTERNAL, NULL), *middle = span_child(top, "y");

        for (unsigned i = 0; i < SPAN_CHILDREN_MAX; i++)
                span_done(span_child(middle, "z"), 0, NULL);
        assert_int_equal(counters().dropped, 0);
        span_done(middle, 0, NULL); /* one more than there is room for */
        span_end(top, NULL, 0, NULL);
        assert_int_equal(counters().dropped, 1);
        assert_int_equal(counters().waiting, SPAN_CHILDREN_MAX + 1);
}

static void test_buffer_is_bounded(void **state) {
        make_spans(TRACER_SPANS_MAX);
        assert_int_equal(counters().waiting, TRACER_SPANS_MAX);
        assert_int_equal(counters().dropped, 0);
        make_spans(3);
        assert_int_equal(counters().waiting, TRACER_SPANS_MAX);
        assert_int_equal(counters().dropped, 3);
        collector_start();
        flush();
        assert_int_equal(f->spans, TRACER_SPANS_MAX);
        assert_int_equal(f->most, TRACER_BATCH_MAX);
        assert_int_equal(counters().exported, TRACER_SPANS_MAX);
        assert_int_equal(counters().waiting, 0);
}

/* Nothing is sent at once, all together after the delay, and then no timer is left. */
static void test_batches_by_time(void **state) {
        uint64_t begun = uv_hrtime();

        collector_start();
        make_spans(5);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_int_equal(f->exports, 0);
        while (f->spans == 0)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(uv_hrtime() - begun >= (TRACER_DELAY_MS - 1) * 1000000ull);
        assert_int_equal(f->exports, 1);
        assert_int_equal(f->spans, 5);
        while (counters().waiting > 0)
                uv_run(&f->loop, UV_RUN_ONCE);
        /* The collector, on the same loop, may still look after its own answer. */
        assert_false(uv_backend_timeout(&f->loop) >= 0 && uv_backend_timeout(&f->loop) <= 2 * TRACER_DELAY_MS);
}

/* The collector is away, and comes: what waits is sent, by the timer alone. */
static void test_collector_away_and_back(void **state) {
        make_spans(3);
        flush();
        assert_int_equal(counters().waiting, 3);
        assert_false(tracer_flush(f->tracer)); /* there is nobody to wait for */
        collector_start();
        while (counters().waiting > 0)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(f->spans, 3);
        collector_stop();
        make_spans(2);
        flush();
        assert_int_equal(counters().waiting, 2);
        collector_start();
        while (counters().waiting > 0)
                uv_run(&f->loop, UV_RUN_ONCE);
        assert_int_equal(f->spans, 5);
        assert_int_equal(counters().exported, 5);
        assert_int_equal(counters().dropped, 0);
}

static const struct {
        enum grpc_code code;
        unsigned waiting, dropped;
} answers[] = {
        { GRPC_UNAVAILABLE, 2, 0 },      { GRPC_DEADLINE_EXCEEDED, 2, 0 }, { GRPC_DATA_LOSS, 2, 0 },
        { GRPC_INVALID_ARGUMENT, 0, 2 }, { GRPC_UNIMPLEMENTED, 0, 2 },     { GRPC_RESOURCE_EXHAUSTED, 0, 2 },
};

static void test_answers(void **state) {
        collector_start();
        for (size_t i = 0; i < ELEMENTS(answers); i++) {
                tracer_free(f->tracer);
                make_tracer(TRACER_PER_MILLION_MAX);
                f->refuse = answers[i].code;
                make_spans(2);
                flush();
                if (counters().waiting != answers[i].waiting || counters().dropped != answers[i].dropped)
                        fail_msg("%s: %u waiting, %u dropped", grpc_code_name(answers[i].code), counters().waiting,
                                 (unsigned)counters().dropped);
        }
}

static void test_partial_success(void **state) {
        collector_start();
        f->reject = 2;
        make_spans(5);
        flush();
        assert_int_equal(counters().exported, 3);
        assert_int_equal(counters().dropped, 2);
        f->reject = 100; /* more than were sent */
        make_spans(1);
        flush();
        assert_int_equal(counters().exported, 3);
        assert_int_equal(counters().dropped, 3);
}

/* Freed with spans on their way. */
static void test_freed_while_sending(void **state) {
        collector_start();
        make_spans(4);
        assert_true(tracer_flush(f->tracer));
        tracer_free(TAKE_PTR(f->tracer));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_trace_parents),
                cmocka_unit_test(test_endpoints),
                TEST(test_sampling),
                TEST(test_the_parent_decides),
                TEST(test_without_a_tracer),
                TEST(test_what_is_sent),
                TEST(test_roots_have_no_parent),
                TEST(test_texts_are_cut),
                TEST(test_children_are_bounded),
                TEST(test_buffer_is_bounded),
                TEST(test_batches_by_time),
                TEST(test_collector_away_and_back),
                TEST(test_answers),
                TEST(test_partial_success),
                TEST(test_freed_while_sending),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
