/* The objects behind the services, for cri's own files. All of it belongs to the loop's thread; a pool job reads only
 * what does not change while its call has the sandbox's turn, or what is its own.
 */
#pragma once

#include "cri/cri.h"
#include "cri/record.pb-c.h"
#include "cri/state/message.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/list.h"
#include "lib/pool.h"
#include "lib/table.h"

struct cgroups;
struct cri_call;
struct cri_container;
struct cri_node;
struct cri_streaming;
struct cri_sync;
struct end_job;
struct image_store;
struct network;
struct cgroup_oom_watcher;
struct recovery;
struct runtime;
struct seccomp_filter;
struct shim_watch;

/* Calls that wait, those under way, and who hears of events. */
LIST_TYPE(cri_queue);
LIST_TYPE(cri_calls);
LIST_TYPE(cri_subscriptions);

struct cri_sandbox {
        struct table_node by_id, by_name;
        struct cri_sandbox *older, *newer;
        struct cri *cri;
        unsigned refs;
        struct arena *arena;           /* of all texts below */
        const Record__Sandbox *record; /* without its config */
        const Cri__PodSandboxConfig *config;
        const char *id;
        const char *const *ips;
        size_t n_ips;
        const char *cgroup;
        bool ready;
        bool hidden;               /* being made: its id and name are taken, but nobody may see it */
        bool removed;              /* out of the tables; lives until the last reference goes */
        struct recovery *recovery; /* its shim died, a new one is being started */
        uint64_t recovered;        /* when, by uv_now() */
        unsigned recoveries;       /* in a row: each soon after the one before */
        bool starting;             /* a container, through the shim: recovery waits for its end */
        struct cri_queue awaiting; /* calls that go on when recovery has ended */
        uv_timer_t *await_timer;   /* of those that wait for a recovery to begin; NULL until some did */
        struct shim_watch *watch;
        pid_t shim_pid;
        struct cri_container *containers; /* oldest first, by next_in_sandbox */
        unsigned execs;                   /* under way in them */
        struct cri_call *turn;            /* who works on it */
        struct cri_queue waiting;         /* who is next */
        uint64_t cpu_ns, cpu_time;        /* of the last stats */
};

enum container_phase_cri { CRI_PHASE_CREATED, CRI_PHASE_STARTING, CRI_PHASE_RUNNING, CRI_PHASE_EXITED };

/* Waits for a container's end. */
struct cri_waiter {
        struct list_node in_waiters;
        void (*ended)(struct cri_waiter *waiter);
};

LIST_DEFINE(cri_waiters, struct cri_waiter, in_waiters)

struct cri_container {
        struct table_node by_id, by_name;
        struct cri_container *older, *newer, *next_in_sandbox;
        struct cri_sandbox *sandbox; /* a reference */
        unsigned refs;
        struct arena *arena;
        const Record__Container *record; /* without its config and resources */
        const Cri__ContainerConfig *config;
        const Cri__LinuxContainerResources *resources; /* of the last update, else config's; may be NULL */
        struct arena *resources_arena;                 /* of the last update */
        const char *id;
        const char *cgroup;
        enum container_phase_cri phase;
        bool hidden; /* being made */
        bool removed;
        bool ending;     /* its exit is being written down */
        bool exit_known; /* it ended while its start was still under way: see exit_* */
        bool watched;    /* by the OOM watcher */
        struct end_job *end_job;
        pid_t pid;
        int64_t started_at, finished_at;
        int exit_code;
        const char *reason; /* a constant */
        char *message;      /* allocated */
        uint64_t oom_kills;
        bool seccomp_known;
        const struct seccomp_filter *seccomp;
        struct cri_waiters waiters;
        uint64_t cpu_ns, cpu_time;
        uint64_t layer_bytes, layer_inodes, layer_time; /* of the writable layer, when measured */
};

