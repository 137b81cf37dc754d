/* Containers of a pod, over its shim. Blocking functions for the pool; each opens its own short connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/runtime.h"
#include "runtime/spec.h"

/* A container's standard streams. */
struct container_io {
        bool stdin_open;        /* attach can write to it; else it is /dev/null */
        bool stdin_once;        /* ends with the first attach */
        const char *log_path;   /* host path of the CRI log, its directory exists; NULL: output is dropped */
        uint64_t log_max_size;  /* rotate beyond so many bytes; 0: never */
        unsigned log_max_files; /* kept in all, at least 2 */
};

enum container_phase { CONTAINER_RUNNING, CONTAINER_EXITED };

struct container_state {
        char id[RUNTIME_ID_MAX];
        enum container_phase phase;
        pid_t pid;           /* in the host's pid namespace; 0 once exited */
        uint64_t started_at; /* nanoseconds since 1970 */
        uint64_t exited_at;  /* 0 while running */
        int exit_code;       /* 0..255; 128 + signal when a signal ended it; -1: nobody could know any more */
        int signal;          /* that ended it, else 0 */
};

/* Makes the container's root and mounts, starts its process and returns when execve() has worked. A failure is a
 * sentence about the stage it came from: `exec "/bin/foo": no such file or directory`. -EEXIST: the shim knows this id
 * already; -ENOENT: no shim; the code of execve() is passed on (ENOENT, EACCES, ENOEXEC).
 * What failed softly (an oom_score_adj or rlimit that this agent may not set) is logged as a warning. */
int container_start(const struct container_at *at, const struct container_spec *spec, const struct container_io *io,
                    struct container_state *ret_state, struct err **err);

/* All containers the shim knows; an array of @ret_n, free() it. -ENOENT: no shim. */
int container_list(struct runtime *runtime, const char *sandbox, struct container_state **ret_states, size_t *ret_n,
                   struct err **err);

/* -ENOENT: the shim knows no such container. */
int container_status(struct runtime *runtime, const char *sandbox, const char *id, struct container_state *ret_state,
                     struct err **err);

/* Sends @signal to the first process. -ESRCH: it has exited; -ENOENT: no such container. Never hits another process
 * that got the number in the meantime (pidfd). */
int container_kill(struct runtime *runtime, const char *sandbox, const char *id, int signal, struct err **err);

/* Sets the terminal's size. -ENOTTY: the container has none. */
int container_resize(struct runtime *runtime, const char *sandbox, const char *id, uint16_t rows, uint16_t columns,
                     struct err **err);

/* Opens the log anew at its path (after somebody else renamed it). */
int container_reopen_log(struct runtime *runtime, const char *sandbox, const char *id, struct err **err);

/* From now on, copies what the container writes to @stdout_fd and @stderr_fd as well (pipes; -EBADF: not wanted; with a
 * terminal all goes to @stdout_fd). The shim gets its own descriptors; the caller's stay the caller's, and should be
 * closed after this call so that the readers see the end. A reader that is slower than the container by more than its
 * pipe holds is cut off; closing the read ends detaches. @ret_stdin is a descriptor to write the container's input to
 * (-EBADF: it has none; the terminal itself with a tty), the caller's to close. */
int container_attach(const struct container_at *at, int stdout_fd, int stderr_fd, int *ret_stdin, struct err **err);

/* With stdin_once, after an attached client's input has ended: the container reads an end of file. */
int container_close_stdin(struct runtime *runtime, const char *sandbox, const char *id, struct err **err);

/* Forgets an exited container and removes its FIFOs; -EBUSY while it runs. Fine when the shim or container is gone. */
int container_delete(struct runtime *runtime, const char *sandbox, const char *id, struct err **err);
