/* Further processes in a running container. Asynchronous, on the loop: no thread is held while one runs.
 *
 * The caller makes the pipes or the terminal; the process gets them directly, the shim never copies exec output.
 */
#pragma once

#include <uv.h>

#include "runtime/runtime.h"
#include "runtime/spec.h"

struct exec;

struct exec_result;

struct exec_spec {
        const struct process_spec *process; /* oom_score_adj and rlimits as the container's */
        /* Descriptors for 0, 1 and 2 (borrowed: duplicated before exec_start() returns), -EBADF: /dev/null. With
         * process->terminal, @terminal_fd is the slave that becomes the controlling terminal and all three. */
        int stdin_fd, stdout_fd, stderr_fd;
        int terminal_fd;
        /* Called once, on the loop; the exec is freed after it returns. */
        void (*done)(void *data, const struct exec_result *result);
        void *data;
};

struct exec_result {
        int exit_code; /* 0..255; 128 + signal when a signal ended it; -1 when the shim died */
        int signal;
        const struct err
                *err; /* it could not be started, or the shim died; NULL otherwise. The callee's to read only */
};

void exec_spec_init(struct exec_spec *spec);

/* -ENOENT: no shim; -ENOBUFS: more are executed than it takes. On failure done() is not called. What the shim finds (no
 * such container, it does not run, no such program) comes as the result's error. */
int exec_start(uv_loop_t *loop, const struct container_at *at, const struct exec_spec *spec, struct exec **ret_exec,
               struct err **err);

/* Sends SIGKILL to the process and all of its session; done() comes as usual. */
void exec_kill(struct exec *exec);

/* Kills it and frees @exec without calling done(). NULL is fine. */
void exec_cancel(struct exec *exec);

struct exec_terminal {
        pid_t pid;              /* the container's process, in whose /dev/pts it is made; 0: in the host's */
        uint32_t uid;           /* its owner on the host, as of a login's terminal */
        uint16_t rows, columns; /* 0: unset */
};

/* Makes a terminal: @ret_master for the caller, @ret_slave for exec_spec.terminal_fd. Does not block, whatever the
 * container has mounted. */
int exec_open_terminal(const struct container_at *at, const struct exec_terminal *terminal, int *ret_master,
                       int *ret_slave, struct err **err);
