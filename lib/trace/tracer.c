#include "lib/trace/tracer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grpc/client.h"
#include "lib/log.h"
#include "lib/trace/otlp.pb-c.h"
#include "lib/resolve.h"
#include "lib/trace/internal.h"

#define EXPORT_PATH "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

struct tracer {
        uv_loop_t *loop;
        struct pool *pool;
        char *endpoint, *host_name;
        uint64_t bound;   /* a trace is sampled when 63 bits of its id are below it */
        uv_timer_t timer; /* runs only while spans wait */
        struct span_queue waiting, sending;
        unsigned n_waiting, n_sending;
        uint64_t exported, dropped, dropped_told; /* the last: as the outage began */
        struct resolve *resolve;                  /* of the endpoint's name, under way */
        char addresses[RESOLVE_TARGETS_MAX][RESOLVE_TARGET_MAX];
        unsigned n_addresses, next_address;
        struct grpc_client *client; /* NULL: not known where to */
        uint64_t back_off_ms;       /* 0: the collector was there */
        bool refusal_told;
        bool closing, timer_closed;
};

/* -- making and freeing -------------------------------------------------------------------------------------- */

int tracer_check_endpoint(const char *endpoint, struct err **err) {
        if (strlen(endpoint) > TRACER_ENDPOINT_MAX || resolve_check(endpoint) < 0)
                return err_set(err, EINVAL,
                               "\"%.*s\" is no endpoint: wants HOST:PORT, dns:///HOST:PORT or unix:///PATH",
                               TRACER_ENDPOINT_MAX, endpoint);
        return 0;
}

static void queue_drop(struct span_queue *queue) {
        struct span_record *record;

        while ((record = STAILQ_FIRST(queue))) {
                STAILQ_REMOVE_HEAD(queue, entry);
                free(record);
        }
}

/* A call under way has its batch in the queue of those being sent. */
static void maybe_free(struct tracer *tracer) {
        if (!tracer->closing || !tracer->timer_closed || tracer->n_sending > 0)
                return;
        queue_drop(&tracer->waiting);
        free(tracer->endpoint);
        free(tracer->host_name);
        free(tracer);
}

int tracer_new(uv_loop_t *loop, struct pool *pool, const struct tracer_options *options, struct tracer **ret_tracer,
               struct err **err) {
        struct tracer *tracer;
        int r = tracer_check_endpoint(options->endpoint, err);

        if (r < 0)
                return r;
        tracer = calloc(1, sizeof(*tracer));
        if (!tracer || !(tracer->endpoint = strdup(options->endpoint)) ||
            !(tracer->host_name = strdup(options->host_name))) {
                if (tracer)
                        free(tracer->endpoint);
                free(tracer);
                return err_set(err, ENOMEM, "out of memory");
        }
        tracer->loop = loop;
        tracer->pool = pool;
        tracer->bound = (uint64_t)(((unsigned __int128)options->per_million << 63) / TRACER_PER_MILLION_MAX);
        STAILQ_INIT(&tracer->waiting);
        STAILQ_INIT(&tracer->sending);
        uv_timer_init(loop, &tracer->timer);
        tracer->timer.data = tracer;
        *ret_tracer = tracer;
        return 0;
}

static void on_timer_closed(uv_handle_t *handle) {
        struct tracer *tracer = handle->data;

        tracer->timer_closed = true;
        maybe_free(tracer);
}

void tracer_free(struct tracer *tracer) {
        if (!tracer)
                return;
        tracer->closing = true;
        resolve_forget(TAKE_PTR(tracer->resolve));
        grpc_client_free(TAKE_PTR(tracer->client));
        uv_close((uv_handle_t *)&tracer->timer, on_timer_closed);
}

/* As OpenTelemetry's TraceIDRatioBased takes them, so that agents of one ratio agree about a trace. */
bool tracer_samples(const struct tracer *tracer, const uint8_t trace_id[TRACE_ID_SIZE]) {
        uint64_t x = 0;

        for (int i = 8; i < TRACE_ID_SIZE; i++)
                x = x << 8 | trace_id[i];
        return x >> 1 < tracer->bound;
}

void tracer_get_counters(const struct tracer *tracer, struct tracer_counters *ret_counters) {
        *ret_counters = (struct tracer_counters){
                .exported = tracer->exported,
                .dropped = tracer->dropped,
                .waiting = tracer->n_waiting + tracer->n_sending,
        };
}

/* -- what waits ---------------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static bool under_way(const struct tracer *tracer) {
        return tracer->n_sending > 0 || tracer->resolve;
}

static void wake_in(struct tracer *tracer, uint64_t ms) {
        if (tracer->closing)
                return;
        uv_update_time(tracer->loop);
        uv_timer_start(&tracer->timer, on_timer, ms, 0);
}

/* Sets the timer for what waits, unless something is under way whose end does so. */
static void schedule(struct tracer *tracer) {
        if (tracer->n_waiting == 0 || under_way(tracer))
                return;
        if (tracer->n_waiting >= TRACER_BATCH_MAX && tracer->back_off_ms == 0)
                wake_in(tracer, 0);
        else if (!uv_is_active((uv_handle_t *)&tracer->timer))
                wake_in(tracer, tracer->back_off_ms ?: TRACER_DELAY_MS);
}

