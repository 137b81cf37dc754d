#include "api/server/count.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/server/request.h"
#include "api/server/server.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/http/exchange.h"

#define NS_PER_S 1e9
#define TOO_MANY 429
#define TOO_LATE 504

#define BUCKETS(...)                                                                                                   \
        { (const double[]){ __VA_ARGS__ }, sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double) }

/* kube-apiserver's. */
const struct metrics_buckets api_duration_buckets = BUCKETS(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5,
                                                            2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60),
                             api_size_buckets = BUCKETS(1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9),
                             api_event_buckets = BUCKETS(1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072),
                             api_store_buckets = BUCKETS(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2,
                                                         3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60);

/* --- what a request is called --- */

static const char *verb_of(const struct api_request *r) {
        static const char *const by_verb[][2] = { { "create", "POST" }, { "delete", "DELETE" },
                                                  { "update", "PUT" },  { "get", "GET" },
                                                  { "list", "LIST" },   { "watch", "WATCH" },
                                                  { "patch", "PATCH" }, { "deletecollection", "DELETE" } };
        const char *verb = api_verb_name(r->verb);

        if (!r->path.is_resource)
                return "GET";
        if (r->load == API_LOAD_LONG)
                return r->path.sub ? "CONNECT" : "WATCH";
        if (r->verb == KUBE_VERB_PATCH && r->body_form == API_PATCH_APPLY)
                return "APPLY";
        for (size_t i = 0; i < ELEMENTS(by_verb); i++)
                if (strcmp(by_verb[i][0], verb) == 0)
                        return by_verb[i][1];
        return "other";
}

static const char *scope_of(const struct api_request *r) {
        if (!r->path.is_resource)
                return "";
        if (r->path.name || r->verb == KUBE_VERB_CREATE)
                return "resource";
        return r->path.namespace ? "namespace" : "cluster";
}

static const char *dry_run_of(const struct api_request *r) {
        const char *asked = r->options.dry_run ?: "";

        return !*asked || strcmp(asked, "All") == 0 ? asked : "invalid";
}

/* False: it is of nothing that is served. */
static bool read_labels(const struct api_request *r, const char *labels[_API_LABELS]) {
        const struct kube_kind *kind = r->kind;
        const struct api_path *p = &r->path;

        if (p->is_resource && !kind)
                kind = kube_registry_resource(r->server->config.registry, p->group, p->version, p->resource);
        if (p->is_resource ? !kind || (p->sub && !kube_kind_subresource(kind, p->sub)) : !r->page)
                return false;
        labels[API_LABEL_COMPONENT] = p->is_resource ? "apiserver" : "";
        labels[API_LABEL_DRY_RUN] = dry_run_of(r);
        labels[API_LABEL_GROUP] = p->is_resource ? kind->group : "";
        labels[API_LABEL_RESOURCE] = p->is_resource ? kind->resource : "";
        labels[API_LABEL_SCOPE] = scope_of(r);
        labels[API_LABEL_SUBRESOURCE] = p->is_resource ? p->sub ?: "" : r->page;
        labels[API_LABEL_VERB] = verb_of(r);
        labels[API_LABEL_VERSION] = p->is_resource ? kind->version : "";
        return true;
}

/* --- series --- */

#define KEY_MAX 512

/* All labels with a mark between them; false: they are too long. */
static bool make_key(char key[KEY_MAX], const char *const labels[_API_LABELS]) {
        size_t n = 0;

        for (unsigned i = 0; i < _API_LABELS; i++) {
                size_t length = strlen(labels[i]);

                if (n + length + 2 > KEY_MAX)
                        return false;
                memcpy(key + n, labels[i], length);
                n += length;
                key[n++] = i + 1 < _API_LABELS ? '\n' : '\0';
        }
        return true;
}

/* The series has its key and its labels behind it. */
static struct api_series *new_series(const char *key) {
        size_t n = strlen(key) + 1;
        struct api_series *s = calloc(1, sizeof(*s) + 2 * n);
        char *text = s ? (char *)(s + 1) : NULL, *labels = s ? text + n : NULL;

        if (!s)
                return NULL;
        memcpy(text, key, n);
        memcpy(labels, key, n);
        s->in_counts.key = text;
        for (unsigned i = 0; i < _API_LABELS; i++)
                s->labels[i] = strsep(&labels, "\n");
        return s;
}

static struct api_series *find_or_add(struct api_counts *counts, const char *key) {
        struct api_series *s = table_object(table_find(&counts->series, key), struct api_series, in_counts);
        int error;

        if (s || counts->series.n >= API_SERIES_MAX || !(s = new_series(key)))
                return s;
        pthread_mutex_lock(&counts->lock);
        error = table_add(&counts->series, &s->in_counts, s->in_counts.key);
        pthread_mutex_unlock(&counts->lock);
        if (error == 0)
                return s;
        free(s);
        return NULL;
}

static struct api_series *series_of(const struct api_request *r) {
        const char *labels[_API_LABELS];
        char key[KEY_MAX];

        return read_labels(r, labels) && make_key(key, labels) ? find_or_add(&r->loop->counts, key) : NULL;
}

