#include "cri/streaming/cri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cri/exec/exec.h"
#include "cri/state/state.h"
#include "cri/streaming/server.h"
#include "cri/streaming/streaming.h"
#include "lib/cleanup.h"
#include "lib/err.h"

struct streaming_cri {
        struct cri *cri;
        struct streaming *streaming;
        struct streaming_server *server;
        struct cri_streaming hooks;
        LIST_HEAD(, process) execs; /* that run */
};

/* A session's process. It outlives the session when the client goes first, and the other way round. */
struct process {
        struct cri *cri;
        LIST_ENTRY(process) link;          /* of an exec */
        struct streaming_session *session; /* NULL when it has gone */
        struct cri_exec *exec;             /* NULL for an attachment, and after the end */
        char *container;                   /* of an attachment */
        bool called_back;                  /* nothing else is coming from cri */
};

static struct streaming_process to_process(const struct cri_streams *streams) {
        return (struct streaming_process){ .in = streams->in, .out = streams->out, .err = streams->err };
}

static void process_free(struct process *process) {
        free(process->container);
        free(process);
}

static void on_exec_done(void *data, int exit_code, const struct err *err) {
        struct process *process = data;

        LIST_REMOVE(process, link);
        process->exec = NULL;
        if (process->session && err)
                streaming_failed(process->session, err);
        else if (process->session)
                streaming_exited(process->session, exit_code);
        process_free(process);
}

static void start_exec(struct streaming_cri *streaming, struct process *process,
                       const struct streaming_request *request) {
        const struct cri_exec_request exec_request = {
                .container_id = request->id,
                .args = (const char *const *)request->command,
                .in = request->in,
                .out = request->out,
                .err = request->err,
                .tty = request->tty,
                .done = on_exec_done,
                .data = process,
        };
        struct streaming_session *session = process->session;
        _cleanup_err_ struct err *err = NULL;
        struct streaming_process streams;
        struct cri_streams got;

        if (cri_exec_start(process->cri, &exec_request, &got, &process->exec, &err) < 0) {
                process_free(process);
                return streaming_failed(session, err);
        }
        LIST_INSERT_HEAD(&streaming->execs, process, link);
        streams = to_process(&got);
        streaming_started(session, &streams);
}

static void on_attached(void *data, const struct cri_streams *streams, const struct err *err) {
        struct process *process = data;
        struct streaming_process got;

        process->called_back = true;
        if (!process->session) {
                if (streams) {
                        close_fd(streams->in);
                        close_fd(streams->out);
                        close_fd(streams->err);
                }
                return process_free(process);
        }
        if (err || !streams) {
                streaming_failed(process->session, err);
                return process_free(process);
        }
        got = to_process(streams);
        streaming_started(process->session, &got);
}

static void start(void *data, struct streaming_session *session, const struct streaming_request *request) {
        struct streaming_cri *streaming = data;
        struct process *process = calloc(1, sizeof(*process));

        if (!process || !(process->container = strdup(request->id))) {
                free(process);
                return streaming_failed(session, NULL);
        }
        process->cri = streaming->cri;
        process->session = session;
        streaming_session_set_data(session, process);
        if (request->kind == STREAMING_EXEC)
                start_exec(streaming, process, request);
        else
                cri_attach(streaming->cri, &(struct cri_attach_request){ .container_id = request->id,
                                                                         .in = request->in,
                                                                         .out = request->out,
                                                                         .err = request->err,
                                                                         .attached = on_attached,
                                                                         .data = process });
}

static void resize(void *data, struct streaming_session *session, uint16_t columns, uint16_t rows) {
        struct process *process = streaming_session_data(session);

        if (process->exec)
                cri_exec_resize(process->exec, rows, columns);
        else
                cri_attach_resize(process->cri, process->container, rows, columns);
}

static void gone(void *data, struct streaming_session *session) {
        struct process *process = streaming_session_data(session);

        process->session = NULL;
        /* An exec goes on without its client until it misses it: by a closed pipe, or by its terminal's hang-up. Its
         * end comes by on_exec_done(). An attachment was only its descriptors. */
        if (process->exec)
                cri_exec_hang_up(process->exec);
        if (process->called_back)
                process_free(process);
}

static void input_ended(void *data, struct streaming_session *session) {
        struct process *process = streaming_session_data(session);
        struct cri_container *container;

        if (!process->called_back)
                return;
        cri_attach_input_ended(process->cri, process->container);
        /* Only where the container reads an end of file now is there more to see; a client that closes a terminal's
         * input has pressed the keys to leave (containerd does the same). */
        if (cri_container_find(process->cri, process->container, &container, NULL) == 0 &&
            container->config->stdin_once && !container->config->tty)
                return;
        process_free(process);
        streaming_detached(session);
}

