/* The shim: one small process a pod, parent of its containers.
 *
 * One thread, one epoll loop. Everything it touches comes as a descriptor: it opens no path of the host, and its mount
 * namespace holds nothing but a null device, an empty directory and the pod's /dev/shm. What ends is told by SIGCHLD
 * through a signalfd and collected by waitpid(), so that descendants of containers in the host's pid namespace are
 * reaped as well. Nothing that the agent does, or does not read, blocks it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "logs/writer.h"
#include "runtime/init/init.h"
#include "runtime/wire.h"

#define SHIM_CONTAINERS_MAX 512
#define SHIM_EXECS_MAX 1024                         /* at once, in all containers */
#define SHIM_CONNECTIONS_MAX (SHIM_EXECS_MAX + 256) /* an exec's is there until its end; the rest is for requests */
#define SHIM_CONNECTIONS_OWN 4                      /* that have their place in the shim itself */
#define SHIM_FDS_MAX 4500                           /* in one request */
#define SHIM_TASKS_MAX 20
#define SHIM_TAPS_MAX 128    /* outputs that are attached to, at once of one container: two each for 64 clients */
#define SHIM_QUIT_SECONDS 10 /* how long killed processes are waited for at the end */

/* Something in the epoll set; embedded. */
struct shim_source {
        void (*ready)(struct shim_source *source, uint32_t events);
        int fd; /* -EBADF: not in the set */
};

struct shim {
        int epoll_fd;
        int proc_fd;
        int user_fd;    /* the pod's user namespace, or none */
        int own_pid_fd; /* the shim's own pid namespace, to come back to */
        int holder_fd;  /* pidfd of the holder of the pod's pid namespace, or none */
        struct shim_source listener;
        struct shim_source signals;
        int spare_fd; /* given up for a moment to refuse who comes when there are no descriptors left */
        struct connection *connections;
        unsigned n_connections, n_execs;
        struct container *containers;
        unsigned n_containers;
        struct container *dead_containers; /* until the end of the turn: an event of this turn may still name them */
        struct logs_arena arena;
        struct connection *quitter; /* asked for the end, and waits for it */
        bool quitting;              /* until the last child has gone */
        bool quit;
};

/* A further process. */
struct exec {
        struct connection *connection;
        pid_t pid;
        int pid_fd;
        bool helper; /* a program of the host */
};

/* A request under way or an exec or a subscriber. */
struct connection {
        struct shim_source source;
        struct connection *next;
        struct shim *shim;
        bool subscribed;
        bool dead;                  /* to be freed at the end of the turn */
        struct container *starting; /* this connection waits for its start */
        struct exec *exec;          /* own_exec while it is under way */
        struct exec own_exec;
        int *fds; /* of WIRE_FDS packets, until the request comes */
        size_t n_fds;
};

struct tap {
        struct shim_source source;   /* tells when the reader has gone; level of the pipe is not waited for */
        struct container *container; /* NULL: free */
        enum logs_stream_name name;
};

struct stream {
        struct shim_source source;
        struct container *container;
        struct logs_stream log;
};

struct container {
        struct container *next;
        struct shim *shim;
        struct wire_reply state;
        struct shim_source report;  /* while it starts */
        struct shim_source adopted; /* pidfd of one that another shim started */
        struct connection *starter; /* NULL: gone, or not starting */
        bool running;               /* execve() has worked */
        bool failed;                /* it told why it could not start: the starter is told when it has gone */
        bool exited;
        struct init_report failure;
        int pid_fd;
        int stdin_fd, master_fd;
        int relay_fd;        /* the terminal's */
        uint64_t join_flags; /* for an exec: namespaces that are the container's own */
        bool own_pid;
        int tasks[SHIM_TASKS_MAX];
        unsigned n_tasks;
        int cgroup_fd;
        struct stream streams[2];
        struct logs_writer writer;
        struct tap *taps; /* SHIM_TAPS_MAX, mapped while somebody is attached */
        unsigned n_taps;
};

/* A request with what came with it. The fds are closed after the handler but for those set to -EBADF. */
struct shim_request {
        struct wire_request head;
        const char *plan;
        int *fds;
        size_t n_fds;
};

