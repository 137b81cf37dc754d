/* What the controllers' queues came to, as client-go's tell it. */
#include "api/controllers/internal.h"
#include "lib/cleanup.h"

static const double ends[] = { 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10 };
const struct metrics_buckets controller_duration_buckets = { ends, ELEMENTS(ends) };

static const struct {
        const char *name;
        enum metrics_type type;
        const char *help;
        size_t at; /* in struct work_counts */
} families[] = {
        { "workqueue_adds_total", METRICS_COUNTER, "[BETA] Total number of adds handled by workqueue",
          offsetof(struct work_counts, adds) },
        { "workqueue_depth", METRICS_GAUGE, "[BETA] Current depth of workqueue", offsetof(struct work_counts, depth) },
        { "workqueue_retries_total", METRICS_COUNTER, "[BETA] Total number of retries handled by workqueue",
          offsetof(struct work_counts, retries) },
};

static uint64_t read_at(const struct controller *c, size_t at) {
        return metrics_read((const uint64_t *)((const char *)work_counts(c->queue) + at));
}

static struct metrics_label label_of(const struct controller *c) {
        return (struct metrics_label){ "name", c->kind->name };
}

void controllers_write_metrics(const struct controllers *controllers, struct metrics_writer *w) {
        for (size_t f = 0; f < ELEMENTS(families); f++) {
                metrics_family(w, families[f].name, families[f].type, families[f].help);
                for (unsigned i = 0; i < controllers->n; i++) {
                        const struct metrics_label label = label_of(&controllers->each[i]);

                        metrics_sample(w, &label, 1, (double)read_at(&controllers->each[i], families[f].at));
                }
        }
        metrics_family(w, "workqueue_work_duration_seconds", METRICS_HISTOGRAM,
                       "[BETA] How long in seconds processing an item from workqueue takes.");
        for (unsigned i = 0; i < controllers->n; i++) {
                const struct metrics_label label = label_of(&controllers->each[i]);
                struct metrics_histogram sum = { 0 };

                metrics_add(&sum, &controllers->each[i].durations);
                metrics_sample_histogram(w, &label, 1, &controller_duration_buckets, &sum);
        }
}
