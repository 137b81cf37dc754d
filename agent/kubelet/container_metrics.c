/* /metrics/cadvisor: cAdvisor's metrics of pods and containers as cri tells of them (KEP-2371), and of the machine. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/kubelet/call.h"
#include "agent/kubelet/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/metrics.h"

#define LABELS_MAX 16 /* of a family */
#define MS INT64_C(1000000)

struct sample {
        const Cri__Metric *metric;
        struct sample *next;
};

struct family {
        const char *name, *help;
        const char *labels[LABELS_MAX];
        size_t n_labels;
        struct sample *first, **end;
};

struct families {
        struct family *items;
        size_t n, at; /* @at: the one found last: metrics come in the families' order, mostly */
        struct arena *arena;
};

/* -- what there is ----------------------------------------------------------------------------------------- */

static int copy_family(struct arena *arena, const Cri__MetricDescriptor *d, struct family *ret) {
        *ret = (struct family){ .name = arena_strdup(arena, d->name), .help = arena_strdup(arena, d->help) };
        if (!ret->name || !ret->help || d->n_label_keys > LABELS_MAX)
                return -ENOMEM;
        for (size_t i = 0; i < d->n_label_keys; i++)
                if (!(ret->labels[ret->n_labels++] = arena_strdup(arena, d->label_keys[i])))
                        return -ENOMEM;
        return 0;
}

static struct families *copy_families(struct arena *arena, const Cri__ListMetricDescriptorsResponse *response) {
        struct families *f = arena_new_of(arena, struct families);

        if (!f || !(f->items = arena_alloc_array(arena, response->n_descriptors + 1, sizeof(*f->items))))
                return NULL;
        f->arena = arena;
        for (; f->n < response->n_descriptors; f->n++)
                if (copy_family(arena, response->descriptors[f->n], &f->items[f->n]) < 0)
                        return NULL;
        for (size_t i = 0; i < f->n; i++)
                f->items[i].end = &f->items[i].first;
        return f;
}

static struct family *find(struct families *f, const char *name) {
        for (size_t i = 0; i < f->n; i++) {
                size_t at = (f->at + i) % f->n;

                if (strcmp(f->items[at].name, name) == 0) {
                        f->at = at;
                        return &f->items[at];
                }
        }
        return NULL;
}

static int add(struct families *f, Cri__Metric *const *metrics, size_t n) {
        for (size_t i = 0; i < n; i++) {
                struct family *family = find(f, metrics[i]->name);
                struct sample *sample = arena_new_of(f->arena, struct sample);

                if (!sample)
                        return -ENOMEM;
                if (!family || family->n_labels < metrics[i]->n_label_values)
                        continue;
                sample->metric = metrics[i];
                *family->end = sample;
                family->end = &sample->next;
        }
        return 0;
}

static int add_all(struct families *f, const Cri__ListPodSandboxMetricsResponse *response) {
        for (size_t i = 0; i < response->n_pod_metrics; i++) {
                const Cri__PodSandboxMetrics *pod = response->pod_metrics[i];

                if (add(f, pod->metrics, pod->n_metrics) < 0)
                        return -ENOMEM;
                for (size_t c = 0; c < pod->n_container_metrics; c++)
                        if (add(f, pod->container_metrics[c]->metrics, pod->container_metrics[c]->n_metrics) < 0)
                                return -ENOMEM;
        }
        return 0;
}

/* -- writing ----------------------------------------------------------------------------------------------- */

static void write_family(struct metrics_writer *w, const struct family *f) {
        struct metrics_label labels[LABELS_MAX];
        bool counts;

        if (!f->first)
                return;
        counts = f->first->metric->metric_type == CRI__METRIC_TYPE__COUNTER;
        metrics_family(w, f->name, counts ? METRICS_COUNTER : METRICS_GAUGE, f->help);
        for (const struct sample *s = f->first; s; s = s->next) {
                const Cri__Metric *m = s->metric;

                for (size_t i = 0; i < m->n_label_values; i++)
                        labels[i] = (struct metrics_label){ f->labels[i], m->label_values[i] ?: "" };
                metrics_sample_at(w, labels, (unsigned)m->n_label_values, cri_metric_value(m), m->timestamp / MS);
        }
}

static void answer(struct kubelet_request *q, struct families *f) {
        char *text = NULL;
        size_t size;
        struct metrics_writer w = { .out = open_memstream(&text, &size) };

        if (!w.out)
                return http_reset(q->x, -ENOMEM);
        for (size_t i = 0; i < f->n; i++)
                write_family(&w, &f->items[i]);
        kubelet_write_machine(&w);
        if (fclose(w.out) != 0) {
                free(text);
                text = NULL;
        }
        kubelet_answer_metrics(q, text);
}

/* -- the request ------------------------------------------------------------------------------------------- */

static void fail(struct kubelet_request *q, const struct err *err) {
        kubelet_text(q, 500, "%s\n", err ? err_text(err) : "out of memory");
}

static void on_metrics(struct kubelet_call *call, const ProtobufCMessage *message, const struct err *err) {
        if (err || add_all(call->data, (const Cri__ListPodSandboxMetricsResponse *)message) < 0)
                return fail(call->q, err);
        answer(call->q, call->data);
}

/* The descriptors are copied, since they are gone when the metrics come. */
static void on_descriptors(struct kubelet_call *first, const ProtobufCMessage *message, const struct err *err) {
        struct kubelet_call *call = err ? NULL : kubelet_call_new(first->q);
        Cri__ListPodSandboxMetricsRequest *request;

        if (err)
                return fail(first->q, err);
        if (!call)
                return;
        request = arena_new_of(call->arena, Cri__ListPodSandboxMetricsRequest);
        call->data = copy_families(call->arena, (const Cri__ListMetricDescriptorsResponse *)message);
        if (!request || !call->data) {
                kubelet_call_free(call);
                return fail(first->q, NULL);
        }
        cri__list_pod_sandbox_metrics_request__init(request);
        call->done = on_metrics;
        kubelet_call_start(call, CRI_LIST_POD_SANDBOX_METRICS, &request->base);
}

void kubelet_serve_container_metrics(struct kubelet_request *q) {
        struct kubelet_call *call = kubelet_call_new(q);
        Cri__ListMetricDescriptorsRequest *request;

        if (!call)
                return;
        request = arena_new_of(call->arena, Cri__ListMetricDescriptorsRequest);
        if (!request) {
                kubelet_call_free(call);
                return fail(q, NULL);
        }
        cri__list_metric_descriptors_request__init(request);
        call->done = on_descriptors;
        kubelet_call_start(call, CRI_LIST_METRIC_DESCRIPTORS, &request->base);
}