/* loop.c */
int shim_source_add(struct shim *shim, struct shim_source *source, int fd, uint32_t events);
void shim_source_rearm(struct shim *shim, struct shim_source *source,
                       uint32_t events);                               /* told again of what is there already */
void shim_source_close(struct shim *shim, struct shim_source *source); /* out of the set, and closes its fd */
void *shim_map(size_t size);                                           /* zeroed pages of their own, given back whole */
void shim_unmap(void *p, size_t size);
uint64_t shim_now(void);
void shim_reap(struct shim *shim);
int shim_run(struct shim *shim);

/* memory.c: zeroed; NULL without memory */
struct container *shim_container_alloc(void);
void shim_container_discard(struct container *container);
struct connection *shim_connection_alloc(struct shim *shim);
void shim_connection_discard(struct connection *connection);
void shim_stack_release(void); /* what callers before have used of the stack */

/* receive.c */
void shim_connection_accept(struct shim_source *source, uint32_t events);
/* The descriptor of index @index, which the caller keeps from now on; -EBADF for -1. */
int shim_request_take(struct shim_request *request, int index);
int shim_request_peek(const struct shim_request *request, int index);

/* connection.c */
/* Does what is asked, and answers. */
void shim_request_serve(struct connection *connection, struct shim_request *request);
void shim_close_all(const int *fds, size_t n); /* but those that are -EBADF */
void shim_connection_close(struct connection *connection);
void shim_connection_sweep(struct shim *shim);
/* Sends WIRE_DONE with @code and text, and closes but for subscribers and execs. */
void shim_connection_answer(struct connection *connection, int code, const char *text);
void shim_connection_send(struct connection *connection, const struct wire_reply *reply, const int *fds, size_t n_fds);
void shim_publish(struct shim *shim, const struct wire_reply *state);

/* container.c */
struct container *shim_container_find(struct shim *shim, const char *id);
struct container *shim_container_find_pid(struct shim *shim, pid_t pid);
int shim_container_start(struct connection *connection, struct shim_request *request);
/* Whether there may be a new one of that id: 0, a negative errno, or 1 when it was answered. */
int shim_container_check_new(struct connection *connection, const char *id);
struct container *shim_container_new(struct shim *shim, struct shim_request *request); /* NULL without memory */
int shim_container_open_streams(struct container *container, struct shim_request *request);
void shim_container_exited(struct container *container, int status);
void shim_container_reaped(struct container *container, int code, int signal, uint64_t at);
void shim_container_free(struct container *container);
int shim_container_attach(struct connection *connection, struct shim_request *request);
void shim_container_detach_all(struct container *container);

/* adopt.c */
int shim_container_adopt(struct connection *connection, struct shim_request *request);
void shim_container_lost(struct container *container); /* its end is asked of the kernel */

/* exec.c */
int shim_exec_start(struct connection *connection, struct shim_request *request);
void shim_exec_kill(struct exec *exec);
bool shim_exec_exited(struct shim *shim, pid_t pid, int status);

/* spawn.c */
struct spawn {
        uint64_t clone_flags;
        int pid_ns_fd; /* pidfd or namespace whose pid namespace the child lives in; -EBADF: as clone_flags say */
        int join_fd;   /* pidfd to join join_flags of; -EBADF: none */
        int join_flags;
        int cgroup_fd;
        const int *tasks;
        unsigned n_tasks;
        int late_task; /* which of them the plan writes; -1: none */
        int reply_fd;  /* the connection that the child itself tells why it failed; -EBADF: it reports to the shim */
};
/* Clones a child that walks the request's plan. @ret_report (NULL with reply_fd) is the shim's end of the report
 * socket. */
int shim_spawn(struct shim *shim, const struct spawn *spawn, const struct shim_request *request, pid_t *ret_pid,
               int *ret_pid_fd, int *ret_report);
/* Reads one report: 1, 0 at the end (execve() worked, or the child is dead), -EAGAIN. A terminal comes as *@ret_fd. */
int shim_spawn_report(int fd, struct init_report *report, int *ret_fd);

/* setup.c */
int shim_setup(struct connection *connection, struct shim_request *request);

/* Clones process 1 of a pid namespace: it reaps, and ends with the pod. 0 or a negative errno. */
int shim_holder_start(int *ret_pid_fd, pid_t *ret_pid);
