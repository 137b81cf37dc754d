/* What a client wants of the host's logs: /logs/?query=..., as kubelet reads and checks it (KEP-2258,
 * pkg/kubelet/kubelet_server_journal.go). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arena;

#define LOG_QUERY_SERVICES_MAX 4
#define LOG_QUERY_SERVICE_MAX 256 /* bytes of a service's name */
#define LOG_QUERY_TAIL_MAX 100000 /* lines */
#define LOG_QUERY_ASKED_MAX 64    /* parameters "query" that are looked at */

/* Options of queries for services. */
struct kubelet_log_query_options {
        int64_t since_usec, until_usec; /* since 1970; with has_... */
        int64_t tail_lines;             /* -1: all */
        int64_t boot;                   /* 0: this one, -1: the one before, ...; with has_boot */
        const char *pattern;            /* NULL: none */
        bool has_since, has_until, has_boot;
};

struct kubelet_log_query {
        const char *services[LOG_QUERY_SERVICES_MAX];
        uint32_t n_services;
        const char *file; /* below /var/log; NULL: services are asked for */
        struct kubelet_log_query_options options;
        bool any_option;
};

/* What is wrong with it: an HTTP status and kubelet's words. */
struct kubelet_log_refusal {
        int status;
        const char *text;
};

/* Reads @query, that of /logs/@path. 1: it is none, the path names a file; 0: it is one, or *ret_refusal is set;
 * -ENOMEM. Texts are in @arena. May block: a file is looked for, a pattern tried. */
int kubelet_log_query_read(struct arena *arena, const char *query, const char *path,
                           struct kubelet_log_query *ret_query, struct kubelet_log_refusal *ret_refusal);
