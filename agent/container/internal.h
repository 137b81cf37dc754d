/* What the files of this room share. Nobody else includes it. */
#pragma once

#include "agent/container/backoff.h"
#include "agent/container/container.h"
#include "agent/op/op.h"
#include "probes/schedule.h"

/* agent/container/container.c has the table. */
enum member_state {
        MEMBER_WAITING,         /* its turn has not come, or it waits for a back-off */
        MEMBER_FINDING,         /* its next image is looked up */
        MEMBER_PULLING,         /* that image is pulled */
        MEMBER_PULLED,          /* and looked up again */
        MEMBER_PREPARING,       /* files and subPaths: on the pool */
        MEMBER_CREATING,        /* CreateContainer */
        MEMBER_CALLED_OFF,      /* one of these two ends, and nothing follows */
        MEMBER_START_AGAIN,     /* there was no memory for what comes next; again at retry_at */
        MEMBER_STARTING,        /* StartContainer */
        MEMBER_STARTING_TO_END, /* the same; it is to end then */
        MEMBER_POST_START,      /* runs; its hook has not ended */
        MEMBER_RUNNING,
        MEMBER_PRE_STOP,   /* runs; its hook has not ended */
        MEMBER_TURN,       /* runs; its hook has ended, but not yet those that it serves */
        MEMBER_STOPPING,   /* StopContainer */
        MEMBER_STOP_AGAIN, /* that failed; again at retry_at */
        MEMBER_EXITED,
        MEMBER_PRESUMED_DONE, /* counts as ended well, without a container to show for it */
        MEMBER_REMOVING,      /* RemoveContainer */
        MEMBER_REMOVE_AGAIN,  /* that failed; again at retry_at */
        _MEMBER_STATES,
};

enum member_event {
        MEMBER_EVENT_NONE,
        MEMBER_EVENT_BEGIN,   /* it is its turn */
        MEMBER_EVENT_OK,      /* what the state waits for was done */
        MEMBER_EVENT_FAILED,  /* or failed; member->failure says why */
        MEMBER_EVENT_FOUND,   /* what the state looks for is there */
        MEMBER_EVENT_MISSING, /* there is none of what the state looks for */
        MEMBER_EVENT_EXITED,  /* its process ended */
        MEMBER_EVENT_STOP,    /* it is to end */
        MEMBER_EVENT_AGAIN,   /* what the state does could not be begun: there was no memory */
        MEMBER_EVENT_HURRY,   /* it is to end sooner than was asked for */
        MEMBER_EVENT_LATE,    /* the hook's time is over */
        MEMBER_EVENT_DUE,     /* it is time to try again */
        MEMBER_EVENT_REMOVE,
        _MEMBER_EVENTS,
};

#define MEMBER_REASON_MAX 64

/* How a container ended. */
struct ending {
        bool set;
        char id[NODE_ID_MAX + 1], reason[MEMBER_REASON_MAX];
        char *message;      /* owned; NULL: none */
        bool message_waits; /* to be read: there was no memory */
        uint32_t attempt;
        int exit_code;
        int64_t started_at, finished_at; /* ms since 1970; started_at -1: not known */
};

#define PROBERS 3
struct prober {
        struct member *member;
        const struct kube_probe *spec; /* NULL: no such probe */
        struct schedule schedule;
        struct probe *probe; /* under way */
        uint32_t round;      /* tells a late result from the one waited for */
        bool exec;           /* an exec probe is under way */
        uint64_t began;      /* ns of the monotonic clock */
        uint32_t results[MEMBER_PROBE_RESULTS];
        struct member_probe_times times;
};

/* A lifecycle hook under way. */
enum hook_state {
        HOOK_NONE,
        HOOK_RUNS,
        HOOK_SLEEPS, /* it ends well when its time is over */
        HOOK_AGAIN,  /* it could not be begun; again when it is due */
};

struct hook {
        enum hook_state state;
        const struct kube_lifecycle_handler *handler;
        int64_t deadline;    /* of the hook; NODE_NEVER: none */
        int64_t due;         /* when it is looked at: the deadline, or the end of its sleep */
        uint32_t round;      /* tells the end of an earlier one from the one waited for */
        struct probe *probe; /* an httpGet under way */
};

struct member {
        const struct member_host *host;
        const struct kube_container *spec;
        enum member_role role;
        enum member_state state;
        struct op_scope scope; /* its round counts starts and ends */
        struct err *failure;   /* of MEMBER_EVENT_FAILED */

        char id[NODE_ID_MAX + 1];          /* the newest container; "": none was made */
        char previous_id[NODE_ID_MAX + 1]; /* the one before it, dead, kept for its log; "": none */
        char leftover_id[NODE_ID_MAX + 1]; /* to be removed when there is memory; "": none */
        uint32_t restarts;                 /* of the newest container: its attempt */
        struct ending end, last;           /* of the newest container, of the one before */
        int64_t started_at;

        struct pod_container_size size; /* of the newest container */
        char *cpus;                     /* that it was told to run on; NULL: not known, or all */
        bool moving;                    /* to others: the call is under way */