struct cri {
        uv_loop_t *loop;
        struct pool *pool;
        struct arena *arena; /* of the options' texts */
        struct cri_options options;
        struct runtime *runtime;
        struct cgroups *cgroups;
        struct network *network;
        struct image_store *images;
        const struct cri_handler *handlers;
        size_t n_handlers;
        struct cgroup_oom_watcher *oom;
        uv_poll_t *oom_poll;
        struct table sandboxes, containers;               /* by id */
        struct table sandbox_names, container_names;      /* reserved */
        struct cri_sandbox *first_sandbox, *last_sandbox; /* by creation */
        struct cri_container *first_container, *last_container;
        struct cri_subscriptions subscriptions;
        unsigned n_subscriptions;
        unsigned telling; /* events are being told: subscriptions stay in the list */
        const struct cri_streaming *streaming;
        const struct cri_node *node;
        struct cri_sync *sync;
        unsigned calls;
        struct cri_calls under_way; /* the same ones */
        struct cri_queue ready;     /* those that waited and may go on */
        bool going_on;              /* they are being called */
        uv_timer_t *ready_timer;    /* when the loop comes first; NULL until that was so */
        unsigned creating;          /* CreateContainer under way: an image may be in use that no container names yet */
        bool restoring;             /* before the loop runs: what would go to the pool is done at once */
        struct cri_counters counters;
        int64_t last_created; /* makes creation times differ */
};

/* Now, in ns since 1970; and the same for a new object, later than every one before. */
int64_t cri_now(void);
int64_t cri_creation_time(struct cri *cri);

/* A random id of CRI_ID_LENGTH hex digits. */
void cri_random_id(char ret_id[CRI_ID_LENGTH + 1]);

/* Makes the object of a record, which is copied, and puts it into the tables with one reference. -EBADMSG: the record
 * is not one; -EEXIST: the id or name is taken, *@err says by whom. */
int cri_sandbox_new(struct cri *cri, const Record__Sandbox *record, struct cri_sandbox **ret_sandbox, struct err **err);
int cri_container_new(struct cri_sandbox *sandbox, const Record__Container *record,
                      struct cri_container **ret_container, struct err **err);

/* Takes it out of the tables and drops the tables' reference. */
void cri_sandbox_remove(struct cri_sandbox *sandbox);
void cri_container_remove(struct cri_container *container);

struct cri_sandbox *cri_sandbox_ref(struct cri_sandbox *sandbox);
struct cri_sandbox *cri_sandbox_unref(struct cri_sandbox *sandbox); /* returns NULL */
struct cri_container *cri_container_ref(struct cri_container *container);
struct cri_container *cri_container_unref(struct cri_container *container);

/* By id, or by a prefix that no other has. -ENOENT as containerd words it; -EINVAL: ambiguous. Not referenced. */
int cri_sandbox_find(struct cri *cri, const char *id, struct cri_sandbox **ret_sandbox, struct err **err);
int cri_container_find(struct cri *cri, const char *id, struct cri_container **ret_container, struct err **err);

/* The whole id that filter @id stands for: a prefix is widened; NULL when nothing matches. */
const char *cri_sandbox_filter_id(struct cri *cri, const char *id);
const char *cri_container_filter_id(struct cri *cri, const char *id);

/* Names as they are reserved; allocated in @arena. */
char *cri_container_name(struct arena *arena, const Cri__ContainerMetadata *metadata,
                         const Cri__PodSandboxMetadata *pod);

Cri__ContainerState cri_container_state(const struct cri_container *container);
const char *cri_container_reason(const struct cri_container *container);

/* Security contexts and namespace options; never NULL (an empty one for none). */
const Cri__LinuxSandboxSecurityContext *cri_sandbox_security(const Cri__PodSandboxConfig *config);
const Cri__NamespaceOption *cri_sandbox_namespaces(const Cri__PodSandboxConfig *config);
const Cri__LinuxContainerSecurityContext *cri_container_security(const Cri__ContainerConfig *config);
const Cri__NamespaceOption *cri_container_namespaces(const Cri__ContainerConfig *config);
bool cri_sandbox_host_network(const struct cri_sandbox *sandbox);

static inline bool text_empty(const char *text) {
        return !text || !*text;
}
