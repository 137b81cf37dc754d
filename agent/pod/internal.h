/* What the files of the worker share. Included by them and by their tests only. */
#pragma once

#include "agent/pod/backoff.h"
#include "agent/pod/op.h"
#include "agent/pod/sync_trace.h"
#include "agent/pod/worker.h"
#include "kube/status.h"
#include "probes/schedule.h"

/* The pod's states; agent/pod/worker.c has the table. */
enum worker_state {
        WORKER_NEW,
        WORKER_PREPARING,  /* directories, cgroup, volumes: on the pool */
        WORKER_SANDBOX,    /* RunPodSandbox */
        WORKER_WAITING,    /* one of them failed; again at retry_at */
        WORKER_RUNNING,    /* containers are started and restarted */
        WORKER_RESTARTING, /* RestartAllContainers: containers end and are removed, then all start again */
        WORKER_RENEWING,   /* the sandbox died: containers end, then it is made anew */
        WORKER_STOPPING,   /* all containers end */
        WORKER_STOPPING_SANDBOX,
        WORKER_RELEASING,  /* volumes and cgroup go: on the pool */
        WORKER_RESTING,    /* ended; dead containers stay for their logs until the pod is deleted */
        WORKER_DISCARDING, /* RemovePodSandbox, though the pod is not deleted: it was evicted, or the disk is short */
        WORKER_DROPPING,   /* an evicted pod's logs go: on the pool */
        WORKER_REMOVING,   /* RemovePodSandbox */
        WORKER_SWEEPING,   /* the pod's directory and logs go: on the pool */
        WORKER_GONE,
        _WORKER_STATES,
};

enum worker_event {
        WORKER_EVENT_START,
        WORKER_EVENT_OK,     /* what the state waits for was done */
        WORKER_EVENT_FAILED, /* or failed; worker->failure says why */
        WORKER_EVENT_TICK,   /* a container changed, or time passed */
        WORKER_EVENT_SANDBOX_DIED,
        WORKER_EVENT_RESTART_ALL,
        WORKER_EVENT_STOP, /* the pod is over, deleted or not */
        WORKER_EVENT_DISCARD,
        _WORKER_EVENTS,
};

/* A container's states; agent/container/container.c has the table. */
enum member_state {
        MEMBER_WAITING,   /* its turn has not come, or it waits for a back-off */
        MEMBER_IMAGE,     /* its image is looked up or pulled */
        MEMBER_PREPARING, /* files and subPaths: on the pool */
        MEMBER_CREATING,
        MEMBER_STARTING,
        MEMBER_POST_START, /* runs; its hook has not ended */
        MEMBER_RUNNING,
        MEMBER_PRE_STOP, /* runs; its hook has not ended */
        MEMBER_TURN,     /* runs; its hook has ended, but not yet those that it serves */
        MEMBER_STOPPING, /* StopContainer */
        MEMBER_EXITED,
        _MEMBER_STATES,
};

enum member_event {
        MEMBER_EVENT_BEGIN, /* it is its turn */
        MEMBER_EVENT_OK,
        MEMBER_EVENT_FAILED,
        MEMBER_EVENT_EXITED, /* its process ended */
        MEMBER_EVENT_STOP,   /* it is to end */
        MEMBER_EVENT_LATE,   /* the hook's time is over */
        _MEMBER_EVENTS,
};

enum member_role { MEMBER_INIT, MEMBER_SIDECAR, MEMBER_MAIN };

/* How a container ended. Strings are owned. */
struct ending {
        bool set;
        char *id, *reason, *message;
        int exit_code;
        int64_t started_at, finished_at; /* ms since 1970 */
};

#define PROBERS 3
struct prober {
        struct member *member;
        const struct pod_probe *spec; /* NULL: no such probe */
        struct schedule schedule;
        struct probe *probe; /* under way */
        uint32_t round;      /* tells a late result from the one waited for */
        bool exec;           /* an exec probe is under way */
};

/* One container of the pod. */
struct member {
        struct worker *worker;
        const struct pod_container *spec;
        enum member_role role;
        enum member_state state;
        uint32_t round; /* counts starts and stops: an operation of an older round is not heard */

