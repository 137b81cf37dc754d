/* What the files of this room share. Nobody else includes it. */
#pragma once

#include "agent/container/container.h"
#include "agent/op/op.h"
#include "agent/pod/files.h"
#include "agent/pod/hint.h"
#include "agent/pod/worker.h"
#include "kube/pod/status.h"

/* The pod's states, from its beginning to its end; agent/pod/worker.c has the table. */
enum worker_state {
        WORKER_NEW,
        WORKER_GATHERING,        /* what the API service has for it */
        WORKER_PREPARING,        /* directories, cgroup, volumes: on the pool */
        WORKER_SANDBOX,          /* RunPodSandbox */
        WORKER_WAITING,          /* one of these two failed; again at retry_at */
        WORKER_JOINING,          /* what cri says of the sandbox is taken up */
        WORKER_RUNNING,          /* containers are started and restarted */
        WORKER_RESTARTING,       /* RestartAllContainers: containers end */
        WORKER_CLEARING,         /* they are removed, then all start again */
        WORKER_RENEWING,         /* the sandbox died: containers end */
        WORKER_RENEW_STOPPING,   /* StopPodSandbox of the dead one */
        WORKER_RENEW_REMOVING,   /* RemovePodSandbox; then it is made anew */
        WORKER_STOPPING,         /* all containers end */
        WORKER_STOPPING_SANDBOX, /* StopPodSandbox */
        WORKER_RELEASING,        /* volumes and cgroup go: on the pool */
        WORKER_RESTING,          /* ended; dead containers stay for their logs until the pod is deleted */
        WORKER_DISCARDING,       /* RemovePodSandbox, though it is not deleted: it was evicted, or the disk is short */
        WORKER_DROPPING,         /* an evicted pod's logs go: on the pool */
        WORKER_REMOVING,         /* RemovePodSandbox */
        WORKER_SWEEPING,         /* the pod's directory and logs go: on the pool */
        WORKER_GONE,
        _WORKER_STATES,
};

enum worker_event {
        WORKER_EVENT_NONE,
        WORKER_EVENT_START,
        WORKER_EVENT_TAKE_UP, /* it has a sandbox from before the agent's start */
        WORKER_EVENT_REJECT,
        WORKER_EVENT_OK,     /* what the state waits for was done */
        WORKER_EVENT_FAILED, /* or failed; worker->failure says why */
        WORKER_EVENT_TICK,   /* a container changed, or time passed */
        WORKER_EVENT_STOP,   /* the pod is over, deleted or not */
        WORKER_EVENT_DISCARD,
        _WORKER_EVENTS,
};

/* What is wanted of the pod; it never goes back. */
enum worker_goal {
        WORKER_TO_RUN,
        WORKER_TO_END, /* its verdict says why */
        WORKER_TO_GO,  /* it was deleted */
};

/* Why the pod has failed, other than by its containers' ends. */
enum worker_verdict {
        WORKER_NO_VERDICT,
        WORKER_REJECTED,  /* by the node: nothing of it was ever made */
        WORKER_TOO_LATE,  /* activeDeadlineSeconds are over */
        WORKER_EVICTED,   /* for a limit of its own */
        WORKER_DISRUPTED, /* evicted for the node's shortage */
        WORKER_PREEMPTED, /* for a critical pod */
        WORKER_SHUT_DOWN, /* the host goes down */
};

/* Where worker_step() is: it may be called from within itself, and looks again then. */
enum worker_stepping { WORKER_AT_REST, WORKER_STEPS, WORKER_STEPS_AGAIN };

/* Its volumes, when what the API service has for it changes. */
struct worker_update {
        bool due, runs;
        int64_t retry_at; /* NODE_NEVER: none */
};

/* A change of its resources (agent/pod/resize.c). */
struct worker_resize {
        size_t phase;               /* under way; 0: nothing is */
        bool overtaken;             /* more was allocated meanwhile: all of it is to be looked at again */
        int64_t retry_at;           /* one that failed; NODE_NEVER: none did */
        struct pod *wanted;         /* what the source of the pod says; the worker's pod is what was allocated of it */
        struct pod *before;         /* what it may still hold of the node, until the change is made; NULL: no more */
        struct pod_files_size size; /* of its cgroup */
        struct pod_resize pending, in_progress;
        char *pending_message, *error; /* of these; owned */
};

struct worker {
        struct worker_node *node;
        struct pod *pod;
        enum worker_state state;
        enum worker_goal goal;
        enum worker_stepping stepping;
        struct op_owner ops; /* the pod's and its containers' */
        struct op_scope scope;
        struct err *failure; /* of WORKER_EVENT_FAILED */
        void *owner;         /* the caller's own */

