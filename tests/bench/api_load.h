/* A loader of API servers: clients that each have a connection of HTTP/2 and a certificate, as client-go's. Those that
 * ask are on one loop, those that watch on as many as there are processors, in a process each.
 *
 *     api_load.c        options, the table of workloads, what it prints
 *     api_load_ask.c    askers: one request after the other, as fast as they are answered or at a rate
 *     api_load_watch.c  watchers, and how long after it was made a change reaches them
 *     api_load_parts.c  the processes that watch
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "lib/http/client.h"

struct tls_context;
struct load;
struct asker;

#define LOAD_BODY_MAX 4096
#define LOAD_TARGET_MAX 1024
#define LOAD_TOKEN_MAX 512 /* of a continue token */
#define LOAD_HEADERS_MAX 8

struct load_ask {
        const char *method, *type; /* type NULL: no body */
        char target[LOAD_TARGET_MAX], body[LOAD_BODY_MAX];
};

struct load_workload {
        const char *name;
        void (*make)(struct asker *asker, struct load_ask *ask);
};

struct load_options {
        const char *server, *ca, *certificate, *key, *path, *watch;
        const struct load_workload *workload; /* NULL: none asks */
        struct http_field headers[LOAD_HEADERS_MAX];
        size_t n_headers;
        unsigned clients, watchers;
        unsigned streams; /* watchers that share a connection, as those of one client-go do */
        double seconds;
        long count;  /* ends after so many, whatever the time; 0: by time alone */
        double rate; /* of all askers together, a second; 0: as fast as they are answered */
        bool same;   /* all on one object */
};

/* Microseconds, in any order. */
struct load_samples {
        uint32_t *us;
        size_t n, size;
};

struct load {
        struct load_options options;
        uv_loop_t loop;
        uv_timer_t end, pace;
        struct tls_context *tls;
        struct sockaddr_storage address;
        socklen_t n_address;
        struct asker *askers;
        struct watch *watches;
        struct http_client *watching; /* has room for watchers that connect */
        bool is_part;
        unsigned first_watch, n_watches; /* this process' own */
        double cpu_begin_s, parts_cpu_s;
        unsigned ready, connecting; /* of clients and watches; those that are on their way */
        unsigned next_idle;         /* the asker whose turn a paced request is */
        bool runs;
        uint64_t begin_ns, end_ns;
        long begun, done, failed, late, delivered;
        uint64_t bytes;
        struct load_samples samples, deliveries;
};

struct asker {
        struct load *load;
        struct http_client *client;
        struct load_ask ask;
        unsigned number;
        long made;
        int status;
        bool busy, warm;
        uint64_t since_ns;
        char next[LOAD_TOKEN_MAX];  /* the continue token of the page before; "": a new list */
        char head[LOAD_TARGET_MAX]; /* the answer's first bytes */
        size_t n_head;
};

uint64_t load_now_ns(void);
void load_sample(struct load_samples *samples, uint64_t us);

/* A client of the server; ends the program where there is none. */
struct http_client *load_client(struct load *load);

/* Told when one more client has an answer: the next connects, and when all have, the load begins. */
void load_ready(struct load *load);

/* Connects asker @i, and lets all begin. */
void load_asker_connect(struct load *load, unsigned i);
void load_askers_begin(struct load *load);

/* Connects watcher @i. */
void load_watch_connect(struct load *load, unsigned i);

/* The processes that watch. The caller may be one of them afterwards (@load->is_part). */
void load_parts_start(struct load *load);
void load_parts_wait(void); /* until all watches are there */
void load_parts_begin(void);
void load_parts_gather(struct load *load);
void load_part_tell(const struct load *load); /* what is gathered */

/* This process' since the load began. */
double load_cpu_s(const struct load *load);

/* Said on standard error; the program ends. */
_Noreturn void load_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define LOAD_MARK "\"benchAt\":\"" /* and the nanoseconds at which the change was made */
#define LOAD_MARK_DIGITS 20
