#include "cri/call/call.h"

#include <assert.h>
#include <string.h>

#include "cri/call/trace.h"
#include "lib/clock.h"
#include "lib/log.h"

void cri_call(struct cri *cri, enum cri_method method, const ProtobufCMessage *request, cri_done_fn done, void *data) {
        cri_call_traced(cri, method, request, &(struct cri_caller){ .kind = SPAN_INTERNAL }, done, data);
}

void cri_call_traced(struct cri *cri, enum cri_method method, const ProtobufCMessage *request,
                     const struct cri_caller *caller, cri_done_fn done, void *data) {
        const struct cri_method_row *row = &cri_methods[method];
        struct cri_call *call = calloc(1, sizeof(*call));
        _cleanup_err_ struct err *err = NULL;

        if (call)
                call->arena = arena_new();
        if (!call || !call->arena) {
                free(call);
                err_set(&err, ENOMEM, "%s: out of memory", row->name);
                done(data, NULL, err);
                return;
        }
        call->cri = cri;
        call->method = method;
        call->request = request;
        call->done = done;
        call->data = data;
        call->begun = (uint64_t)clock_ns(CLOCK_MONOTONIC);
        call->span = trace_begin(cri, method, caller->kind, caller->parent);
        cri->calls++;
        cri_calls_append(&cri->under_way, call);
        cri->counters.calls[method]++;
        if (!row->handle)
                call_refuse(call, EOPNOTSUPP, "%s is not served this way", row->name);
        else
                row->handle(call);
}

void cri_cancel(struct cri *cri, const void *data) {
        LIST_EACH (cri_calls, call, &cri->under_way)
                if (call->data == data && !call->cancelled) {
                        call->cancelled = true;
                        if (call->cancel)
                                call->cancel(call);
                        return; /* the list may have changed */
                }
}

uint64_t cri_bucket_end(unsigned bucket) {
        static const uint64_t ends[CRI_BUCKETS] = {
                500000,    1250000,   3125000,    7812500,    19531250,    48828125,    122070312,
                305175781, 762939453, 1907348632, 4768371582, 11920928955, 29802322387, 74505805969,
        };

        return ends[bucket];
}

unsigned cri_calls_under_way(const struct cri *cri) {
        return cri->calls;
}

static void call_free(struct cri_call *call) {
        call_give_turn(call);
        if (call->release)
                call->release(call);
        call->container = cri_container_unref(call->container);
        call->sandbox = cri_sandbox_unref(call->sandbox);
        err_free(call->err);
        arena_free(call->arena);
        free(call);
}

static void finish(struct cri_call *call, const ProtobufCMessage *response, const struct err *err) {
        struct cri *cri = call->cri;
        uint64_t taken = (uint64_t)clock_ns(CLOCK_MONOTONIC) - call->begun;

        cri->counters.nanoseconds[call->method] += taken;
        cri->counters.ended[call->method]++;
        for (unsigned i = 0; i < CRI_BUCKETS; i++)
                if (taken <= cri_bucket_end(i)) {
                        cri->counters.buckets[call->method][i]++;
                        break;
                }
        cri->counters.errors[call->method] += err != NULL;
        log_debug("cri: %s: %lu us%s%s", cri_methods[call->method].name, (unsigned long)(taken / 1000), err ? ": " : "",
                  err ? err_text(err) : "");
        if (call->span)
                trace_end(TAKE_PTR(call->span), call->method, call, err);
        call_give_turn(call);
        call->done(call->data, response, err);
        cri->calls--;
        cri_calls_remove(call);
        call_free(call);
}

void call_stream(struct cri_call *call, void *items, size_t n) {
        const ProtobufCMessageDescriptor *type = cri_methods[call->method].response;
        const ProtobufCFieldDescriptor *field = &type->fields[0];
        ProtobufCMessage *message = call_message(call, type);

        assert(type->n_fields == 1 && field->label == PROTOBUF_C_LABEL_REPEATED);
        if (!message)
                return;
        for (size_t i = 0; i < n; i += CALL_STREAM_CHUNK) {
                *(void **)((char *)message + field->offset) = (void **)items + i;
                *(size_t *)((char *)message + field->quantifier_offset) =
                        n - i < CALL_STREAM_CHUNK ? n - i : CALL_STREAM_CHUNK;
                call->done(call->data, message, NULL);
        }
        finish(call, NULL, NULL);
}

void call_reply(struct cri_call *call, const ProtobufCMessage *response) {
        finish(call, response, NULL);
}

void call_reply_empty(struct cri_call *call) {
        void *response = call_message(call, cri_methods[call->method].response);

        if (response)
                call_reply(call, response);
}

void call_fail(struct cri_call *call) {
        if (!call->err)
                err_set(&call->err, call->result < 0 ? -call->result : EIO, "%s failed",
                        cri_methods[call->method].name);
        finish(call, NULL, call->err);
}

void call_refuse(struct cri_call *call, int code, const char *format, ...) {
        struct err *err = NULL; /* the arguments may be of the one before */
        va_list ap;

        va_start(ap, format);
        err_setv(&err, code, format, ap);
        va_end(ap);
        err_free(call->err);
        call->err = err;
        call_fail(call);
}

void *call_alloc(struct cri_call *call, size_t size) {
        void *p = arena_alloc(call->arena, size);

        if (!p)
                call_refuse(call, ENOMEM, "out of memory");
        return p;
}

void *call_message(struct cri_call *call, const ProtobufCMessageDescriptor *type) {
        void *message = message_new(call->arena, type);

        if (!message)
                call_refuse(call, ENOMEM, "out of memory");
        return message;
}

bool call_find_sandbox(struct cri_call *call, const char *id) {
        struct cri_sandbox *sandbox;

        if (cri_sandbox_find(call->cri, id, &sandbox, &call->err) < 0) {
                call_fail(call);
                return false;
        }
        call->sandbox = cri_sandbox_ref(sandbox);
        return true;
}

bool call_find_container(struct cri_call *call, const char *id) {
        struct cri_container *container;

        if (cri_container_find(call->cri, id, &container, &call->err) < 0) {
                call_fail(call);
                return false;
        }
        call->container = cri_container_ref(container);
        call->sandbox = cri_sandbox_ref(container->sandbox);
        return true;
}

static void job_work(struct pool_job *job) {
        struct cri_call *call = (struct cri_call *)job;

        call->result = call->work(call, &call->err);
}

static void job_done(struct pool_job *job) {
        struct cri_call *call = (struct cri_call *)job;

        if (call->result >= 0)
                call->after(call);
        else if (call->failed)
                call->failed(call);
        else
                call_fail(call);
}

void call_run(struct cri_call *call, int (*work)(struct cri_call *call, struct err **err),
              void (*after)(struct cri_call *call)) {
        call->work = work;
        call->after = after;
        call->job = (struct pool_job){ .work = job_work, .done = job_done };
        pool_submit(call->cri->pool, &call->job);
}