void tracer_take(struct tracer *tracer, struct span_queue *queue, unsigned dropped) {
        struct span_record *record;

        tracer->dropped += dropped;
        while ((record = STAILQ_FIRST(queue))) {
                STAILQ_REMOVE_HEAD(queue, entry);
                if (tracer->closing || tracer->n_waiting + tracer->n_sending >= TRACER_SPANS_MAX) {
                        tracer->dropped++;
                        free(record);
                        continue;
                }
                STAILQ_INSERT_TAIL(&tracer->waiting, record, entry);
                tracer->n_waiting++;
        }
        if (!tracer->closing)
                schedule(tracer);
}

static void drop_old(struct tracer *tracer) {
        uint64_t now = uv_hrtime();
        struct span_record *record;

        while ((record = STAILQ_FIRST(&tracer->waiting)) && now - record->ended > TRACER_KEEP_SECONDS * 1000000000ull) {
                STAILQ_REMOVE_HEAD(&tracer->waiting, entry);
                tracer->n_waiting--;
                tracer->dropped++;
                free(record);
        }
}

/* -- sending ------------------------------------------------------------------------------------------------- */

static void take_batch(struct tracer *tracer) {
        while (tracer->n_sending < TRACER_BATCH_MAX && tracer->n_waiting > 0) {
                struct span_record *record = STAILQ_FIRST(&tracer->waiting);

                STAILQ_REMOVE_HEAD(&tracer->waiting, entry);
                STAILQ_INSERT_TAIL(&tracer->sending, record, entry);
                tracer->n_waiting--;
                tracer->n_sending++;
        }
}

static void put_batch_back(struct tracer *tracer) {
        STAILQ_CONCAT(&tracer->sending, &tracer->waiting);
        STAILQ_CONCAT(&tracer->waiting, &tracer->sending);
        tracer->n_waiting += tracer->n_sending;
        tracer->n_sending = 0;
}

/* The collector did not take the batch now, and may later: the next address, or after a while. */
static void failed(struct tracer *tracer, const char *why) {
        put_batch_back(tracer);
        grpc_client_free(TAKE_PTR(tracer->client));
        if (++tracer->next_address < tracer->n_addresses)
                return wake_in(tracer, 0);
        tracer->n_addresses = tracer->next_address = 0;
        if (tracer->back_off_ms == 0) {
                log_warning("traces: %s: %s; up to %d spans wait", tracer->endpoint, why, TRACER_SPANS_MAX);
                tracer->dropped_told = tracer->dropped;
        }
        tracer->back_off_ms = tracer->back_off_ms ? 2 * tracer->back_off_ms : TRACER_BACK_OFF_MIN_MS;
        if (tracer->back_off_ms > TRACER_BACK_OFF_MAX_MS)
                tracer->back_off_ms = TRACER_BACK_OFF_MAX_MS;
        drop_old(tracer);
        schedule(tracer);
}

static void took(struct tracer *tracer) {
        queue_drop(&tracer->sending);
        tracer->exported += tracer->n_sending;
        tracer->n_sending = 0;
        tracer->next_address = 0;
        tracer->n_addresses = 0;
        if (tracer->back_off_ms)
                log_info("traces: %s: there again; %" PRIu64 " spans were dropped", tracer->endpoint,
                         tracer->dropped - tracer->dropped_told);
        tracer->back_off_ms = 0;
        schedule(tracer);
}

/* The collector is there and does not want the batch. */
static void refused(struct tracer *tracer, enum grpc_code code, const char *text) {
        if (!tracer->refusal_told)
                log_warning("traces: %s: spans are refused: %s: %s", tracer->endpoint, grpc_code_name(code), text);
        tracer->refusal_told = true;
        queue_drop(&tracer->sending);
        tracer->dropped += tracer->n_sending;
        tracer->n_sending = 0;
        schedule(tracer);
}

/* As the OTLP specification has it ("Failures", OTLP/gRPC). */
static bool is_retryable(enum grpc_code code) {
        static const bool retryable[] = {
                [GRPC_CANCELLED] = true,    [GRPC_DEADLINE_EXCEEDED] = true, [GRPC_ABORTED] = true,
                [GRPC_OUT_OF_RANGE] = true, [GRPC_UNAVAILABLE] = true,       [GRPC_DATA_LOSS] = true,
        };

        return code < ELEMENTS(retryable) && retryable[code];
}

static void on_answer(void *data, const ProtobufCMessage *message) {
        const Otlp__PartialSuccess *partial = ((const Otlp__ExportResponse *)message)->partial_success;
        struct tracer *tracer = data;
        uint64_t rejected = partial && partial->rejected_spans > 0 ? (uint64_t)partial->rejected_spans : 0;

        if (rejected == 0)
                return;
        rejected = rejected < tracer->n_sending ? rejected : tracer->n_sending;
        if (!tracer->refusal_told)
                log_warning("traces: %s: %" PRIu64 " spans are refused: %s", tracer->endpoint, rejected,
                            partial->error_message);
        tracer->refusal_told = true;
        tracer->dropped += rejected;
        tracer->exported -= rejected; /* took() counts the whole batch */
}