static void on_connected(void *data, const struct cri_streams *streams, const struct err *err) {
        struct streaming_process process;

        if (streams)
                process = to_process(streams);
        streaming_connected(data, streams ? &process : NULL, err);
}

static void connect_port(void *data, struct streaming_session *session, const struct streaming_request *request,
                         uint16_t port, struct streaming_connection *connection) {
        struct streaming_cri *streaming = data;

        cri_connect_port(streaming->cri, request->id, port, on_connected, connection);
}

static const struct streaming_source source = {
        .start = start,
        .resize = resize,
        .gone = gone,
        .connect = connect_port,
        .input_ended = input_ended,
};

static int exec_url(void *data, const Cri__ExecRequest *request, char **ret_url, struct err **err) {
        struct streaming_cri *streaming = data;
        _cleanup_free_ char **command = calloc(request->n_cmd + 1, sizeof(*command));
        const struct streaming_request streaming_request = {
                .kind = STREAMING_EXEC,
                .id = request->container_id,
                .command = command,
                .tty = request->tty,
                .in = request->stdin,
                .out = request->stdout,
                .err = request->stderr && !request->tty,
        };

        if (!command)
                return err_set(err, ENOMEM, "out of memory");
        if (request->n_cmd == 0)
                return err_set(err, EINVAL, "the command is empty");
        if (!request->stdin && !request->stdout && !request->stderr)
                return err_set(err, EINVAL, "one of stdin, stdout, stderr must be wanted");
        if (request->tty && request->stderr)
                return err_set(err, EINVAL, "tty and stderr cannot both be true");
        memcpy(command, request->cmd, request->n_cmd * sizeof(*command));
        return streaming_server_url(streaming->server, &streaming_request, ret_url, err);
}

static int attach_url(void *data, const Cri__AttachRequest *request, char **ret_url, struct err **err) {
        struct streaming_cri *streaming = data;
        const struct streaming_request streaming_request = {
                .kind = STREAMING_ATTACH,
                .id = request->container_id,
                .tty = request->tty,
                .in = request->stdin,
                .out = request->stdout,
                .err = request->stderr && !request->tty,
        };

        if (!request->stdin && !request->stdout && !request->stderr)
                return err_set(err, EINVAL, "one of stdin, stdout, stderr must be wanted");
        if (request->tty && request->stderr)
                return err_set(err, EINVAL, "tty and stderr cannot both be true");
        return streaming_server_url(streaming->server, &streaming_request, ret_url, err);
}

static int forward_url(void *data, const Cri__PortForwardRequest *request, char **ret_url, struct err **err) {
        struct streaming_cri *streaming = data;
        const struct streaming_request streaming_request = { .kind = STREAMING_PORT_FORWARD,
                                                             .id = request->pod_sandbox_id,
                                                             .ports = request->port,
                                                             .n_ports = request->n_port };

        return streaming_server_url(streaming->server, &streaming_request, ret_url, err);
}

int streaming_cri_new(uv_loop_t *loop, struct cri *cri, const char *address, struct streaming_cri **ret_streaming,
                      struct err **err) {
        struct streaming_cri *streaming = calloc(1, sizeof(*streaming));
        int r;

        if (!streaming)
                return err_set(err, ENOMEM, "out of memory");
        streaming->cri = cri;
        LIST_INIT(&streaming->execs);
        r = streaming_new(loop, &source, streaming, &streaming->streaming);
        if (r < 0)
                err_set(err, ENOMEM, "out of memory");
        else
                r = streaming_server_new(loop, address ? address : STREAMING_CRI_ADDRESS, streaming->streaming,
                                         &streaming->server, err);
        if (r < 0) {
                streaming_free(streaming->streaming);
                free(streaming);
                return r;
        }
        streaming->hooks = (struct cri_streaming){
                .exec = exec_url, .attach = attach_url, .port_forward = forward_url, .data = streaming
        };
        cri_set_streaming(cri, &streaming->hooks);
        *ret_streaming = streaming;
        return 0;
}

struct streaming *streaming_cri_sessions(const struct streaming_cri *streaming) {
        return streaming->streaming;
}

/* Those that go on without their client; the shim ends them anyway once nobody is there for them. */
static void abandon_execs(struct streaming_cri *streaming) {
        struct process *process;

        while ((process = LIST_FIRST(&streaming->execs))) {
                LIST_REMOVE(process, link);
                cri_exec_abandon(process->exec);
                process_free(process);
        }
}

void streaming_cri_free(struct streaming_cri *streaming) {
        if (!streaming)
                return;
        cri_set_streaming(streaming->cri, NULL);
        streaming_free(streaming->streaming);
        abandon_execs(streaming);
        streaming_server_free(streaming->server);
        free(streaming);
}
