#include "api/scheduler/metrics.h"

#include "api/scheduler/internal.h"
#include "lib/cleanup.h"

#define PROFILE                                                                                                        \
        { "profile", SCHEDULER_NAME }

static const double times[] = { 0.0001, 0.0002, 0.0004, 0.0008, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032,
                                0.064,  0.128,  0.256,  0.512,  1.024, 2.048, 4.096, 8.192, 16.384 };
static const struct metrics_buckets time_buckets = { times, ELEMENTS(times) };
static const double waits[] = { 0.001, 0.01, 0.02,  0.04,  0.08,  0.16,  0.32,   0.64,  1.28,
                                2.56,  5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68 };
static const struct metrics_buckets wait_buckets = { waits, ELEMENTS(waits) };
static const double tries[] = { 1, 2, 4, 8, 16 };
static const struct metrics_buckets try_buckets = { tries, ELEMENTS(tries) };

static const double victims[] = { 1, 2, 4, 8, 16, 32, 64 };
static const struct metrics_buckets victim_buckets = { victims, ELEMENTS(victims) };

static const char *const results[SCHED_RESULTS] = { "scheduled", "unschedulable", "error" };
static const char *const queues[SCHED_PARTS] = { "active", "backoff", "unschedulable" };
static const char *const whys[SCHED_WHYS] = {
        "PodAdd",
        "ScheduleAttemptFailure",
        "BackoffComplete",
        "UnschedulableTimeout",
        "NodeAdd",
        "NodeUpdateNodeAllocatable",
        "NodeUpdateNodeLabel",
        "NodeUpdateNodeTaint",
        "AssignedPodAdd",
        "AssignedPodUpdatePodLabel",
        "AssignedPodUpdatePodScaleDown",
        "AssignedPodDelete",
        "PersistentVolumeClaimUpdate",
        "NamespaceUpdate",
};

static double seconds(uint64_t ns) {
        return (double)ns / (double)SCHED_SECOND;
}

static void set(uint64_t *gauge, uint64_t value) {
        metrics_count(gauge, (int64_t)(value - *gauge));
}

void sched_metrics_tried(struct sched_metrics *m, uint64_t began, uint64_t now) {
        metrics_observe(&m->algorithm, &time_buckets, seconds(now - began));
}

void sched_metrics_scheduled(struct sched_metrics *m, const struct sched_pod *pod, uint64_t began, uint64_t now) {
        metrics_count(&m->attempts[SCHED_RESULT_SCHEDULED], 1);
        metrics_observe(&m->attempt[SCHED_RESULT_SCHEDULED], &time_buckets, seconds(now - began));
        metrics_observe(&m->tries, &try_buckets, pod->attempts);
        metrics_observe(&m->sli, &wait_buckets, seconds(now - (pod->first_tried ?: now)));
}

void sched_metrics_failed(struct sched_metrics *m, const struct sched_pod *pod, uint64_t now) {
        enum sched_result result = pod->has_erred ? SCHED_RESULT_ERROR : SCHED_RESULT_UNSCHEDULABLE;

        metrics_count(&m->attempts[result], 1);
        metrics_observe(&m->attempt[result], &time_buckets, seconds(now - pod->tried));
}

void sched_metrics_preempted(struct sched_metrics *m, uint32_t n_victims) {
        metrics_count(&m->preemptions, 1);
        metrics_observe(&m->victims, &victim_buckets, n_victims);
}

void sched_metrics_look(struct scheduler *s) {
        set(&s->metrics.pending[SCHED_PART_READY], s->queue.ready.n);
        set(&s->metrics.pending[SCHED_PART_BACKING_OFF], s->queue.backing_off.n);
        set(&s->metrics.pending[SCHED_PART_HOPELESS], s->queue.n_hopeless);
        set(&s->metrics.nodes, s->cluster.n_order);
        set(&s->metrics.pods, s->cluster.pods.n);
        set(&s->metrics.assumed, s->n_bindings);
}

/* --- what is told --- */

static void write_labelled(struct metrics_writer *w, const char *label, const char *const *values,
                           const uint64_t *numbers, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                const struct metrics_label one = { label, values[i] };

                metrics_sample(w, &one, 1, (double)metrics_read(&numbers[i]));
        }
}

static void write_histogram(struct metrics_writer *w, const char *name, const char *help,
                            const struct metrics_buckets *buckets, const struct metrics_histogram *histogram) {
        metrics_family(w, name, METRICS_HISTOGRAM, help);
        metrics_sample_histogram(w, NULL, 0, buckets, histogram);
}

