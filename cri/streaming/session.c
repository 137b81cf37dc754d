#include <errno.h>
#include <inttypes.h>
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

static void command_free(char **command) {
        for (size_t i = 0; command && command[i]; i++)
                free(command[i]);
        free(command);
}

static char **command_copy(char *const *command) {
        size_t n = 0;
        char **copy;

        while (command[n])
                n++;
        copy = calloc(n + 1, sizeof(*copy));
        for (size_t i = 0; copy && i < n; i++)
                if (!(copy[i] = strdup(command[i]))) {
                        command_free(copy);
                        return NULL;
                }
        return copy;
}

static int32_t *ports_copy(const struct streaming_request *request) {
        int32_t *copy = calloc(request->n_ports + 1, sizeof(*copy));

        if (copy && request->n_ports > 0)
                memcpy(copy, request->ports, request->n_ports * sizeof(*copy));
        return copy;
}

static void on_room(void *data) {
        struct streaming_session *session = data;

        if (session->client)
                client_resume(session->client);
}

struct streaming_session *session_new(struct streaming *streaming, const struct streaming_request *request) {
        struct streaming_session *session = calloc(1, sizeof(*session));

        if (!session)
                return NULL;
        session->streaming = streaming;
        session->request = *request;
        session->request.command = NULL;
        session->request.ports = ports_copy(request);
        LIST_INIT(&session->connections);
        session->request.id = strndup(request->id, STREAMING_ID_MAX);
        if (request->command)
                session->request.command = command_copy(request->command);
        session->in = pump_sink_new(streaming->loop, STREAMING_BUFFER_MAX, on_room, session);
        if (!session->request.id || !session->in || !session->request.ports ||
            (request->command && !session->request.command)) {
                session_free(session);
                return NULL;
        }
        return session;
}

/* Lets go of the process's descriptors. */
static void release_descriptors(struct streaming_session *session) {
        pump_source_free(session->out);
        pump_source_free(session->err);
        pump_sink_free(session->in);
        session->out = session->err = NULL;
        session->in = NULL;
        handle_free(TAKE_PTR(session->drain));
}

void session_free(struct streaming_session *session) {
        release_descriptors(session);
        forwards_free(session);
        command_free((char **)(uintptr_t)session->request.command);
        free((int32_t *)(uintptr_t)session->request.ports);
        free((char *)(uintptr_t)session->request.id);
        free(session);
}

void session_start(struct streaming_session *session) {
        struct streaming *streaming = session->streaming;

        session->started = true;
        client_set_timer(session->client, STREAMING_IDLE_SECONDS);
        if (session->request.kind != STREAMING_PORT_FORWARD)
                streaming->backend->start(streaming->data, session, &session->request);
}

void session_client_gone(struct streaming_session *session) {
        const struct streaming *streaming = session->streaming;
        bool tell = session->started && !session->released && session->request.kind != STREAMING_PORT_FORWARD;

        session->released = true;
        session->client = NULL;
        release_descriptors(session);
        if (tell)
                streaming->backend->gone(streaming->data, session);
        session_free(session);
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
        struct client *client = session->client;
        _cleanup_free_ char *status = NULL;

        if (session->finished || !client)
                return;
        session->finished = true;
        client->wire->end(client, CHANNEL_OUT);
        client->wire->end(client, CHANNEL_ERR);
        status = client->version >= 4 ? status_json(session, failure) : status_text(session, failure);
        if (status)
                client->wire->send(client, CHANNEL_STATUS, status, strlen(status));
        client->wire->end(client, CHANNEL_STATUS);
        client->wire->finish(client);
        client_close_after_flush(client);
}

static void send_output(struct streaming_session *session, enum channel channel, const char *bytes, size_t n) {
        struct client *client = session->client;

        client->active = uv_now(session->streaming->loop);
        client->wire->send(client, channel, bytes, n);
        if (client_pending(client) >= STREAMING_BUFFER_MAX) {
                pump_source_pause(session->out);
                pump_source_pause(session->err);
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

void session_drained(struct streaming_session *session) {
        pump_source_resume(session->out);
        pump_source_resume(session->err);
        forward_drained(session);
}

/* The process has ended and all it wrote was read; or, attached, its output has ended, which is the same. */
static void maybe_finish(struct streaming_session *session) {
        bool outputs_ended = pump_source_ended(session->out) && pump_source_ended(session->err);
        bool by_output = session->request.kind == STREAMING_ATTACH && (session->out || session->err);

        if (!session->running || !outputs_ended || !(session->exited || by_output))
                return;
        finish(session, NULL);
}

static void on_input_written(void *data) {
        struct streaming_session *session = data;
        const struct streaming *streaming = session->streaming;

        if (!session->released && streaming->backend->input_ended)
                streaming->backend->input_ended(streaming->data, session);
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
                streaming->backend->resize(streaming->data, session, session->columns, session->rows);
        if (process->out >= 0)
                session->out = pump_source_new(loop, process->out, on_out, on_output_end, session);
        if (process->err >= 0)
                session->err = pump_source_new(loop, process->err, on_err, on_output_end, session);
        if (process->in >= 0)
                pump_sink_open(session->in, process->in, on_input_written);
        if ((process->out >= 0 && !session->out) || (process->err >= 0 && !session->err))
                finish(session, "out of memory");
}

void streaming_failed(struct streaming_session *session, const struct err *err) {
        session->released = true;
        finish(session, err_text(err));
}

static void on_drain_over(uv_timer_t *timer) {
        finish(timer->data, NULL);
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

void session_input(struct streaming_session *session, const void *data, size_t n) {
        if (!session->request.in || session->finished)
                return;
        pump_sink_write(session->in, data, n);
        if (pump_sink_full(session->in))
                client_pause(session->client);
}

void session_input_end(struct streaming_session *session) {
        if (session->request.in && !session->finished)
                pump_sink_end(session->in);
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
                streaming->backend->resize(streaming->data, session, session->columns, session->rows);
}

/* Objects come one behind the other, in any pieces. */
void session_resize(struct streaming_session *session, const void *data, size_t n) {
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
