#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cri/streaming/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static void maybe_finish(struct streaming_session *session);

static void on_room(void *data) {
        struct streaming_session *session = data;

        if (session->client)
                streaming_client_resume(session->client, CLIENT_INPUT_WAITS);
}

struct streaming_session *streaming_session_new(struct streaming *streaming, const struct streaming_request *request) {
        struct streaming_session *session = calloc(1, sizeof(*session));

        if (!session)
                return NULL;
        session->streaming = streaming;
        LIST_INIT(&session->connections);
        session->in = streaming_pump_sink_new(streaming->loop, STREAMING_BUFFER_MAX, on_room, session);
        if (!session->in || streaming_request_copy(request, &session->request) < 0) {
                streaming_session_free(session);
                return NULL;
        }
        return session;
}

/* Lets go of the process's descriptors. */
static void release_descriptors(struct streaming_session *session) {
        streaming_pump_source_free(session->out);
        streaming_pump_source_free(session->err);
        streaming_pump_sink_free(session->in);
        session->out = session->err = NULL;
        session->in = NULL;
        handle_free(TAKE_PTR(session->drain));
}

void streaming_session_free(struct streaming_session *session) {
        release_descriptors(session);
        streaming_forwards_free(session);
        streaming_request_done(&session->request);
        free(session);
}

void streaming_session_start(struct streaming_session *session) {
        struct streaming *streaming = session->streaming;

        session->started = true;
        streaming_client_set_timer(session->client, STREAMING_IDLE_SECONDS);
        if (session->request.kind != STREAMING_PORT_FORWARD)
                streaming->source->start(streaming->data, session, &session->request);
}

void streaming_session_client_gone(struct streaming_session *session) {
        const struct streaming *streaming = session->streaming;
        bool tell = session->started && !session->released && session->request.kind != STREAMING_PORT_FORWARD;

        session->released = true;
        session->client = NULL;
        release_descriptors(session);
        if (tell)
                streaming->source->gone(streaming->data, session);
        streaming_session_free(session);
}

/* The Status object of Kubernetes' API that ends a remote command, from version 4 on. */
static char *status_json(const struct streaming_session *session, const char *failure) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        char text[64], code[16], *json = NULL;

        json_begin_map(&w);
        json_key(&w, "metadata");
        json_begin_map(&w);
        json_end_map(&w);
        if (!failure && session->exit_code == 0) {
                json_add_string(&w, "status", "Success");
        } else if (failure) {
                json_add_string(&w, "status", "Failure");
                json_add_string(&w, "message", failure);
                json_add_string(&w, "reason", "InternalError");
                json_add_int(&w, "code", 500);
        } else {
                snprintf(text, sizeof(text), "command terminated with non-zero exit code: %d", session->exit_code);
                snprintf(code, sizeof(code), "%d", session->exit_code);
                json_add_string(&w, "status", "Failure");
                json_add_string(&w, "message", text);
                json_add_string(&w, "reason", "NonZeroExitCode");
                json_key(&w, "details");
                json_begin_map(&w);
                json_key(&w, "causes");
                json_begin_list(&w);
                json_begin_map(&w);
                json_add_string(&w, "reason", "ExitCode");
                json_add_string(&w, "message", code);
                json_end_map(&w);
                json_end_list(&w);
                json_end_map(&w);
        }
        json_end_map(&w);
        return json_writer_finish(&w, &json, NULL) < 0 ? NULL : json;
}

/* Before version 4 only failures are told, as text. */
static char *status_text(const struct streaming_session *session, const char *failure) {
        char *text = NULL;

        if (failure)
                return strdup(failure);
        if (session->exit_code != 0 &&
            asprintf(&text, "command terminated with non-zero exit code: exit status %d", session->exit_code) < 0)
                return NULL;
        return text;
}

/* Ends all streams, the error stream with how it went. */
static void finish(struct streaming_session *session, const char *failure) {
        struct stream_client *client = session->client;
        _cleanup_free_ char *status = NULL;

        if (session->finished || !client)
                return;
        session->finished = true;
        client->protocol->wire->end(client, CHANNEL_OUT);
        client->protocol->wire->end(client, CHANNEL_ERR);
        status = client->protocol->version >= 4 ? status_json(session, failure) : status_text(session, failure);
        if (status)
                client->protocol->wire->send(client, CHANNEL_STATUS, status, strlen(status));
        client->protocol->wire->end(client, CHANNEL_STATUS);
        client->protocol->wire->finish(client, 0);
        streaming_client_finish(client);
}

static void send_output(struct streaming_session *session, enum channel channel, const char *bytes, size_t n) {
        struct stream_client *client = session->client;

        client->active = uv_now(session->streaming->loop);
        client->protocol->wire->send(client, channel, bytes, n);
        if (streaming_client_pending(client) >= STREAMING_BUFFER_MAX) {
                streaming_pump_source_pause(session->out);
                streaming_pump_source_pause(session->err);
        }
}

static void on_out(void *data, const char *bytes, size_t n) {
        send_output(data, CHANNEL_OUT, bytes, n);
}