        char *id;                /* the newest container; NULL: none was made */
        char *previous_id;       /* the one before it, dead, kept for its log; NULL: none */
        uint32_t restarts;       /* of the newest container: its attempt */
        struct ending end, last; /* of the newest container, of the one before */
        int64_t started_at;

        struct backoff crash, pull;
        int64_t pull_failed_at, retry_at; /* 0: none */
        size_t images_done;               /* of its own image and image volumes */
        bool pulling;
        int64_t pull_began;
        char *image_id;    /* what the image's name stood for */
        char *image_user;  /* NULL or empty: image_uid counts */
        int64_t image_uid; /* as the image has it, whether it is an id or not; 0: none */
        char *log_path;    /* relative to the pod's log directory */

        const char *waiting_reason; /* a literal; NULL: nothing special */
        char *waiting_message;
        bool started; /* postStart done, startup probe passed */
        bool ready;

        bool lost; /* counts as ended well, without a container to show for it */

        bool stop_wanted;
        int64_t stop_deadline;          /* when its grace period ends */
        int64_t hook_deadline;          /* of a hook under way; WORKER_NEVER: none */
        struct probe *hook_probe;       /* an httpGet hook under way */
        bool sleeping;                  /* the hook is a sleep, which ends well when its time is over */
        const char *kill_reason;        /* a literal, for the status; NULL: none */
        struct prober probers[PROBERS]; /* by enum schedule_kind */
};

struct worker {
        struct worker_node *node;
        struct pod *pod;
        enum worker_state state;
        struct op *ops; /* under way */
        struct sync_trace sync_trace;
        bool dead;     /* worker_free() was called */
        bool deleting; /* the pod's end was asked for */
        bool in_step;  /* worker_step() is on the stack */
        bool step_again;
        bool taken_up;
        bool sandbox_ready;
        bool renewing; /* the dead sandbox is being removed */

        char *sandbox_id;
        uint32_t sandbox_attempt; /* of the next one */
        char **ips;
        size_t n_ips;
        char *ips_joined;
        int userns;             /* its block of ids; -1: the host's users */
        struct dns_choice *dns; /* NULL: cri knows it from before */

        struct member *members; /* init containers, then containers, in the spec's order */
        size_t n_members, n_init;
        struct member *starting; /* one at a time, as kubelet starts them */
        bool initialized;        /* all init containers have done their part */

        struct err *failure;
        int64_t retry_at;      /* WORKER_NEVER: none */
        int64_t start_time;    /* when the agent first saw it; ms */
        int64_t deadline;      /* of activeDeadlineSeconds; WORKER_NEVER: none */
        int64_t stop_deadline; /* of the grace period; set while stopping */
        int64_t timer;         /* as last set */
        const char *reason;    /* "DeadlineExceeded", "Evicted"; literals */
        char *message;
        bool terminal;          /* over for a reason other than its containers' ends */
        bool rejected;          /* by the node: nothing of it was ever made */
        int64_t restarted_at;   /* the last RestartAllContainers; 0: none */
        unsigned removals;      /* of its containers under way */
        bool over;              /* its containers ended before the agent was started, and are gone */
        bool limited, watched;  /* worker_has_limits(), worker_begin_watch() */
        bool disrupted;         /* evicted for the node's shortage */
        int64_t eviction_grace; /* seconds; 0: the pod's own */
        uint64_t scanned_ns;    /* its CPU time when its files were counted last */

        struct pod_container_status *statuses; /* n_members, in members' order */
        struct pod_status status;
        bool has_status;
        bool hint_under_way, hint_again, pod_written;
        void *owner;
};

