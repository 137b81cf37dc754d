/* The scheduler: which node a pod is for, as kube-scheduler's default profile decides it.
 *
 * It keeps up with pods and nodes by informers, takes the pods of "default-scheduler" that have no node one after the
 * other, the most important first, finds the nodes that a pod can run on (filters), the best of them (scores), and
 * binds the pod to it. Who fits nowhere waits until something changes that may help (plugin.h), and may make pods of
 * lower priority leave (victims.h). It never waits: a binding is under way while the next pod is looked at, its pod
 * counted on its node meanwhile.
 *
 * All is of the loop of its client, which acts as system:kube-scheduler.
 */
#pragma once

#include <stdint.h>

struct client;
struct err;
struct kube_registry;
struct metrics_writer;
struct scheduler;

#define SCHEDULER_NAME "default-scheduler" /* spec.schedulerName of the pods that are its */

struct scheduler_config {
        struct client *client;
        const struct kube_registry *kinds;
        uint64_t (*now)(void *data); /* ns, of the monotonic clock; NULL: uv_hrtime() */
        int64_t (*wall)(void *data); /* s since 1970; NULL: time() */
        void *clock;                 /* data of both */
        void (*synced)(void *data);  /* once all is known that it looks at; NULL: nobody asks */
        void *data;                  /* of synced() */
};

/* What @config points to outlives the scheduler. */
int scheduler_new(const struct scheduler_config *config, struct scheduler **ret_scheduler, struct err **err);

/* Begins to watch, and to place pods once all is known. 0 or -ENOMEM. */
int scheduler_start(struct scheduler *scheduler);

/* Nothing more is begun; then free, when the loop has closed what is its. NULL is fine. */
void scheduler_stop(struct scheduler *scheduler);
void scheduler_free(struct scheduler *scheduler);

/* By kube-scheduler's names: from any thread, between new and free. */
void scheduler_write_metrics(const struct scheduler *scheduler, struct metrics_writer *w);

/* Does what is due now, and sets the timer for the rest; for tests whose clock is their own. */
void scheduler_turn(struct scheduler *scheduler);
