#include "api/pages/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/admission/admission.h"
#include "api/cache/collection.h"
#include "api/priority/priority.h"
#include "api/server/count.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/version.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"
#include "lib/http/loops.h"
#include "lib/metrics.h"

/* All series, in the order of their labels. */
struct sum {
        struct api_counts counts;
        struct api_series **series;
        size_t n;
};

static int order(const void *a, const void *b) {
        const struct api_series *const *x = a, *const *y = b;

        return strcmp((*x)->in_counts.key, (*y)->in_counts.key);
}

static int sum_up(struct api_server *server, struct sum *sum) {
        int r = 0;

        api_counts_init(&sum->counts);
        for (size_t i = 0; r == 0 && i < API_LOOPS_MAX && server->all[i]; i++)
                r = api_counts_add(&sum->counts, &server->all[i]->counts);
        if (r < 0)
                return r;
        sum->series = calloc(sum->counts.series.n + 1, sizeof(struct api_series *));
        if (!sum->series)
                return -ENOMEM;
        for (size_t i = 0; i < sum->counts.series.n_buckets; i++)
                for (struct table_node *node = sum->counts.series.buckets[i]; node; node = node->next)
                        sum->series[sum->n++] = table_object(node, struct api_series, in_counts);
        qsort(sum->series, sum->n, sizeof(struct api_series *), order);
        return 0;
}

static void sum_free(struct sum *sum) {
        free(sum->series);
        api_counts_deinit(&sum->counts);
}

/* --- families of series: some of the labels each --- */

#define WITHOUT(label) (ALL & ~(1u << (label)))
enum { ALL = (1u << _API_LABELS) - 1 };

static const char *const label_names[] = {
        [API_LABEL_COMPONENT] = "component", [API_LABEL_DRY_RUN] = "dry_run", [API_LABEL_GROUP] = "group",
        [API_LABEL_RESOURCE] = "resource",   [API_LABEL_SCOPE] = "scope",     [API_LABEL_SUBRESOURCE] = "subresource",
        [API_LABEL_VERB] = "verb",           [API_LABEL_VERSION] = "version",
};

static unsigned take_labels(const struct api_series *s, unsigned which, struct metrics_label *ret_labels) {
        unsigned n = 0;

        for (unsigned i = 0; i < _API_LABELS; i++)
                if (which >> i & 1)
                        ret_labels[n++] = (struct metrics_label){ label_names[i], s->labels[i] };
        return n;
}

static const struct metrics_histogram *histogram_at(const struct api_series *s, size_t at) {
        return (const struct metrics_histogram *)((const char *)s + at);
}

static bool is_empty(const struct metrics_histogram *histogram) {
        for (unsigned i = 0; i < METRICS_BUCKETS_MAX; i++)
                if (histogram->counts[i] > 0)
                        return false;
        return true;
}

/* Of the histogram @at each; without the label dry_run only of what was made. */
static void write_histograms(struct metrics_writer *w, const struct sum *sum, unsigned which, size_t at,
                             const struct metrics_buckets *buckets) {
        for (size_t i = 0; i < sum->n; i++) {
                const struct api_series *s = sum->series[i];
                const struct metrics_histogram *histogram = histogram_at(s, at);
                struct metrics_label labels[_API_LABELS];
                unsigned n = take_labels(s, which, labels);

                if (!is_empty(histogram) && (which >> API_LABEL_DRY_RUN & 1 || !*s->labels[API_LABEL_DRY_RUN]))
                        metrics_sample_histogram(w, labels, n, buckets, histogram);
        }
}

static void write_code(struct metrics_writer *w, const struct api_series *s, const struct api_code *code,
                       unsigned which, uint64_t value) {
        struct metrics_label labels[_API_LABELS + 1];
        char text[24];

        if (value == 0)
                return;
        snprintf(text, sizeof(text), "%llu", (unsigned long long)code->code);
        labels[0] = (struct metrics_label){ "code", text };
        metrics_sample(w, labels, 1 + take_labels(s, which, labels + 1), (double)value);
}

static void write_codes(struct metrics_writer *w, const struct sum *sum, unsigned which, bool terminated) {
        for (size_t i = 0; i < sum->n; i++)
                for (uint64_t k = 0; k < sum->series[i]->n_codes; k++) {
                        const struct api_code *code = &sum->series[i]->codes[k];

                        if (!terminated)
                                write_code(w, sum->series[i], code, which, code->answers);
                        else if (!*sum->series[i]->labels[API_LABEL_DRY_RUN])
                                write_code(w, sum->series[i], code, which, code->terminated);
                }
}