        struct backoff crash, pull;
        int64_t pull_failed_at, retry_at; /* 0: none */
        int64_t chores_at;                /* leftover_id and termination messages; 0: nothing waits */
        size_t images_done;               /* of its own image and image volumes */
        int64_t pull_began;
        size_t pull_tries; /* of the pod's credentials for it, those that were of no use */
        char *image_id;    /* what the image's name stood for */
        char *image_user;  /* NULL: image_uid counts */
        int64_t image_uid; /* as the image has it, whether it is an id or not; 0: none */

        const char *waiting_reason; /* a literal; NULL: nothing special */
        char *waiting_message;
        bool started;             /* postStart done, startup probe passed: the status's word */
        bool ready;               /* likewise */
        bool redefined;           /* its spec is another than what ran: it starts anew whatever its restart policy */
        const char *redefined_as; /* a literal: the reason of its end then */
        bool renewing;            /* it is made for that reason, and does not run yet */
        bool starting;            /* others wait for its start, or for its end if that fails */

        int64_t stop_deadline;          /* when its grace period ends; set when it is to end */
        const char *kill_reason;        /* a literal; NULL: none */
        bool condemned;                 /* it is ended, or has been, to begin anew: member_condemn() */
        bool replacing;                 /* it has ended so, and the next one is not up yet */
        struct hook hook;               /* postStart or preStop */
        struct prober probers[PROBERS]; /* by enum schedule_kind */
};

/* container.c */
void member_event(struct member *m, enum member_event event);
bool member_can(const struct member *m, enum member_event event); /* the event means something now */

/* life.c */
bool member_get_exit(const struct member *m, struct cri_container_info *ret_info); /* cri says that it has exited */
bool member_has_exited(const struct member *m);
bool member_restarts(const struct member *m); /* it has ended, and is started again */

/* When that ended which the crash back-off counts from; 0: nothing yet. Of a container that the agent itself has ended
 * to begin it anew this is the end before: kubelet does both in one look at the pod, and knows no other end by then.
 * Where that look is put off, the next ones count from the container's own end.
 */
int64_t member_failed_at(struct member *m);
uint32_t member_next_attempt(const struct member *m);
void member_condemn(struct member *m, const char *reason, int64_t grace); /* ask.c: if it runs and is not to end yet */

/* resize.c: its size in the hint */
void member_write_size(const struct member *m, struct json_writer *out);
void member_read_size(struct member *m, const struct value *value); /* NULL: it stays */

/* tell.c */
void member_set_waiting(struct member *m, const char *reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void member_say(const struct member *m, bool warning, const char *reason, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Of the image that is due: an image volume's is told of the pod, as kubelet does. */
void member_say_of_image(const struct member *m, bool warning, const char *reason, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Keeps why, for MEMBER_EVENT_FAILED, which they return. @err NULL: there was no memory. */
enum member_event member_failed(struct member *m, const struct err *err);
enum member_event member_failed_because(struct member *m, const char *reason, const struct err *err); /* and tells it */

/* ending.c */
void ending_clear(struct ending *e);
void ending_set(struct ending *e, const char *id, const char *reason);
void member_keep_end(struct member *m);                                         /* it becomes the one before */
void member_take_exit(struct member *m, const struct cri_container_info *info); /* and reads its message */
void member_discard(struct member *m, const char *id);                          /* a dead container's record goes */
int64_t member_do_chores(struct member *m);
void member_do_later(struct member *m); /* what there was no memory for */

/* cpus.c: its container is made with these */
void member_note_cpus(struct member *m, const char *cpus);

const char *member_image(const struct member *m); /* image.c: the one that is due, its own or an image volume's */

/* image.c, start.c, stop.c: what the states do. They return what came of it at once. */
enum member_event member_find_image(struct member *m);
enum member_event member_pull_image(struct member *m);
enum member_event member_look_at_pulled(struct member *m);
enum member_event member_prepare(struct member *m);
enum member_event member_create(struct member *m);
enum member_event member_start(struct member *m);
enum member_event member_post_start(struct member *m);
enum member_event member_pre_stop(struct member *m);
enum member_event member_stop(struct member *m);
enum member_event member_remove_next(struct member *m);

/* hook.c: runs a lifecycle handler; its end is MEMBER_EVENT_OK, FAILED or LATE, at once or later. */
enum member_event hook_run(struct member *m, const struct kube_lifecycle_handler *handler, int64_t deadline);
enum member_event hook_tick(struct member *m);
void hook_cancel(struct member *m);

/* prober.c */
void probers_init(struct member *m);
void probers_update(struct member *m); /* its spec is another one, with the same probes */
void probers_begin(struct member *m, int64_t started_at, bool take_up); /* its container runs */
void probers_stop(struct member *m);                                    /* its container ended */

/* request.c: the container's variables, in @arena and what @files holds. A negative errno with *err. */
int member_environment(struct arena *arena, const struct member *m, struct pod_files *files,
                       string_map *ret_environment, struct err **err);

/* request.c: the container's part of CreateContainer, in @arena or the pod. NULL with *err. */
Cri__ContainerConfig *member_request(struct arena *arena, const struct member *m, struct err **err);