static void on_done(void *data, enum grpc_code code, const char *text) {
        struct tracer *tracer = data;

        if (tracer->closing) {
                queue_drop(&tracer->sending);
                tracer->n_sending = 0;
                maybe_free(tracer);
        } else if (code == GRPC_OK)
                took(tracer);
        else if (is_retryable(code))
                failed(tracer, text);
        else
                refused(tracer, code, text);
}

static int call(struct tracer *tracer, const ProtobufCBinaryData *spans) {
        static const struct grpc_client_handlers handlers = { .message = on_answer, .done = on_done };
        const char *const texts[][2] = {
                { "service.name", "nacelle" },
                { "service.version", NACELLE_VERSION },
                { "host.name", tracer->host_name },
        };
        Otlp__ExportRequest request = OTLP__EXPORT_REQUEST__INIT;
        Otlp__ResourceSpans resource_spans = OTLP__RESOURCE_SPANS__INIT, *resource_list[] = { &resource_spans };
        Otlp__ScopeSpans scope_spans = OTLP__SCOPE_SPANS__INIT, *scope_list[] = { &scope_spans };
        Otlp__Resource resource = OTLP__RESOURCE__INIT;
        Otlp__Scope scope = OTLP__SCOPE__INIT;
        Otlp__KeyValue pairs[ELEMENTS(texts)], *list[ELEMENTS(texts)];
        Otlp__AnyValue values[ELEMENTS(texts)];

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                otlp__key_value__init(list[i] = &pairs[i]);
                otlp__any_value__init(pairs[i].value = &values[i]);
                pairs[i].key = (char *)(uintptr_t)texts[i][0];
                values[i].value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
                values[i].string_value = (char *)(uintptr_t)texts[i][1];
        }
        resource.n_attributes = ELEMENTS(texts);
        resource.attributes = list;
        scope.name = (char *)(uintptr_t) "nacelle";
        scope.version = (char *)(uintptr_t)NACELLE_VERSION;
        scope_spans.scope = &scope;
        scope_spans.n_spans = tracer->n_sending;
        scope_spans.spans = (ProtobufCBinaryData *)(uintptr_t)spans;
        resource_spans.resource = &resource;
        resource_spans.n_scope_spans = 1;
        resource_spans.scope_spans = scope_list;
        request.n_resource_spans = 1;
        request.resource_spans = resource_list;
        return grpc_client_call(tracer->client,
                                &(struct grpc_client_request){ EXPORT_PATH, &request.base,
                                                               &otlp__export_response__descriptor, TRACER_TIMEOUT_MS },
                                &handlers, tracer, NULL);
}

static void send_batch(struct tracer *tracer) {
        _cleanup_free_ ProtobufCBinaryData *spans = NULL;
        struct span_record *record;
        size_t n = 0;
        int r;

        take_batch(tracer);
        spans = calloc(tracer->n_sending, sizeof(*spans));
        if (!spans)
                return failed(tracer, "out of memory");
        STAILQ_FOREACH (record, &tracer->sending, entry)
                spans[n++] = (ProtobufCBinaryData){ record->size, record->data };
        r = call(tracer, spans);
        if (r < 0)
                failed(tracer, strerror(-r));
}

static void connect_and_send(struct tracer *tracer) {
        _cleanup_err_ struct err *why = NULL;

        if (grpc_client_new(tracer->loop, tracer->addresses[tracer->next_address], &tracer->client, &why) < 0)
                failed(tracer, err_text(why));
        else
                send_batch(tracer);
}

static void on_resolved(void *data, const char (*targets)[RESOLVE_TARGET_MAX], size_t n, const char *why) {
        struct tracer *tracer = data;

        tracer->resolve = NULL;
        if (n == 0)
                return failed(tracer, why);
        memcpy(tracer->addresses, targets, n * sizeof(*targets));
        tracer->n_addresses = (unsigned)n;
        tracer->next_address = 0;
        connect_and_send(tracer);
}

static void begin_sending(struct tracer *tracer) {
        uv_timer_stop(&tracer->timer);
        if (tracer->n_waiting == 0 || under_way(tracer))
                return;
        if (tracer->client)
                send_batch(tracer);
        else if (tracer->n_addresses > 0)
                connect_and_send(tracer);
        else if (resolve_begin(tracer->pool, tracer->endpoint, on_resolved, tracer, &tracer->resolve) < 0)
                failed(tracer, "out of memory");
}

static void on_timer(uv_timer_t *timer) {
        begin_sending(timer->data);
}

bool tracer_flush(struct tracer *tracer) {
        if (!tracer)
                return false;
        if (tracer->back_off_ms == 0)
                begin_sending(tracer);
        return tracer->back_off_ms == 0 && (under_way(tracer) || tracer->n_waiting > 0);
}