static void write_running(struct metrics_writer *w, const struct sum *sum) {
        for (size_t i = 0; i < sum->n; i++) {
                struct metrics_label labels[_API_LABELS];
                unsigned n = take_labels(sum->series[i], WITHOUT(API_LABEL_DRY_RUN), labels);
                const char *verb = sum->series[i]->labels[API_LABEL_VERB];

                if (strcmp(verb, "WATCH") == 0 || strcmp(verb, "CONNECT") == 0)
                        metrics_sample(w, labels, n, (double)sum->series[i]->running);
        }
}

/* --- of resources: events and what the store does, whatever the request's other labels --- */

/* What several series tell in one sample. */
struct merged {
        size_t at; /* of the histogram in each */
        bool (*same)(const struct api_series *a, const struct api_series *b);
        void (*write)(struct metrics_writer *w, const struct api_series *s, const struct metrics_histogram *histogram);
};

static void write_merged(struct metrics_writer *w, const struct sum *sum, const struct merged *m) {
        for (size_t i = 0; i < sum->n; i++) {
                struct metrics_histogram all = { 0 };
                bool told = is_empty(histogram_at(sum->series[i], m->at));

                for (size_t k = 0; k < i && !told; k++)
                        told = m->same(sum->series[k], sum->series[i]) &&
                               !is_empty(histogram_at(sum->series[k], m->at));
                for (size_t k = i; k < sum->n && !told; k++)
                        if (m->same(sum->series[k], sum->series[i]))
                                metrics_add(&all, histogram_at(sum->series[k], m->at));
                if (!told)
                        m->write(w, sum->series[i], &all);
        }
}

static bool is_same(const struct api_series *a, const struct api_series *b, enum api_label label) {
        return strcmp(a->labels[label], b->labels[label]) == 0;
}

static bool of_one_resource(const struct api_series *a, const struct api_series *b) {
        return is_same(a, b, API_LABEL_RESOURCE) && is_same(a, b, API_LABEL_GROUP) && is_same(a, b, API_LABEL_VERSION);
}

enum { OF_RESOURCE = 1u << API_LABEL_GROUP | 1u << API_LABEL_RESOURCE | 1u << API_LABEL_VERSION };

static void write_events(struct metrics_writer *w, const struct api_series *s,
                         const struct metrics_histogram *histogram) {
        struct metrics_label labels[_API_LABELS];
        unsigned n = take_labels(s, OF_RESOURCE, labels);
        uint64_t count = 0;

        for (unsigned i = 0; i < METRICS_BUCKETS_MAX; i++)
                count += histogram->counts[i];
        metrics_sample(w, labels, n, (double)count);
}

static void write_event_sizes(struct metrics_writer *w, const struct api_series *s,
                              const struct metrics_histogram *histogram) {
        struct metrics_label labels[_API_LABELS];
        unsigned n = take_labels(s, OF_RESOURCE, labels);

        metrics_sample_histogram(w, labels, n, &api_event_buckets, histogram);
}

/* The verbs of etcd's clients. */
static const char *operation_of(const char *verb) {
        return strcmp(verb, "POST") == 0 ? "create" : strcmp(verb, "DELETE") == 0 ? "delete" : "update";
}

static void write_stored(struct metrics_writer *w, const struct api_series *s,
                         const struct metrics_histogram *histogram) {
        const struct metrics_label labels[] = { { "group", s->labels[API_LABEL_GROUP] },
                                                { "operation", operation_of(s->labels[API_LABEL_VERB]) },
                                                { "resource", s->labels[API_LABEL_RESOURCE] } };

        metrics_sample_histogram(w, labels, ELEMENTS(labels), &api_store_buckets, histogram);
}

static bool of_one_operation(const struct api_series *a, const struct api_series *b) {
        return is_same(a, b, API_LABEL_RESOURCE) && is_same(a, b, API_LABEL_GROUP) &&
               strcmp(operation_of(a->labels[API_LABEL_VERB]), operation_of(b->labels[API_LABEL_VERB])) == 0;
}

static const struct merged events = { offsetof(struct api_series, event_sizes), of_one_resource, write_events },
                           event_sizes = { offsetof(struct api_series, event_sizes), of_one_resource,
                                           write_event_sizes },
                           stored = { offsetof(struct api_series, stored), of_one_operation, write_stored };

