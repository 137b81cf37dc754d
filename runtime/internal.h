/* What the agent's side of runtime/ shares among its files. */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "lib/list.h"
#include "runtime/container.h"
#include "runtime/plan/plan.h"
#include "lib/table.h"
#include "runtime/runtime.h"
#include "runtime/sandbox.h"
#include "runtime/wire.h"

#define CLIENT_TIMEOUT_SECONDS 120 /* a shim answers at once; a container's root may be on a slow disk */
#define HINT_SIZE_MAX (64 * 1024)

LIST_TYPE(kept_sandboxes);

struct runtime {
        char *run_dir;
        int sandboxes_fd; /* RUN/sandboxes */
        int shim_fd;      /* the program, in a read-only mount of its own */
        int template_fd;  /* the mount namespace that shims start in */
        int proc_fd;
        pthread_mutex_t lock; /* of what is kept */
        struct kept_sandboxes kept;
        struct table kept_by_id;
};

/* 0, or -EINVAL: an id is a plain file name of [A-Za-z0-9_.-]. */
int runtime_check_id(const char *what, const char *id, struct err **err);

/* RUN/sandboxes/ID, or -ENOENT. */
int runtime_open_sandbox(struct runtime *runtime, const char *id, int *ret_dir, struct err **err);

/* kept.c: a terminal's master, the writing end of a standard input or the reading end of a FIFO, held so that they, and
 * what is in them, outlive the shim and the container. */
#define KEPT_INPUT (WIRE_R_MASTER | WIRE_R_STDIN) /* what containers read from, and shims are given again */
#define KEPT_STDOUT (1u << 30)
#define KEPT_STDERR (1u << 31)
#define KEPT_OUTPUT (KEPT_STDOUT | KEPT_STDERR)

/* Takes @fd over; replaces one of the same container and kind. @flags has one kind, and may have others of WIRE_R_*. */
void runtime_keep(struct runtime *runtime, const char *sandbox, const char *id, uint32_t flags, int fd);
/* The container's FIFOs, by their names in the sandbox's directory @dir. */
void runtime_keep_output(struct runtime *runtime, const char *sandbox, int dir, const char *id);
/* A duplicate of one of these kinds, or -EBADF. */
int runtime_kept(struct runtime *runtime, const char *sandbox, const char *id, uint32_t kinds);
/* All of the sandbox with @id NULL. */
void runtime_forget(struct runtime *runtime, const char *sandbox, const char *id, uint32_t kinds);
void runtime_forget_all(struct runtime *runtime);

/* client.c */
void client_request(struct wire_request *request, enum wire_request_type type, const char *id);
/* @flags: SOCK_NONBLOCK or 0. -ENOENT: there is no such sandbox; -RUNTIME_NO_SHIM: nobody answers; -ENOBUFS: it has too
 * many requests waiting, for CLIENT_TIMEOUT_SECONDS where the socket blocks. */
int client_connect(struct runtime *runtime, const char *sandbox, int flags, int *ret_socket, struct err **err);
/* Sends @request with @plan's bytes and descriptors (NULL: none). */
int client_send(int socket, struct wire_request *request, struct plan *plan, struct err **err);

struct client_reply {
        struct wire_reply head;
        int fd; /* ours, or -EBADF */
};
int client_receive(int socket, struct client_reply *ret_reply, struct err **err);

struct client_exchange {
        struct wire_request *request;
        struct plan *plan;                                    /* NULL: none */
        void (*meanwhile)(void *data);                        /* what can be done while the shim works, or NULL */
        int (*state)(void *data, struct client_reply *reply); /* called for each WIRE_STATE; may take reply->fd */
        void *data;
};

/* Connects, sends, and receives until WIRE_DONE. Warnings are logged with the request's id in front. */
int client_call(struct runtime *runtime, const char *sandbox, const struct client_exchange *exchange, struct err **err);
void client_convert(const struct wire_reply *reply, struct container_state *state);

/* shim_process.c: listens in @dir and starts a shim there. */
int shim_process_start(struct runtime *runtime, const char *id, int dir, pid_t *ret_pid, struct err **err);

/* Ends a shim that was started and could not be set up, with what it started: the process that holds the pod's pid
 * namespace may not be written down yet, and would outlive it. */
void shim_process_kill(pid_t pid);

/* hint.c: RUN/sandboxes/ID/CID/state, what a new shim must know to take a container up; texts are allocated. */
struct runtime_hint {
        pid_t pid;
        uint64_t start_ticks; /* tells the process from another of the same number */
        uint64_t started_at;
        uint64_t join_flags;
        uint32_t pid_mode;
        bool terminal;
        char *log_path;
        uint64_t log_max_size;
        uint32_t log_max_files;
        char *cgroup; /* directory for CLONE_INTO_CGROUP, or NULL */
        char *tasks[SPEC_CGROUPS_MAX];
        size_t n_tasks;
};
int hint_write(int dir, const char *id, const struct runtime_hint *hint, struct err **err);
int hint_read(int dir, const char *id, struct runtime_hint *ret_hint, struct err **err);
void hint_clear(struct runtime_hint *hint);
#define _cleanup_hint_ __attribute__((cleanup(hint_clear)))
/* The path a descriptor was opened by, allocated; NULL when unknown. */
char *hint_fd_path(int fd);
/* The start time of a process, also of a zombie; 0: there is none. */
uint64_t hint_start_ticks(pid_t pid);

/* fifo.c */
/* Makes the FIFO in RUN/sandboxes/ID/CID, and opens it. The container's end is open for both directions, so
 * that a write never fails for want of a shim. */
struct fifo {
        const char *name;
        uint32_t uid, gid; /* its owner */
        int read, write;   /* made */
};
int fifo_make(int dir, const char *id, struct fifo *fifo, struct err **err);
/* Opens one that is there, O_RDONLY or O_RDWR, without blocking. */
int fifo_open(int dir, const char *id, const char *name, int flags, int *ret_fd);
/* Beside them, what the writer of the log has under way; made where it is not there yet, emptied with O_TRUNC. */
int fifo_journal(int dir, const char *id, int flags, int *ret_fd, struct err **err);
int fifo_remove_all(int dir, const char *id);

/* sandbox_setup.c */
struct sandbox_join {
        int net_fd, ipc_fd, uts_fd, user_fd, shm_fd, holder_fd; /* existing ones, or -EBADF: new as the spec says */
};
#define SANDBOX_JOIN_NONE ((struct sandbox_join){ -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF })
int sandbox_setup(struct runtime *runtime, const char *id, const struct sandbox_spec *spec,
                  const struct sandbox_join *join, struct sandbox_info *ret_info, struct err **err);
int sandbox_pin_netns(struct runtime *runtime, const char *id, pid_t pid, struct err **err);
/* The pid of RUN/sandboxes/ID/NAME, "pid start_ticks", if it is that process still, else 0. */
pid_t sandbox_read_pid(int dir, const char *name);
