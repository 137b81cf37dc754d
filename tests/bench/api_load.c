/* Loads an API server and prints what came of it as a line of JSON. It says "ready" once all have connected, and begins
 * when it is sent a line: whoever measures the server looks at it then.
 *
 * api_load --server IP:PORT --ca FILE --cert FILE --key FILE --workload NAME [--clients N] [--seconds S] [--count N]
 *          [--rate N] [--path PATH] [--header 'NAME: VALUE'] [--same] [--watch PATH --watchers N [--streams N]]
 *
 * --watch is a path that ends with the number of the watcher, unless all are the --same; so many --streams share a
 * connection. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/transport/address.h"
#include "lib/transport/tls.h"
#include "tests/bench/api_load.h"

#define CONNECTING_MAX 32
#define VALUE_BYTES 800 /* of a ConfigMap, which comes to 1 KiB with all that is said about it */
#define DRAIN_MS 1000   /* in which what was changed last may still reach its watchers */

uint64_t load_now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void load_fail(const char *format, ...) {
        va_list args;

        va_start(args, format);
        fputs("api_load: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
        va_end(args);
        exit(1);
}

void load_sample(struct load_samples *samples, uint64_t us) {
        if (samples->n == samples->size) {
                samples->size = samples->size ? 2 * samples->size : 4096;
                samples->us = realloc(samples->us, samples->size * sizeof(*samples->us));
                if (!samples->us)
                        load_fail("no memory");
        }
        samples->us[samples->n++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* --- workloads --- */

static const char *value_of(void) {
        static char value[VALUE_BYTES + 1];

        for (size_t i = 0; !value[VALUE_BYTES - 1] && i < VALUE_BYTES; i++)
                value[i] = (char)('a' + i * 7 % 26);
        return value;
}

static void make_create(struct asker *a, struct load_ask *ask) {
        const char *path = a->load->options.path;

        ask->method = "POST";
        ask->type = "application/json";
        snprintf(ask->target, sizeof(ask->target), "%s", path);
        snprintf(ask->body, sizeof(ask->body),
                 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"b-%d-%u-%ld\",\"labels\":{"
                 "\"app\":\"bench\"}},\"data\":{\"value\":\"%s\"}}",
                 (int)getpid(), a->number, a->made, value_of());
}

/* Names that are known, for those who watch them. */
static void make_numbered(struct asker *a, struct load_ask *ask) {
        make_create(a, ask);
        snprintf(ask->body, sizeof(ask->body),
                 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"n-%ld\"},\"data\":{"
                 "\"value\":\"%s\",\"benchAt\":\"%020d\"}}",
                 a->load->begun - 1, value_of(), 0);
}

static void make_get(struct asker *a, struct load_ask *ask) {
        ask->method = "GET";
        snprintf(ask->target, sizeof(ask->target), "%s", a->load->options.path);
}

static void make_pages(struct asker *a, struct load_ask *ask) {
        ask->method = "GET";
        snprintf(ask->target, sizeof(ask->target), "%s?limit=500%s%s", a->load->options.path,
                 a->next[0] ? "&continue=" : "", a->next);
}

/* --path and the number of an object; each asker has one. */
static void make_patch(struct asker *a, struct load_ask *ask, const char *type, const char *query) {
        ask->method = "PATCH";
        ask->type = type;
        snprintf(ask->target, sizeof(ask->target), "%s%u%s", a->load->options.path,
                 a->load->options.same ? 0 : a->number, query);
}

static void make_apply(struct asker *a, struct load_ask *ask) {
        const char *path = a->load->options.path, *slash = strrchr(path, '/');

        make_patch(a, ask, "application/apply-patch+yaml", "?fieldManager=bench&force=true");
        snprintf(ask->body, sizeof(ask->body),
                 "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"%s%u\",\"labels\":{"
                 "\"app\":\"web\"}},\"spec\":{\"replicas\":2,\"selector\":{\"matchLabels\":{\"app\":\"web\"}},"
                 "\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":"
                 "\"web\",\"image\":\"nginx:1.25\",\"ports\":[{\"containerPort\":80}],\"env\":[{\"name\":\"A\","
                 "\"value\":\"%u-%ld\"}],\"resources\":{\"requests\":{\"cpu\":\"100m\",\"memory\":\"64Mi\"}}}]}}}}",
                 slash ? slash + 1 : path, a->load->options.same ? 0 : a->number, a->number, a->made);
}

static void make_strategic(struct asker *a, struct load_ask *ask) {
        make_patch(a, ask, "application/strategic-merge-patch+json", "");
        snprintf(ask->body, sizeof(ask->body),
                 "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"web\",\"env\":[{\"name\":\"A\","
                 "\"value\":\"%u-%ld\"}]}]}}}}",
                 a->number, a->made);
}

/* A change that says when it was made, of one object after the other. */
static void make_stamp(struct asker *a, struct load_ask *ask) {
        struct load *l = a->load;
        unsigned n = l->options.same ? 1 : l->options.watchers ?: 1;

        ask->method = "PATCH";
        ask->type = "application/merge-patch+json";
        snprintf(ask->target, sizeof(ask->target), "%s%ld", l->options.path, l->begun % n);
        snprintf(ask->body, sizeof(ask->body), "{\"data\":{\"benchAt\":\"%020llu\"}}",
                 (unsigned long long)load_now_ns());
}

static const struct load_workload workloads[] = {
        { "create", make_create }, { "numbered", make_numbered },   { "get", make_get },     { "pages", make_pages },
        { "apply", make_apply },   { "strategic", make_strategic }, { "stamp", make_stamp },
};

static const struct load_workload *workload_of(const char *name) {
        for (size_t i = 0; i < ELEMENTS(workloads); i++)
                if (strcmp(workloads[i].name, name) == 0)
                        return &workloads[i];
        load_fail("%s is no workload", name);
}

/* --- connections --- */

struct http_client *load_client(struct load *load) {
        const struct http_client_config config = {
                .address = (const struct sockaddr *)&load->address,
                .n_address = load->n_address,
                .authority = load->options.server,
                .tls = load->tls,
                .name = "127.0.0.1",
                .connections_max = 1,
                .idle_ms = UINT_MAX,
        };
        struct http_client *client;

        if (http_client_new(&load->loop, &config, &client) < 0)
                load_fail("no memory for a client");
        return client;
}

static void on_end(uv_timer_t *timer) {
        struct load *l = timer->data;

        if (l->runs) {
                l->runs = false;
                uv_timer_stop(&l->pace);
        }
        uv_stop(&l->loop);
}

static double cpu_s(void) {
        struct rusage use;

        getrusage(RUSAGE_SELF, &use);
        return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
               (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

double load_cpu_s(const struct load *load) {
        return cpu_s() - load->cpu_begin_s + load->parts_cpu_s;
}

static void begin(struct load *l) {
        uint64_t ms = (uint64_t)(l->options.seconds * 1000) + (l->is_part ? DRAIN_MS : 0);
        char line[8];

        load_parts_wait();
        l->begin_ns = load_now_ns(); /* a part's: what is made from now on counts */
        printf("ready\n");
        fflush(stdout);
        if (!fgets(line, sizeof(line), stdin))
                load_fail("nobody says when to begin");
        load_parts_begin();
        uv_update_time(&l->loop);
        l->runs = true;
        l->begin_ns = l->is_part ? l->begin_ns : load_now_ns();
        l->end_ns = l->begin_ns;
        l->cpu_begin_s = cpu_s();
        l->end.data = l;
        uv_timer_start(&l->end, on_end, ms, 0);
        load_askers_begin(l);
}

static void connect_next(struct load *l) {
        unsigned i = l->connecting++, n = l->options.clients;

        if (i < n)
                load_asker_connect(l, i);
        else if (i < n + l->n_watches)
                load_watch_connect(l, i - n);
}

void load_ready(struct load *load) {
        connect_next(load);
        if (++load->ready == load->options.clients + load->n_watches)
                begin(load);
}

static void make_tls(struct load *l) {
        static const char *const protocols[] = { "h2", NULL };
        const struct load_options *o = &l->options;
        _cleanup_err_ struct err *err = NULL;
        struct tls_config config = { .side = TLS_CLIENT, .verify = TLS_VERIFY_REQUIRED, .protocols = protocols };
        char *ca, *certificate, *key;

        if (files_read(o->ca, TLS_PEM_MAX, &ca, NULL, &err) < 0 ||
            files_read(o->certificate, TLS_PEM_MAX, &certificate, NULL, &err) < 0 ||
            files_read(o->key, TLS_PEM_MAX, &key, NULL, &err) < 0)
                load_fail("%s", err_text(err));
        config.authorities = ca;
        config.certificate = certificate;
        config.key = key;
        if (tls_context_new(&config, &l->tls, &err) < 0 ||
            address_parse(o->server, &l->address, &l->n_address, &err) < 0)
                load_fail("%s", err_text(err));
        free(ca);
        free(certificate);
        free(key);
}

/* --- what came of it --- */

static int compare(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static double part(struct load_samples *s, unsigned percent) {
        return s->n ? s->us[(s->n - 1) * percent / 100] / 1e3 : 0;
}

static void print(struct load *l) {
        struct load_samples *s = l->options.watchers ? &l->deliveries : &l->samples;
        double seconds = (double)(l->end_ns - l->begin_ns) / 1e9;

        if (s->n > 0)
                qsort(s->us, s->n, sizeof(*s->us), compare);
        printf("{\"done\":%ld,\"failed\":%ld,\"late\":%ld,\"delivered\":%ld,\"seconds\":%.3f,\"rate\":%.1f,"
               "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"bytes\":%llu,\"cpu_s\":%.3f}\n",
               l->done, l->failed, l->late, l->delivered, seconds, seconds > 0 ? (double)l->done / seconds : 0,
               part(s, 50), part(s, 99), (unsigned long long)l->bytes, load_cpu_s(l));
        fflush(stdout);
}

static void add_header(struct load_options *o, char *text) {
        char *colon = strstr(text, ": ");

        if (!colon || o->n_headers == LOAD_HEADERS_MAX)
                load_fail("--header: %s", text);
        *colon = '\0';
        o->headers[o->n_headers++] = (struct http_field){ text, colon + 2 };
}

static struct load_options read_options(int argc, char **argv) {
        static const struct option names[] = {
                { "server", 1, 0, 's' },   { "ca", 1, 0, 'a' },       { "cert", 1, 0, 'c' },    { "key", 1, 0, 'k' },
                { "workload", 1, 0, 'w' }, { "clients", 1, 0, 'n' },  { "seconds", 1, 0, 't' }, { "count", 1, 0, 'N' },
                { "rate", 1, 0, 'r' },     { "path", 1, 0, 'p' },     { "header", 1, 0, 'H' },  { "same", 0, 0, 'S' },
                { "watch", 1, 0, 'W' },    { "watchers", 1, 0, 'm' }, { "streams", 1, 0, 'M' }, { 0 },
        };
        struct load_options o = { .clients = 1, .streams = 1, .seconds = 5, .path = "/version" };

        for (int c; (c = getopt_long(argc, argv, "", names, NULL)) >= 0;)
                switch (c) {
                case 's':
                        o.server = optarg;
                        break;
                case 'a':
                        o.ca = optarg;
                        break;
                case 'c':
                        o.certificate = optarg;
                        break;
                case 'k':
                        o.key = optarg;
                        break;
                case 'w':
                        o.workload = workload_of(optarg);
                        break;
                case 'n':
                        o.clients = (unsigned)atoi(optarg);
                        break;
                case 't':
                        o.seconds = atof(optarg);
                        break;
                case 'N':
                        o.count = atol(optarg);
                        break;
                case 'r':
                        o.rate = atof(optarg);
                        break;
                case 'p':
                        o.path = optarg;
                        break;
                case 'H':
                        add_header(&o, optarg);
                        break;
                case 'S':
                        o.same = true;
                        break;
                case 'W':
                        o.watch = optarg;
                        break;
                case 'm':
                        o.watchers = (unsigned)atoi(optarg);
                        break;
                case 'M':
                        o.streams = (unsigned)atoi(optarg);
                        break;
                default:
                        exit(2);
                }
        if (!o.server || !o.ca || !o.certificate || !o.key || !o.workload || (o.watchers && !o.watch) || !o.clients ||
            !o.streams)
                load_fail("--server, --ca, --cert, --key and --workload are wanted");
        return o;
}

int main(int argc, char **argv) {
        static struct load load;
        struct rlimit files = { 65536, 65536 };

        load.options = read_options(argc, argv);
        setrlimit(RLIMIT_NOFILE, &files);
        if (load.options.watchers > 0)
                load_parts_start(&load);
        load.askers = calloc(load.options.clients + 1, sizeof(*load.askers));
        if (!load.askers || uv_loop_init(&load.loop) < 0)
                load_fail("no memory");
        uv_timer_init(&load.loop, &load.end);
        uv_timer_init(&load.loop, &load.pace);
        make_tls(&load);
        for (unsigned i = 0; i < CONNECTING_MAX; i++)
                connect_next(&load);
        uv_run(&load.loop, UV_RUN_DEFAULT);
        if (load.is_part) {
                load_part_tell(&load);
                return 0;
        }
        if (load.options.watchers > 0) {
                load.runs = true;
                uv_timer_start(&load.end, on_end, DRAIN_MS, 0);
                load.options.count = load.begun; /* nobody asks more */
                uv_run(&load.loop, UV_RUN_DEFAULT);
        }
        load_parts_gather(&load);
        print(&load);
        return load.failed > 0;
}