/* worker.c, worker_life.c */
void worker_event(struct worker *w, enum worker_event event);
void worker_step(struct worker *w); /* looks at everything again; may be called from anywhere */
int64_t worker_now(const struct worker *w);
void worker_look_at_sandbox(struct worker *w); /* takes up what cri says of it: ready, addresses */
void worker_forget_ips(struct worker *w);
void worker_enter_stopping(struct worker *w); /* begins the grace period */
void worker_say(struct worker *w, const struct member *m, bool warning, const char *reason, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
void worker_fail(struct worker *w, const char *reason, const char *message); /* the pod is over: phase Failed */

/* worker_order.c: who is next, and whether it is over. @wake is brought forward to the next time that matters. */
struct member *worker_next_start(struct worker *w, int64_t *wake);
bool worker_is_finished(const struct worker *w);
void worker_stop_members(struct worker *w, int64_t *wake); /* those whose turn to end has come */
bool worker_members_stopped(const struct worker *w);
bool worker_others_need(const struct member *m); /* while the pod ends: a sidecar outlives those that it serves */
int64_t worker_grace(const struct worker *w);    /* seconds, as the manifest or an eviction says; may be 0 */

/* worker_restart.c: RestartAllContainers */
bool worker_wants_restart(const struct worker *w);
bool worker_may_restart(struct worker *w, int64_t *wake); /* not too soon after the last one */
void worker_enter_restarting(struct worker *w);
void worker_step_restarting(struct worker *w, int64_t *wake);

/* container.c */
void member_event(struct member *m, enum member_event event);
bool member_runs(const struct member *m); /* has a process, or may have one soon */
void member_set_waiting(struct member *m, const char *reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void member_clear(struct member *m);                                      /* frees what it holds */
void member_condemn(struct member *m, const char *reason, int64_t grace); /* MEMBER_EVENT_STOP comes next */
bool member_should_restart(const struct member *m);                       /* by restartPolicy and exit code */
void member_reset(struct member *m);                                      /* its sandbox is gone: what ran is history */
void member_take_exit(struct member *m, const struct cri_container_info *info);
void member_removed(struct member *m, const char *reason,
                    const char *message); /* its container was, by the pod's doing */
void member_lost(struct member *m);       /* its container's record is gone, and must have ended well */

/* container_image.c, container_start.c, container_stop.c: what the states do */
void member_find_image(struct member *m);
void member_prepare(struct member *m);
void member_create(struct member *m);
void member_start(struct member *m);
void member_post_start(struct member *m);
void member_pre_stop(struct member *m);
void member_stop(struct member *m);
void member_ended(struct member *m); /* reads its termination message, says so */
void member_remove_dead(struct member *m, const char *id, uint32_t attempt);

/* hook.c: runs a lifecycle handler; its end is MEMBER_EVENT_OK, FAILED (with m->worker->failure) or LATE. */
void hook_run(struct member *m, const struct pod_handler *handler, int64_t deadline);
void hook_cancel(struct member *m);

/* prober.c */
void probers_init(struct member *m);
void probers_begin(struct member *m, int64_t started_at, bool take_up); /* its container runs */
void probers_stop(struct member *m);                                    /* its container ended */
void probers_end(struct member *m);                                     /* the pod ends */
void probers_run(struct member *m, int64_t *wake);                      /* starts what is due */

/* userns.c: blocks of ids for pods with hostUsers: false */
bool worker_take_userns(struct worker *w, int wanted); /* @wanted: a block known from before, or -1 for any */
void worker_give_userns(struct worker *w);

/* request.c: CRI's messages of a pod; everything in @arena or the pod. NULL without memory. */
Cri__PodSandboxConfig *request_sandbox(struct arena *arena, const struct worker *w, struct err **err);
Cri__ContainerConfig *request_container(struct arena *arena, const struct member *m, struct err **err);

/* status.c */
void worker_update_status(struct worker *w);

/* hint.c: what a restart of the agent would lose, in ROOT/pods/UID/. Written on the pool, read while taking up. */
void worker_write_hint(struct worker *w);
void worker_read_hint(struct worker *w);

/* @seconds after @time; at most WORKER_NEVER - 1, a time that is one and never comes. */
static inline int64_t later(int64_t time, int64_t seconds) {
        if (seconds <= 0)
                return time;
        return seconds > (WORKER_NEVER - 1 - time) / 1000 ? WORKER_NEVER - 1 : time + seconds * 1000;
}

static inline int64_t earlier(int64_t a, int64_t b) {
        return a < b ? a : b;
}
