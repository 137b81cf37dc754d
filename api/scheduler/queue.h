/* The pods that wait for a node. For api/scheduler alone.
 *
 * Those that are ready come out the most important first, then the one that has waited longest. One that failed waits
 * for a change that may help it, or SCHED_FLUSH at most, and in any case for its back-off, which doubles each time;
 * where nothing else is ready, a back-off that is not about an error is cut short, as kube-scheduler does. Time is the
 * caller's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/scheduler/events.h"
#include "api/scheduler/pod.h"

#define SCHED_SECOND UINT64_C(1000000000)
#define SCHED_BACK_OFF_MIN SCHED_SECOND
#define SCHED_BACK_OFF_MAX (10 * SCHED_SECOND)
#define SCHED_FLUSH (300 * SCHED_SECOND)
#define SCHED_NEVER UINT64_MAX

LIST_DEFINE(sched_hopeless, struct sched_pod, in_hopeless)

struct sched_heap {
        struct sched_pod **all;
        uint32_t n, room;
        bool (*before)(const struct sched_pod *a, const struct sched_pod *b);
};

/* Why pods come into a part of the queue; from SCHED_WHY_CHANGE on a change, by its event's bit. */
enum sched_why { SCHED_WHY_ADDED, SCHED_WHY_FAILED, SCHED_WHY_BACKED_OFF, SCHED_WHY_FLUSHED, SCHED_WHY_CHANGE };
#define SCHED_WHYS (SCHED_WHY_CHANGE + SCHED_EVENTS)

enum sched_part { SCHED_PART_READY, SCHED_PART_BACKING_OFF, SCHED_PART_HOPELESS, SCHED_PARTS };

struct sched_queue {
        struct sched_heap ready, backing_off;
        struct sched_hopeless hopeless; /* in the order in which they came */
        uint32_t n_hopeless;
        uint64_t incoming[SCHED_WHYS][SCHED_PARTS]; /* that have come, for metrics */
        uint64_t hopeless_by[SCHED_PLUGINS_MAX];    /* that are there, by the plugins that they failed by */
};

void sched_queue_init(struct sched_queue *queue);
void sched_queue_clear(struct sched_queue *queue);

/* Makes @pod, which is in it or nowhere, ready. Here and below: who cannot be for want of memory is tried again with
 * those that wait for a change. */
void sched_queue_add(struct sched_queue *queue, struct sched_pod *pod, uint64_t now);

/* @pod was tried and failed, by pod.failed or, with pod.has_erred, otherwise. */
void sched_queue_fail(struct sched_queue *queue, struct sched_pod *pod, uint64_t now);

/* Puts @pod, another state of @old, where that one is, with what is remembered of it. */
void sched_queue_replace(struct sched_queue *queue, struct sched_pod *old, struct sched_pod *pod);

void sched_queue_remove(struct sched_queue *queue, struct sched_pod *pod); /* where it is in it */

/* Those that @change may help are tried again, as soon as their back-off is over. Returns how many. */
uint32_t sched_queue_tell(struct sched_queue *queue, const struct sched_change *change, uint64_t now);

/* The next, which is taken out; NULL: none. */
struct sched_pod *sched_queue_pop(struct sched_queue *queue, uint64_t now);

/* When sched_queue_pop() has something that it does not have now; SCHED_NEVER. */
uint64_t sched_queue_due(const struct sched_queue *queue);
