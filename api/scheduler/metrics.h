/* What the scheduler counts, by kube-scheduler's names. For api/scheduler alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/scheduler/queue.h"
#include "lib/metrics.h"

struct sched_pod;
struct scheduler;

enum sched_result { SCHED_RESULT_SCHEDULED, SCHED_RESULT_UNSCHEDULABLE, SCHED_RESULT_ERROR, SCHED_RESULTS };

/* The loop counts, others read. */
struct sched_metrics {
        uint64_t attempts[SCHED_RESULTS];
        uint64_t pending[SCHED_PARTS];
        uint64_t nodes, pods, assumed;
        uint64_t preemptions;
        struct metrics_histogram algorithm, attempt[SCHED_RESULTS], sli, tries, victims;
};

void sched_metrics_tried(struct sched_metrics *m, uint64_t began, uint64_t now);
void sched_metrics_scheduled(struct sched_metrics *m, const struct sched_pod *pod, uint64_t began, uint64_t now);
void sched_metrics_failed(struct sched_metrics *m, const struct sched_pod *pod, uint64_t now);
void sched_metrics_preempted(struct sched_metrics *m, uint32_t n_victims);
void sched_metrics_look(struct scheduler *s); /* at what there is now */