/* --- what is there --- */

struct objects {
        struct metrics_writer *w;
        bool deprecated; /* by the older name */
};

static void write_objects(void *data, const struct api_resource *resource) {
        struct objects *objects = data;
        double n = (double)collection_count(resource->collection);
        char name[256];

        snprintf(name, sizeof(name), "%s%s%s", resource->name, *resource->group ? "." : "", resource->group);
        if (objects->deprecated)
                metrics_sample(objects->w, &(struct metrics_label){ "resource", name }, 1, n);
        else
                metrics_sample(
                        objects->w,
                        (const struct metrics_label[]){ { "group", resource->group }, { "resource", resource->name } },
                        2, n);
}

static void write_in_flight(struct metrics_writer *w, const struct api_server *server) {
        metrics_sample(w, &(struct metrics_label){ "request_kind", "mutating" }, 1,
                       api_in_flight(server, API_LOAD_WRITE));
        metrics_sample(w, &(struct metrics_label){ "request_kind", "readOnly" }, 1,
                       api_in_flight(server, API_LOAD_READ));
}

static void write_outcomes(struct metrics_writer *w, const char *const names[_API_OUTCOMES],
                           const uint64_t counts[_API_OUTCOMES]) {
        for (unsigned i = 0; i < _API_OUTCOMES; i++)
                if (counts[i] > 0)
                        metrics_sample(w, &(struct metrics_label){ "result", names[i] }, 1, (double)counts[i]);
}

/* --- the page --- */

static void write_requests(struct metrics_writer *w, const struct sum *sum) {
        metrics_family(
                w, "apiserver_longrunning_requests", METRICS_GAUGE,
                "[STABLE] Gauge of all active long-running apiserver requests broken out by verb, group, version, "
                "resource, scope and component. Not all requests are tracked this way.");
        write_running(w, sum);
        metrics_family(
                w, "apiserver_request_duration_seconds", METRICS_HISTOGRAM,
                "[STABLE] Response latency distribution in seconds for each verb, dry run value, group, version, "
                "resource, subresource, scope and component.");
        write_histograms(w, sum, ALL, offsetof(struct api_series, durations), &api_duration_buckets);
        metrics_family(w, "apiserver_request_sli_duration_seconds", METRICS_HISTOGRAM,
                       "[ALPHA] Response latency distribution (not counting webhook duration and priority & fairness "
                       "queue wait times) in seconds for each verb, group, version, resource, subresource, scope and "
                       "component.");
        write_histograms(w, sum, WITHOUT(API_LABEL_DRY_RUN), offsetof(struct api_series, durations),
                         &api_duration_buckets);
        metrics_family(w, "apiserver_request_terminations_total", METRICS_COUNTER,
                       "[ALPHA] Number of requests which apiserver terminated in self-defense.");
        write_codes(w, sum, WITHOUT(API_LABEL_DRY_RUN), true);
        metrics_family(
                w, "apiserver_request_total", METRICS_COUNTER,
                "[STABLE] Counter of apiserver requests broken out for each verb, dry run value, group, version, "
                "resource, scope, component, and HTTP response code.");
        write_codes(w, sum, ALL, false);
}

static void write_state(struct metrics_writer *w, const struct api_state *state) {
        struct objects objects = { .w = w };

        metrics_family(
                w, "apiserver_resource_objects", METRICS_GAUGE,
                "[ALPHA] Number of stored objects at the time of last check split by kind. In case of a fetching "
                "error, the value will be -1.");
        api_state_each(state, write_objects, &objects);
        metrics_family(
                w, "apiserver_storage_objects", METRICS_GAUGE,
                "[STABLE] (Deprecated since 1.34.0) [DEPRECATED, consider using apiserver_resource_objects "
                "instead] Number of stored objects at the time of last check split by kind. In case of a fetching "
                "error, the value will be -1.");
        objects.deprecated = true;
        api_state_each(state, write_objects, &objects);
}

static void write_watches(struct metrics_writer *w, const struct sum *sum) {
        metrics_family(w, "apiserver_watch_events_sizes", METRICS_HISTOGRAM,
                       "[ALPHA] Watch event size distribution in bytes");
        write_merged(w, sum, &event_sizes);
        metrics_family(w, "apiserver_watch_events_total", METRICS_COUNTER,
                       "[ALPHA] Number of events sent in watch clients");
        write_merged(w, sum, &events);
}