static void on_err(void *data, const char *bytes, size_t n) {
        send_output(data, CHANNEL_ERR, bytes, n);
}

static void on_output_end(void *data) {
        maybe_finish(data);
}

/* A client that has not read all that came so far gets its time when it has: see streaming_session_drained(). */
static void on_drain_over(uv_timer_t *timer) {
        struct streaming_session *session = timer->data;

        if (streaming_client_pending(session->client) == 0)
                finish(session, NULL);
}

void streaming_session_drained(struct streaming_session *session) {
        if (session->drain)
                uv_timer_start(session->drain, on_drain_over, STREAMING_DRAIN_SECONDS * 1000, 0);
        streaming_pump_source_resume(session->out);
        streaming_pump_source_resume(session->err);
        streaming_forward_drained(session);
}

/* The process has ended and all it wrote was read; or, attached, its output has ended, which is the same. */
static void maybe_finish(struct streaming_session *session) {
        bool outputs_ended = streaming_pump_source_ended(session->out) && streaming_pump_source_ended(session->err);
        bool by_output = session->request.kind == STREAMING_ATTACH && (session->out || session->err);

        if (!session->running || !outputs_ended || !(session->exited || by_output))
                return;
        finish(session, NULL);
}

static void on_input_written(void *data) {
        struct streaming_session *session = data;
        const struct streaming *streaming = session->streaming;

        if (!session->released && streaming->source->input_ended)
                streaming->source->input_ended(streaming->data, session);
}

static void close_process(const struct streaming_process *process) {
        close_fd(process->in);
        close_fd(process->out);
        close_fd(process->err);
}

void streaming_started(struct streaming_session *session, const struct streaming_process *process) {
        const struct streaming *streaming = session->streaming;
        uv_loop_t *loop = streaming->loop;

        if (!session->client || session->running || session->finished)
                return close_process(process);
        session->running = true;
        if (session->columns > 0)
                streaming->source->resize(streaming->data, session, session->columns, session->rows);
        if (process->out >= 0)
                session->out = streaming_pump_source_new(loop, process->out, on_out, on_output_end, session);
        if (process->err >= 0)
                session->err = streaming_pump_source_new(loop, process->err, on_err, on_output_end, session);
        if (process->in >= 0)
                streaming_pump_sink_open(session->in, process->in, on_input_written);
        if ((process->out >= 0 && !session->out) || (process->err >= 0 && !session->err))
                finish(session, "out of memory");
}

void streaming_failed(struct streaming_session *session, const struct err *err) {
        session->released = true;
        finish(session, err_text(err));
}

void streaming_exited(struct streaming_session *session, int code) {
        session->released = true;
        session->exited = true;
        session->exit_code = session->request.kind == STREAMING_EXEC ? code : 0;
        maybe_finish(session);
        if (session->finished || !session->client)
                return;
        /* A child of the process may hold the pipes open for ever. */
        session->drain = handle_timer(session->streaming->loop, session);
        if (!session->drain)
                return finish(session, NULL);
        uv_timer_start(session->drain, on_drain_over, STREAMING_DRAIN_SECONDS * 1000, 0);
}

void streaming_detached(struct streaming_session *session) {
        session->released = true;
        finish(session, NULL);
}

void streaming_session_input(struct streaming_session *session, const void *data, size_t n) {
        if (!session->request.in || session->finished)
                return;
        streaming_pump_sink_write(session->in, data, n);
        if (streaming_pump_sink_full(session->in))
                streaming_client_pause(session->client, CLIENT_INPUT_WAITS);
}

void streaming_session_input_end(struct streaming_session *session) {
        if (session->request.in && !session->finished)
                streaming_pump_sink_end(session->in);
}

static void resize(struct streaming_session *session, const char *text, size_t n) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct streaming *streaming = session->streaming;
        const struct value *value;
        int64_t columns, rows;

        if (!arena || json_parse(arena, text, n, NULL, &value, NULL) < 0 ||
            !value_integer(value_get(value, "Width"), &columns) || !value_integer(value_get(value, "Height"), &rows) ||
            columns < 0 || columns > UINT16_MAX || rows < 0 || rows > UINT16_MAX)
                return;
        session->columns = (uint16_t)columns;
        session->rows = (uint16_t)rows;
        if (session->running && !session->released)
                streaming->source->resize(streaming->data, session, session->columns, session->rows);
}

/* Objects come one behind the other, in any pieces. */
void streaming_session_resize(struct streaming_session *session, const void *data, size_t n) {
        const char *p = data;

        for (size_t i = 0; i < n; i++) {
                if (session->n_resize == sizeof(session->resize))
                        session->n_resize = 0;
                session->resize[session->n_resize++] = p[i];
                if (p[i] != '}')
                        continue;
                resize(session, session->resize, session->n_resize);
                session->n_resize = 0;
        }
}

void streaming_session_set_data(struct streaming_session *session, void *data) {
        session->data = data;
}

void *streaming_session_data(const struct streaming_session *session) {
        return session->data;
}
