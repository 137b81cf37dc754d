/* Streams into containers and pods, as descriptors: what exec, attach and port-forward over the network are made of,
 * and what the agent's exec probes use. On the loop; nothing here blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cri/cri.h"

#define CRI_EXEC_ARGS_MAX 4096
#define CRI_EXECS_MAX 1024 /* at once in all containers of a sandbox; one more is refused (ENOBUFS) */

/* The caller's ends, non-blocking and close-on-exec; they are the caller's to close. With a terminal, out and in are
 * the same terminal's descriptors (two duplicates) and err is -EBADF. -EBADF: not asked for, or not there. */
struct cri_streams {
        int in;       /* to write */
        int out, err; /* to read until end of file */
};

struct cri_exec_request {
        const char *container_id;
        const char *const *args; /* NULL-terminated */
        bool in, out, err;       /* streams wanted */
        bool tty;
        uint16_t rows, columns; /* of the terminal at first; 0: unset */
        /* Called once when the process has ended and not before it was started; output may still be in the pipes.
         * @exit_code is 128 + signal when a signal ended it, -1 with @err when it never ran or its shim died. The
         * struct cri_exec is gone after it. */
        void (*done)(void *data, int exit_code, const struct err *err);
        void *data;
};

struct cri_exec;

/* Runs a process in a running container with its user, environment, capabilities and limits. Everything of @request is
 * copied. Returns 0 with the streams; -ENOENT (no such container), -EINVAL (it is not running) or -ENOBUFS
 * (CRI_EXECS_MAX). Then request->done is not called. */
int cri_exec_start(struct cri *cri, const struct cri_exec_request *request, struct cri_streams *ret_streams,
                   struct cri_exec **ret_exec, struct err **err);
int cri_exec_resize(struct cri_exec *exec, uint16_t rows, uint16_t columns);
/* Nobody is at the terminal any more: once the caller's streams are closed too, its processes get SIGHUP. Without a
 * terminal nothing happens. */
void cri_exec_hang_up(struct cri_exec *exec);
/* SIGKILL to the process and its session; done() comes as usual. */
void cri_exec_kill(struct cri_exec *exec);
/* Kills it without waiting for that: @exec is gone, and done() is not called. */
void cri_exec_abandon(struct cri_exec *exec);

/* Called back from the pool: with @streams, the caller's, or with @err. */
typedef void (*cri_streams_fn)(void *data, const struct cri_streams *streams, const struct err *err);

struct cri_attach_request {
        const char *container_id;
        bool in, out, err; /* streams wanted */
        cri_streams_fn attached;
        void *data;
};

/* Everything of @request is copied. */
void cri_attach(struct cri *cri, const struct cri_attach_request *request);
/* The client's input has ended: with stdin_once the container reads an end of file. */
void cri_attach_input_ended(struct cri *cri, const char *container_id);
void cri_attach_resize(struct cri *cri, const char *container_id, uint16_t rows, uint16_t columns);

/* Connects to a TCP port on the pod's loopback (127.0.0.1, then ::1), on the pool; streams->in and out are the two
 * duplicates of the connected socket. */
void cri_connect_port(struct cri *cri, const char *sandbox_id, uint16_t port, cri_streams_fn connected, void *data);

/* The streaming server's side of Exec, Attach and PortForward: checked requests (the object exists and runs) come in,
 * the URL goes out, allocated. Without it those methods are Unimplemented. @request is valid during the call only. */
struct cri_streaming {
        int (*exec)(void *data, const Cri__ExecRequest *request, char **ret_url, struct err **err);
        int (*attach)(void *data, const Cri__AttachRequest *request, char **ret_url, struct err **err);
        int (*port_forward)(void *data, const Cri__PortForwardRequest *request, char **ret_url, struct err **err);
        void *data;
};
void cri_set_streaming(struct cri *cri, const struct cri_streaming *streaming); /* kept by pointer; NULL: none */