static struct api_code *code_of(struct api_series *s, uint64_t code) {
        for (unsigned i = 0; i < s->n_codes; i++)
                if (s->codes[i].code == code)
                        return &s->codes[i];
        if (s->n_codes == API_CODES_MAX)
                return NULL;
        s->codes[s->n_codes].code = code;
        __atomic_store_n(&s->n_codes, s->n_codes + 1, __ATOMIC_RELEASE); /* readers see it with its code */
        return &s->codes[s->n_codes - 1];
}

/* --- what happens --- */

void api_count_begun(struct api_request *r) {
        r->series = series_of(r);
        if (r->series)
                metrics_count(&r->series->running, 1);
}

void api_count_stored(struct api_request *r, uint64_t ns) {
        struct api_series *s = series_of(r);

        if (s)
                metrics_observe(&s->stored, &api_store_buckets, (double)ns / NS_PER_S);
}

/* Whether how long it took, and how large it was, count. */
static bool count_answer(struct api_series *s, int code, uint64_t began_ns) {
        struct api_code *counted = code_of(s, (uint64_t)code);

        if (!counted)
                return false;
        metrics_count(&counted->answers, 1);
        if (code == TOO_MANY || code == TOO_LATE)
                metrics_count(&counted->terminated, 1);
        if (code == TOO_MANY)
                return false;
        metrics_observe(&s->durations, &api_duration_buckets, (double)(uv_hrtime() - began_ns) / NS_PER_S);
        return true;
}

void api_count_ended(struct api_request *r) {
        struct api_series *s = r->series;

        if (s)
                metrics_count(&s->running, -1);
        else if (r->code > 0)
                s = series_of(r);
        if (s && r->code > 0 && count_answer(s, r->code, r->began_ns) &&
            (!r->path.is_resource || r->verb & (KUBE_VERB_GET | KUBE_VERB_LIST)))
                metrics_observe(&s->sizes, &api_size_buckets, (double)r->answer_size);
}

void api_long_take(struct api_long *l, struct api_request *r) {
        *l = (struct api_long){ r->series, r->began_ns, r->code, (uint8_t)r->load, r->entered };
        r->series = NULL;
        r->entered = false;
        r->code = 0;
}

void api_long_event(const struct api_long *l, size_t size) {
        if (l->series)
                metrics_observe(&l->series->event_sizes, &api_event_buckets, (double)size);
}

void api_long_end(struct api_long *l, struct api_server *server) {
        if (l->entered)
                atomic_fetch_sub(&server->in_flight[l->load], 1);
        if (!l->series)
                return;
        metrics_count(&l->series->running, -1);
        if (l->code > 0)
                count_answer(l->series, l->code, l->began_ns);
}

/* --- all of a loop --- */

void api_counts_init(struct api_counts *counts) {
        *counts = (struct api_counts){ 0 };
        pthread_mutex_init(&counts->lock, NULL);
}

void api_counts_deinit(struct api_counts *counts) {
        for (size_t i = 0; i < counts->series.n_buckets; i++)
                for (struct table_node *node = counts->series.buckets[i], *next; node; node = next) {
                        next = node->next;
                        free(table_object(node, struct api_series, in_counts));
                }
        table_clear(&counts->series);
        pthread_mutex_destroy(&counts->lock);
}

static int add_series(struct api_counts *to, const struct api_series *s) {
        struct api_series *sum = find_or_add(to, s->in_counts.key);
        uint64_t n = __atomic_load_n(&s->n_codes, __ATOMIC_ACQUIRE);

        if (!sum)
                return -ENOMEM;
        metrics_add(&sum->durations, &s->durations);
        metrics_add(&sum->sizes, &s->sizes);
        metrics_add(&sum->event_sizes, &s->event_sizes);
        metrics_add(&sum->stored, &s->stored);
        sum->running += metrics_read(&s->running);
        for (uint64_t i = 0; i < n; i++) {
                struct api_code *code = code_of(sum, s->codes[i].code);

                if (!code)
                        continue;
                code->answers += metrics_read(&s->codes[i].answers);
                code->terminated += metrics_read(&s->codes[i].terminated);
        }
        return 0;
}

int api_counts_add(struct api_counts *to, struct api_counts *counts) {
        int r = 0;

        for (unsigned i = 0; i < _API_OUTCOMES; i++) {
                to->authentications[i] += metrics_read(&counts->authentications[i]);
                to->authorizations[i] += metrics_read(&counts->authorizations[i]);
        }
        to->audit_events += metrics_read(&counts->audit_events);
        to->audit_lost += metrics_read(&counts->audit_lost);
        pthread_mutex_lock(&counts->lock);
        for (size_t i = 0; i < counts->series.n_buckets; i++)
                for (struct table_node *node = counts->series.buckets[i]; node && r == 0; node = node->next)
                        r = add_series(to, table_object(node, struct api_series, in_counts));
        pthread_mutex_unlock(&counts->lock);
        return r;
}

void api_source_set(struct api_source *source, void (*write)(void *data, struct metrics_writer *w), void *data) {
        pthread_mutex_lock(&source->lock);
        source->write = write;
        source->data = data;
        pthread_mutex_unlock(&source->lock);
}

void api_source_write(struct api_source *source, struct metrics_writer *w) {
        pthread_mutex_lock(&source->lock);
        if (source->write)
                source->write(source->data, w);
        pthread_mutex_unlock(&source->lock);
}