        struct member_sandbox sandbox;
        bool sandbox_ready;
        uint32_t sandbox_attempt; /* of the next one */
        struct dns_choice *dns;   /* NULL: cri knows it from before */

        struct member_host host;
        struct member **members; /* init containers, then containers, then ephemeral ones, in the spec's order */
        size_t n_members, n_init, n_lasting; /* all; init containers; these and containers */
        bool initialized;                    /* all init containers have done their part */

        struct worker_update update;
        struct worker_resize resize;
        bool lacks_files; /* its preparation failed: perhaps for what the API service has not yet */

        int64_t retry_at;      /* NODE_NEVER: none */
        int64_t wake, timer;   /* when it looks again: found by the step under way; as last set */
        int64_t start_time;    /* when the agent first saw it */
        int64_t deadline;      /* of activeDeadlineSeconds; NODE_NEVER: none */
        int64_t stop_deadline; /* of the grace period; set while containers end */
        int64_t restarted_at;  /* the last RestartAllContainers; 0: none */
        int64_t own_grace;     /* seconds of its end, as an eviction or the API has it; 0: as its spec has it */

        enum worker_verdict verdict;
        const char *reason; /* of the verdict; a literal, or @own_reason */
        char *own_reason;   /* NULL: none */
        char *message;      /* likewise; owned */
        struct worker_mark mark;
        struct hint hint;

        struct pod *told;                      /* of which @status has texts; a reference */
        struct pod_container_status *statuses; /* n_members, in members' order; of @status */
        struct pod_status status;
        bool has_status;
};

/* worker.c */
void worker_event(struct worker *w, enum worker_event event);

/* look.c */
void worker_step(struct worker *w); /* looks at everything again; may be called from anywhere */
void worker_say(struct worker *w, bool warning, const char *reason, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* The pod is over: phase Failed. @message is taken. */
void worker_judge(struct worker *w, enum worker_verdict verdict, const char *reason, char *message);

static inline int64_t worker_now(const struct worker *w) {
        return node_now(&w->node->world);
}

static inline void worker_wake_at(struct worker *w, int64_t time) {
        w->wake = node_earlier(w->wake, time);
}

/* steps.c: what is done on entering a state that takes time. Each returns what came of it at once. */
enum worker_event worker_prepare(struct worker *w);
enum worker_event worker_run_sandbox(struct worker *w);
enum worker_event worker_join_sandbox(struct worker *w);
enum worker_event worker_stop_sandbox(struct worker *w);
enum worker_event worker_remove_sandbox(struct worker *w);
enum worker_event worker_release(struct worker *w);
enum worker_event worker_drop_logs(struct worker *w);
enum worker_event worker_sweep(struct worker *w);

/* sources.c */
enum worker_event worker_gather(struct worker *w);
bool worker_has_gathered(const struct worker *w); /* or it has waited long enough */
void worker_update_volumes(struct worker *w);     /* if that is due */

/* order.c: which container is next, and whether the pod is over. */
void worker_start_next(struct worker *w);
bool worker_is_finished(const struct worker *w);
void worker_tick_members(struct worker *w); /* and stops those whose turn to end has come */
void worker_probe_members(struct worker *w);
bool worker_members_stopped(const struct worker *w);
bool worker_ends_members(const struct worker *w);  /* in its state, all containers are to end */
bool worker_wants_restart(const struct worker *w); /* RestartAllContainers */
bool worker_may_restart(struct worker *w);         /* not too soon after the last one */
bool worker_clear_members(struct worker *w);       /* removes all containers, step by step; true: they are */

/* update.c */
size_t worker_count_members(const struct pod *pod);
/* The members of @pod, those that the worker has and new ones. -ENOMEM: the new ones are gone again. */
int worker_make_members(struct worker *w, const struct pod *pod, struct member **ret_members);
void worker_set_deadline(struct worker *w);
int worker_adopt(struct worker *w, struct pod *pod); /* it is the worker's from here on; -ENOMEM */

/* resize.c: brings what runs to the size that it is to have. True: containers may start. */
bool worker_resize(struct worker *w);
void worker_end_resize(struct worker *w); /* frees what it has */

/* host.c: the pod as its containers see it */
extern const struct member_host_ops worker_host_ops;
int64_t worker_grace(const struct worker *w); /* seconds, as the manifest or an eviction says; may be 0 */

/* userns.c: blocks of ids for pods with hostUsers: false */
bool worker_take_userns(struct worker *w, int wanted); /* @wanted: a block known from before, or -1 for any */
void worker_give_userns(struct worker *w);

/* request.c: CRI's message of the pod's sandbox; everything in @arena or the pod. NULL with *err. */
Cri__PodSandboxConfig *worker_sandbox_config(struct arena *arena, const struct worker *w, struct err **err);

/* status.c: -ENOMEM leaves the status of before. */
int worker_update_status(struct worker *w);
