/* The packets between the agent and a shim, over RUN/sandboxes/ID/shim.sock (SOCK_SEQPACKET).
 *
 * A request is one struct wire_request, with a plan behind it or in a memfd; its descriptors come with it, those beyond
 * what one packet takes in WIRE_FDS packets before it. Answers are struct wire_reply packets: states and warnings, then
 * one WIRE_DONE. A connection that asked for WIRE_SUBSCRIBE gets WIRE_STATE packets until it is closed.
 *
 * Both ends belong to one installation, but a shim outlives the agent that started it: an agent must speak with shims
 * of the version before it. Fields are only ever added at the end of the structs, and a shim takes a longer or shorter
 * request, with zeros for what is missing.
 *
 * Only libc and system calls: linked into the static shim too.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/runtime.h"

#define WIRE_MAGIC 0x6e636c31
#define WIRE_PACKET_MAX (96 * 1024)
#define WIRE_PACKET_FDS 250 /* SCM_MAX_FD is 253 */
#define WIRE_TEXT_MAX 512
#define WIRE_LOG_NAME_MAX 256

enum wire_request_type {
        WIRE_FDS,
        WIRE_SETUP, /* the plan is walked by the shim itself */
        WIRE_START,
        WIRE_EXEC, /* the connection stays, for WIRE_EXEC_KILL, until its end: warnings, and WIRE_EXITED or, when it did
                    * not start, WIRE_DONE */
        WIRE_EXEC_KILL,
        WIRE_ADOPT,
        WIRE_REAPED, /* the agent tells how an adopted container ended */
        WIRE_KILL,
        WIRE_RESIZE,
        WIRE_REOPEN_LOG,
        WIRE_ATTACH,
        WIRE_CLOSE_STDIN,
        WIRE_LIST, /* id empty: all; the fds of a terminal or standard input come with each state, if WIRE_F_FDS */
        WIRE_SUBSCRIBE,
        WIRE_DELETE,
        WIRE_SHUTDOWN,
        WIRE_REQUESTS,
};

enum wire_reply_type { WIRE_DONE, WIRE_STATE, WIRE_WARNING, WIRE_EXITED };

enum wire_phase { WIRE_PHASE_RUNNING, WIRE_PHASE_EXITED }; /* as enum container_phase */

enum {
        WIRE_F_TERMINAL = 1 << 0,
        WIRE_F_STDIN_ONCE = 1 << 1,
        WIRE_F_HOLDER = 1 << 2, /* WIRE_SETUP: a pid namespace for all containers */
        WIRE_F_FDS = 1 << 3,
        WIRE_F_SHM = 1 << 4,       /* WIRE_SETUP: shm_size counts */
        WIRE_F_CGROUP_NS = 1 << 5, /* WIRE_START: the container has a cgroup namespace of its own */
        WIRE_F_HELPER = 1 << 6,    /* WIRE_EXEC: a program of the host; with an id, one that works on that container */
        WIRE_F_CHILD = 1 << 7,     /* WIRE_ADOPT: the process is the shim's own child */
};

struct wire_request {
        uint32_t magic;
        uint16_t type;
        uint16_t size;  /* of this struct, as the sender knows it */
        uint32_t n_fds; /* in all packets of this request */
        uint32_t flags;
        uint32_t plan_size;
        int32_t plan_fd;      /* index of the memfd that holds the plan; -1: it is behind this struct */
        uint64_t clone_flags; /* WIRE_START: for clone3(); WIRE_EXEC: unused */
        uint32_t pid_mode;    /* enum namespace_mode */
        int32_t cgroup_fd;    /* index, for CLONE_INTO_CGROUP */
        int32_t tasks_fd;     /* index of the first of n_tasks files to write "0" to */
        uint32_t n_tasks;
        int32_t user_fd;  /* index of the pod's or container's user namespace */
        int32_t stdin_fd; /* indexes of the shim's ends; stdin_fd is to write to. With a terminal, stdout_fd is the
                             master */
        int32_t stdout_fd;
        int32_t stderr_fd;
        int32_t log_dir_fd;
        uint32_t log_max_files;
        uint64_t log_max_size;
        uint64_t shm_size;
        int32_t signal;
        uint16_t rows, columns;
        int32_t pid; /* WIRE_ADOPT, WIRE_REAPED */
        int32_t pid_fd;
        int32_t exit_code;
        int32_t exit_signal;
        uint64_t started_at;
        uint64_t exited_at;
        char id[RUNTIME_ID_MAX];
        char target[RUNTIME_ID_MAX];
        char log_name[WIRE_LOG_NAME_MAX];
        int32_t shm_fd;     /* WIRE_SETUP: an existing /dev/shm, as a detached mount */
        int32_t holder_fd;  /* WIRE_SETUP: pidfd of an existing holder */
        int32_t late_task;  /* WIRE_START: which of the tasks files the plan writes itself; their number: it joins
                               cgroup_fd; -1: none */
        int32_t journal_fd; /* of the log's writer: kept beside the FIFOs for the next shim */
        int32_t relay_fd;   /* a FIFO, open both ways, that a terminal's output goes through to the log */
};

struct wire_reply {
        uint32_t magic;
        uint16_t type;
        uint16_t size;
        int32_t code;   /* positive errno of a failure, 0: success */
        uint32_t phase; /* enum wire_phase */
        int32_t pid;
        int32_t exit_code;
        int32_t exit_signal;
        uint32_t flags; /* WIRE_R_* */
        uint64_t started_at;
        uint64_t exited_at;
        char id[RUNTIME_ID_MAX];
        char text[WIRE_TEXT_MAX];
        int32_t holder_pid; /* WIRE_SETUP: of the pod's pid namespace, 0: none */
};

enum {
        WIRE_R_ADOPTED = 1 << 0, /* a child of the agent (or of init), not of the shim */
        WIRE_R_MASTER = 1 << 1,  /* the descriptor with this reply is a terminal's master */
        WIRE_R_STDIN = 1 << 2,   /* ... the writing end of the standard input */
};

/* A packet to send: @head and, behind it, @tail, with up to WIRE_PACKET_FDS descriptors. */
struct wire_packet {
        const void *head, *tail;
        size_t head_size, tail_size;
        const int *fds;
        size_t n_fds;
};

/* Sends one packet. 0 or a negative errno; never SIGPIPE. */
int wire_send(int socket, const struct wire_packet *packet);

/* Receives one packet. Its descriptors are appended to @fds, which has room for @max of which *@n_fds are used (the
 * others are closed, and -E2BIG returned). Returns its size, 0 at the end of the connection, or a negative errno. */
ssize_t wire_receive(int socket, void *data, size_t size, int *fds, size_t max, size_t *n_fds);