static void write_attempts(const struct sched_metrics *m, struct metrics_writer *w) {
        metrics_family(w, "scheduler_schedule_attempts_total", METRICS_COUNTER,
                       "[STABLE] Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could "
                       "not be scheduled, while 'error' means an internal scheduler problem.");
        for (unsigned i = 0; i < SCHED_RESULTS; i++) {
                const struct metrics_label labels[] = { PROFILE, { "result", results[i] } };

                metrics_sample(w, labels, ELEMENTS(labels), (double)metrics_read(&m->attempts[i]));
        }
}

static void write_gauges(const struct sched_metrics *m, struct metrics_writer *w) {
        static const char *const types[] = { "nodes", "pods", "assumed_pods" };
        const uint64_t sizes[] = { metrics_read(&m->nodes), metrics_read(&m->pods), metrics_read(&m->assumed) };

        metrics_family(w, "scheduler_pending_pods", METRICS_GAUGE,
                       "[STABLE] Number of pending pods, by the queue type.");
        write_labelled(w, "queue", queues, m->pending, SCHED_PARTS);
        metrics_family(w, "scheduler_cache_size", METRICS_GAUGE,
                       "[ALPHA] Number of nodes, pods, and assumed (bound) pods in the scheduler cache.");
        write_labelled(w, "type", types, sizes, ELEMENTS(types));
        metrics_one(w, "scheduler_preemption_attempts_total", METRICS_COUNTER,
                    "[STABLE] Total preemption attempts in the cluster till now",
                    (double)metrics_read(&m->preemptions));
}

static void write_durations(const struct sched_metrics *m, struct metrics_writer *w) {
        metrics_family(w, "scheduler_scheduling_attempt_duration_seconds", METRICS_HISTOGRAM,
                       "[STABLE] Scheduling attempt latency in seconds (scheduling algorithm + binding)");
        for (unsigned i = 0; i < SCHED_RESULTS; i++) {
                const struct metrics_label labels[] = { PROFILE, { "result", results[i] } };

                metrics_sample_histogram(w, labels, ELEMENTS(labels), &time_buckets, &m->attempt[i]);
        }
}

static void write_incoming(const struct sched_queue *queue, struct metrics_writer *w) {
        metrics_family(w, "scheduler_queue_incoming_pods_total", METRICS_COUNTER,
                       "[STABLE] Number of pods added to scheduling queues by event and queue type.");
        for (unsigned why = 0; why < SCHED_WHYS; why++)
                for (unsigned part = 0; part < SCHED_PARTS; part++) {
                        const struct metrics_label labels[] = { { "event", whys[why] }, { "queue", queues[part] } };
                        uint64_t n = metrics_read(&queue->incoming[why][part]);

                        if (n > 0)
                                metrics_sample(w, labels, ELEMENTS(labels), (double)n);
                }
}

static void write_queue(const struct sched_queue *queue, struct metrics_writer *w) {
        write_incoming(queue, w);
        metrics_family(w, "scheduler_unschedulable_pods", METRICS_GAUGE,
                       "[ALPHA] The number of unschedulable pods broken down by plugin name.");
        for (unsigned i = 0; i < sched_plugins_count; i++) {
                const struct metrics_label labels[] = { { "plugin", sched_plugins[i]->name }, PROFILE };

                metrics_sample(w, labels, ELEMENTS(labels), (double)metrics_read(&queue->hopeless_by[i]));
        }
}

void scheduler_write_metrics(const struct scheduler *scheduler, struct metrics_writer *w) {
        const struct sched_metrics *m = &scheduler->metrics;

        write_attempts(m, w);
        write_gauges(m, w);
        write_queue(&scheduler->queue, w);
        write_histogram(w, "scheduler_preemption_victims", "[STABLE] Number of selected preemption victims",
                        &victim_buckets, &m->victims);
        write_histogram(w, "scheduler_scheduling_algorithm_duration_seconds",
                        "[ALPHA] Scheduling algorithm latency in seconds", &time_buckets, &m->algorithm);
        write_durations(m, w);
        write_histogram(w, "scheduler_pod_scheduling_attempts",
                        "[STABLE] Number of attempts to successfully schedule a pod.", &try_buckets, &m->tries);
        write_histogram(w, "scheduler_pod_scheduling_sli_duration_seconds",
                        "[BETA] E2e latency for a pod being scheduled, from the time the pod enters the scheduling "
                        "queue and might involve multiple scheduling attempts.",
                        &wait_buckets, &m->sli);
}
