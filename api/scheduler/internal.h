/* What the files of the scheduler share. */
#pragma once

#include <uv.h>

#include "api/scheduler/cycle.h"
#include "api/scheduler/metrics.h"
#include "api/scheduler/queue.h"
#include "api/scheduler/scheduler.h"
#include "client/informer.h"
#include "client/recorder.h"
#include "lib/list.h"

/* Bindings that are under way at a time; with so many the next pod waits. */
#define SCHED_BINDINGS_MAX 256
/* Pods that are tried in one turn of the loop, which others use too. */
#define SCHED_TURN_MAX 32

struct json_writer;

LIST_TYPE(sched_sends);

/* Of Services, and of one kind that owns pods. */
struct sched_kin_watch {
        struct informer_handler handler;
        struct scheduler *scheduler;
        enum sched_kin_kind kind;
        uint32_t seen; /* of the list under way, or the last */
};

struct scheduler {
        struct scheduler_config config;
        const struct kube_kind *pod_kind, *node_kind, *space_kind, *claim_kind, *budget_kind;
        struct informers *informers;
        struct informer_handler pod_handler, node_handler, space_handler, claim_handler;
        struct sched_kin_watch kin_watches[_SCHED_KIN_KINDS];
        struct informer *claims, *budgets;
        struct recorder *recorder;
        struct sched_cluster cluster;
        struct sched_queue queue;
        uint32_t seen_pods, seen_nodes; /* of the list under way, or the last */
        uv_timer_t *timer;
        bool turning, stopped;
        struct sched_sends sends; /* requests under way, */
        unsigned n_bindings;      /* so many of them bindings */

        /* Of the attempt under way; all have room for @room nodes. */
        struct arena *arena, *scratch;
        struct sched_node **fitting;
        int64_t *scores, *totals;
        uint8_t *verdicts;
        uint32_t room;
        uint32_t start; /* where the next one begins to look */
        uint64_t random;

        struct sched_metrics metrics;
};

uint64_t sched_now(const struct scheduler *s);
int64_t sched_wall(const struct scheduler *s);
void sched_wake(struct scheduler *s); /* has scheduler_turn() called from the loop */

/* Tells the queue. */
void sched_changed(struct scheduler *s, uint32_t event, const struct sched_node *node, const struct sched_pod *pod);

/* --- watch.c --- */
int sched_watch(struct scheduler *s);

/* --- attempt.c --- */
void sched_attempt(struct scheduler *s, struct sched_pod *pod);
/* Takes @pod, which was assumed, from its node. */
void sched_unassume(struct scheduler *s, struct sched_pod *pod);

/* --- send.c --- */
/* A request about a pod; @done is told when it is answered, and the pod may be gone by then. */
struct sched_send {
        struct scheduler *scheduler;
        struct client_call *call;
        void (*done)(struct sched_send *send, const struct client_answer *answer);
        struct list_node in_scheduler;
        uint64_t began;         /* ns: when the attempt did */
        char *uid, *node, *key; /* @node: of a binding */
        char text[];
};
/* 0 or a negative errno, then nothing is told. */
int sched_send(struct scheduler *s, const struct client_request *request, const struct sched_send *like);
void sched_sends_end(struct scheduler *s);
/* Begins a patch of @pod's status, of no other pod's of its name: its conditions are to follow. The list is the
 * caller's to end, who may add to the status behind it. */
void sched_begin_conditions(struct json_writer *w, const struct sched_pod *pod);
/* Ends the patch and sends it. 0 or a negative errno, then @done is not told. */
int sched_patch_status(struct scheduler *s, const struct sched_pod *pod, struct json_writer *w,
                       void (*done)(struct sched_send *send, const struct client_answer *answer));
void sched_tell(struct scheduler *s, const struct sched_pod *pod, const struct recorder_note *note);

/* --- bind.c --- */
void sched_bind(struct scheduler *s, struct sched_pod *pod, uint64_t began);

/* --- fail.c --- */
/* @pod could not be placed, because of @words; it goes back into the queue, and its status says so. */
void sched_fail(struct scheduler *s, struct sched_pod *pod, const char *words);

/* --- preempt.c --- */
/* Looks whether @c's pod fits somewhere once less important ones are gone, and makes them go. What comes of it in
 * words, for those of the failure, in the cycle's arena; NULL: pods are going. */
const char *sched_preempt(struct scheduler *s, struct sched_cycle *c);
