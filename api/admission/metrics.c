/* How long plugins take, by kube-apiserver's names: counted by all loops together, for it is little and seldom. */
#include <stdatomic.h>
#include <stdlib.h>

#include "api/admission/admission.h"
#include "api/admission/internal.h"
#include "api/admission/plugin.h"
#include "api/server/request.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/metrics.h"

static const double ends[] = { 0.005, 0.025, 0.1, 0.5, 1, 2.5 };
static const struct metrics_buckets buckets = { ends, ELEMENTS(ends) };

enum { CREATE, UPDATE, DELETE, _OPERATIONS };
enum { ADMIT, VALIDATE, _TYPES };

/* Of one plugin, or of a step: all of its plugins. */
struct series {
        _Atomic uint64_t counts[ELEMENTS(ends) + 1], ns;
};

struct admission_counts {
        struct series steps[_OPERATIONS][_TYPES][2];
        struct series plugins[][_OPERATIONS][_TYPES][2]; /* the last: whether the request was refused */
};

struct admission_counts *admission_counts_new(void) {
        struct admission_counts *counts;

        return calloc(1, sizeof(*counts) + admission_plugins_count * sizeof(counts->plugins[0]));
}

void admission_counts_free(struct admission_counts *counts) {
        free(counts);
}

uint64_t admission_clock(void) {
        return (uint64_t)clock_ns(CLOCK_MONOTONIC);
}

static void observe(struct series *series, uint64_t ns) {
        unsigned i = 0;

        while (i < ELEMENTS(ends) && (double)ns > ends[i] * 1e9)
                i++;
        atomic_fetch_add_explicit(&series->counts[i], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&series->ns, ns, memory_order_relaxed);
}

void admission_count(const struct admission *a, const size_t *plugin, bool mutates, enum api_step step,
                     uint64_t since) {
        struct admission_counts *counts = a->config->counts;
        unsigned operation = a->operation == ADMISSION_CREATE ? CREATE :
                             a->operation == ADMISSION_UPDATE ? UPDATE :
                                                                DELETE,
                 type = mutates && operation != DELETE ? ADMIT : VALIDATE;
        bool refused = step == API_END && a->r->code >= 400;

        if (step == API_WAIT) /* it is asked again */
                return;
        observe(plugin ? &counts->plugins[*plugin][operation][type][refused] : &counts->steps[operation][type][refused],
                admission_clock() - since);
}

static void write_series(struct metrics_writer *w, const char *name, const struct series *all) {
        static const char *const operations[] = { "CREATE", "UPDATE", "DELETE" }, *const types[] = { "admit",
                                                                                                     "validate" };

        for (unsigned i = 0; i < _OPERATIONS * _TYPES * 2; i++) {
                const struct series *series = &all[i];
                const struct metrics_label labels[] = { { "name", name },
                                                        { "operation", operations[i / (_TYPES * 2)] },
                                                        { "rejected", i % 2 ? "true" : "false" },
                                                        { "type", types[i / 2 % _TYPES] } };
                struct metrics_histogram histogram = { 0 };
                uint64_t n = 0;

                for (unsigned k = 0; k <= ELEMENTS(ends); k++)
                        n += histogram.counts[k] = atomic_load_explicit(&series->counts[k], memory_order_relaxed);
                histogram.sum = (double)atomic_load_explicit(&series->ns, memory_order_relaxed) / 1e9;
                if (n > 0)
                        metrics_sample_histogram(w, name ? labels : labels + 1, name ? 4 : 3, &buckets, &histogram);
        }
}

void api_admission_write(const struct api_admission *admission, struct metrics_writer *w) {
        const struct admission_counts *counts = admission->counts;

        metrics_family(w, "apiserver_admission_controller_admission_duration_seconds", METRICS_HISTOGRAM,
                       "[STABLE] Admission controller latency histogram in seconds, identified by name and broken out "
                       "for each operation and API resource and type (validate or admit).");
        for (size_t i = 0; i < admission_plugins_count; i++)
                write_series(w, admission_plugins[i].name, &counts->plugins[i][0][0][0]);
        metrics_family(w, "apiserver_admission_step_admission_duration_seconds", METRICS_HISTOGRAM,
                       "[STABLE] Admission sub-step latency histogram in seconds, broken out for each operation and "
                       "API resource and step type (validate or admit).");
        write_series(w, NULL, &counts->steps[0][0][0]);
}