static void write_identities(struct metrics_writer *w, const struct api_counts *counts) {
        static const char *const found[] = { "success", "failure", "error" }, *const may[] = { "allowed", "denied",
                                                                                               "error" };

        metrics_family(w, "authentication_attempts", METRICS_COUNTER, "[ALPHA] Counter of authenticated attempts.");
        write_outcomes(w, found, counts->authentications);
        metrics_family(w, "authorization_attempts_total", METRICS_COUNTER,
                       "[ALPHA] Counter of authorization attempts broken down by result. It can be either 'allowed', "
                       "'denied', 'no-opinion' or 'error'.");
        write_outcomes(w, may, counts->authorizations);
}

static void write_page(struct metrics_writer *w, struct api_server *server, struct sum *sum) {
        const struct api_limits *limits = &server->config.limits;

        api_admission_write(server->config.admission, w);
        metrics_family(
                w, "apiserver_audit_error_total", METRICS_COUNTER,
                "[ALPHA] Counter of audit events that failed to be audited properly. Plugin identifies the plugin "
                "affected by the error.");
        if (sum->counts.audit_lost > 0)
                metrics_sample(w, &(struct metrics_label){ "plugin", "log" }, 1, (double)sum->counts.audit_lost);
        metrics_one(w, "apiserver_audit_event_total", METRICS_COUNTER,
                    "[ALPHA] Counter of audit events generated and sent to the audit backend.",
                    (double)sum->counts.audit_events);
        metrics_family(w, "apiserver_current_inflight_requests", METRICS_GAUGE,
                       "[STABLE] Maximal number of currently used inflight request limit of this apiserver per request "
                       "kind in last second.");
        write_in_flight(w, server);
        priority_write(server->config.priority, w,
                       limits->in_flight[API_LOAD_READ] + limits->in_flight[API_LOAD_WRITE]);
        write_requests(w, sum);
        write_state(w, server->config.state);
        metrics_family(w, "apiserver_response_sizes", METRICS_HISTOGRAM,
                       "[STABLE] Response size distribution in bytes for each group, version, verb, resource, "
                       "subresource, scope and component.");
        write_histograms(w, sum, WITHOUT(API_LABEL_DRY_RUN), offsetof(struct api_series, sizes), &api_size_buckets);
        metrics_one(w, "apiserver_tls_handshake_errors_total", METRICS_COUNTER,
                    "[ALPHA] Number of requests dropped with 'TLS handshake error from' error",
                    (double)http_loops_failed_handshakes(server->loops));
        write_watches(w, sum);
        write_identities(w, &sum->counts);
        metrics_family(w, "etcd_request_duration_seconds", METRICS_HISTOGRAM,
                       "[ALPHA] Etcd request latency in seconds for each operation and object type.");
        write_merged(w, sum, &stored);
        kube_version_write(w);
        metrics_one(w, "nacelle_api_revision", METRICS_GAUGE, "The revision of the last change.",
                    (double)api_state_revision(server->config.state));
        metrics_process(w);
        api_source_write(&server->source, w);
        metrics_end(w);
}

static char *make_page(struct api_server *server, bool open, size_t *ret_length) {
        char *text = NULL;
        struct metrics_writer w = { .out = open_memstream(&text, ret_length), .open = open };
        struct sum sum = { 0 };
        int r;

        if (!w.out)
                return NULL;
        r = sum_up(server, &sum);
        if (r == 0)
                write_page(&w, server, &sum);
        sum_free(&sum);
        if (fclose(w.out) == 0 && r == 0)
                return text;
        free(text);
        return NULL;
}

enum api_step api_metrics_answer(struct api_request *r, const char *text, size_t length, bool open) {
        _cleanup_bytes_ struct bytes *bytes = text ? bytes_copy(text, length) : NULL;

        if (!bytes)
                return api_fail(r, -ENOMEM, NULL);
        api_respond_bytes(r, 200, metrics_content_type(open), bytes);
        return API_END;
}

enum api_step api_metrics_show(struct api_request *r, const char *rest) {
        bool open = metrics_wants_open(http_fields_get(&http_request_of(r->x)->fields, "accept"));
        size_t length = 0;
        _cleanup_free_ char *text = make_page(r->server, open, &length);

        return api_metrics_answer(r, text, length, open);
}
