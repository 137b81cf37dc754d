#include "api/pages/health.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "api/pages/metrics.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/state.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_text.h"
#include "lib/http/exchange.h"
#include "lib/http/message.h"
#include "lib/log.h"
#include "lib/metrics.h"

#define LOG_BLOCKED_NS UINT64_C(120000000000) /* after which a log that takes nothing is told */

/* --- the checks: each says why it fails, in @arena, or NULL --- */

struct looking {
        struct api_server *server;
        struct arena *arena;
};

static const char *look_at_nothing(const struct looking *l) {
        return NULL;
}

static const char *look_at_log(const struct looking *l) {
        atomic_ullong *blocked = &l->server->health.blocked_ns;
        unsigned long long since = 0, now = uv_hrtime();

        if (!log_is_blocked())
                atomic_store(blocked, 0);
        else if (!atomic_compare_exchange_strong(blocked, &since, now) && now - since >= LOG_BLOCKED_NS)
                return "logging blocked";
        return NULL;
}

static const char *look_at_store(const struct looking *l) {
        _cleanup_err_ struct err *err = NULL;

        if (api_state_check(l->server->config.state, &err) == 0)
                return NULL;
        return arena_printf(l->arena, "error getting data from etcd: %s", err_text(err)) ?: "no memory";
}

static const char *look_at_informers(const struct looking *l) {
        static const struct {
                enum api_step_of_start step;
                const char *name;
        } all[] = { { API_START_CONTROLLERS, "controllers" }, { API_START_SCHEDULER, "scheduler" } };
        struct arena_text names = { .arena = l->arena };
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTS(all); i++)
                if (!api_health_has_begun(&l->server->health, all[i].step))
                        arena_text_add(&names, "%s%s", n++ > 0 ? " " : "", all[i].name);
        if (n == 0)
                return NULL;
        return arena_printf(l->arena, "%u informers not started yet: [%s]", n, arena_text_of(&names) ?: "") ?:
                                                                                                              "no memory";
}

static const char *look_at_shutdown(const struct looking *l) {
        return atomic_load(&l->server->leaves) ? "process is shutting down" : NULL;
}

#define PAGE(page) (1u << (page))
enum { EVERYWHERE = PAGE(API_HEALTHZ) | PAGE(API_LIVEZ) | PAGE(API_READYZ) };

static const char *const pages[] = { [API_HEALTHZ] = "healthz", [API_LIVEZ] = "livez", [API_READYZ] = "readyz" };

/* In the order of kube-apiserver's, which comes of how its servers stand on each other. */
static const struct check {
        const char *name;
        unsigned pages;
        const char *(*look)(const struct looking *l); /* NULL: whether @step is done */
        enum api_step_of_start step;
} checks[] = {
        { "ping", EVERYWHERE, look_at_nothing, 0 },
        { "log", EVERYWHERE, look_at_log, 0 },
        { "etcd", EVERYWHERE, look_at_store, 0 }, /* clients know the store so */
        { "etcd-readiness", PAGE(API_READYZ), look_at_store, 0 },
        { "informer-sync", PAGE(API_READYZ), look_at_informers, 0 },
        { "poststarthook/generic-apiserver-start-informers", EVERYWHERE, NULL, API_START_INFORMERS },
        { "poststarthook/priority-and-fairness-config-consumer", EVERYWHERE, NULL, API_START_CLASSIFIES },
        { "poststarthook/start-system-namespaces-controller", EVERYWHERE, NULL, API_START_NAMESPACES },
        { "poststarthook/start-cluster-authentication-info-controller", EVERYWHERE, NULL, API_START_TRUST },
        { "poststarthook/storage-readiness", EVERYWHERE, NULL, API_START_STATE },
        { "poststarthook/start-legacy-token-tracking-controller", EVERYWHERE, NULL, API_START_TRACKING },
        { "poststarthook/start-service-ip-repair-controllers", EVERYWHERE, NULL, API_START_ADDRESSES },
        { "poststarthook/rbac/bootstrap-roles", EVERYWHERE, NULL, API_START_ROLES },
        { "poststarthook/scheduling/bootstrap-system-priority-classes", EVERYWHERE, NULL, API_START_CLASSES },
        { "poststarthook/priority-and-fairness-config-producer", EVERYWHERE, NULL, API_START_FLOWS },
        { "poststarthook/bootstrap-controller", EVERYWHERE, NULL, API_START_SERVICE },
        { "poststarthook/start-kubernetes-service-cidr-controller", EVERYWHERE, NULL, API_START_RANGES },
        { "shutdown", PAGE(API_READYZ), look_at_shutdown, 0 },
};

static_assert(ELEMENTS(checks) <= API_CHECKS_MAX, "every check is counted");

static bool has_check(enum api_health_page page, const struct check *check) {
        return check->pages & PAGE(page);
}

static const struct check *find_check(enum api_health_page page, const char *name) {
        for (size_t i = 0; i < ELEMENTS(checks); i++)
                if (has_check(page, &checks[i]) && strcmp(checks[i].name, name) == 0)
                        return &checks[i];
        return NULL;
}

static const char *look(struct api_request *r, const struct check *check) {
        const struct looking l = { r->server, r->arena };

        if (check->look)
                return check->look(&l);
        return api_health_has_begun(&r->server->health, check->step) ? NULL : "not finished";
}

size_t api_health_paths(struct arena *arena, const char **ret_paths) {
        size_t n = 0;

        for (enum api_health_page page = 0; page < _API_HEALTH_PAGES; page++)
                for (size_t i = 0; i < ELEMENTS(checks); i++)
                        if (has_check(page, &checks[i]))
                                ret_paths[n++] = arena_printf(arena, "/%s/%s", pages[page], checks[i].name);
        return n;
}

/* --- one of them --- */

static enum api_step show_check(struct api_request *r, enum api_health_page page, const char *name) {
        const struct check *check = find_check(page, name);
        const char *why;

        if (!check)
                return api_no_page(r);
        why = look(r, check);
        if (why)
                api_respond_text(r, 500, arena_printf(r->arena, "internal server error: %s\n", why) ?: "");
        else
                api_respond_text(r, 200, "ok");
        return API_END;
}

/* --- all of them --- */

/* ?exclude=NAME has a check count as good. */
static bool is_excluded(struct api_request *r, const char *name) {
        const char *query = http_request_of(r->x)->query, *excluded;

        while ((excluded = http_query_next(r->arena, &query, "exclude")))
                if (strcmp(excluded, name) == 0)
                        return true;
        return false;
}

/* A warning about those that no check is called. */
static void add_unknown(struct api_request *r, enum api_health_page page, struct arena_text *text) {
        const char *query = http_request_of(r->x)->query, *excluded, *quoted;
        struct arena_text names = { .arena = r->arena };

        while ((excluded = http_query_next(r->arena, &query, "exclude"))) {
                quoted = find_check(page, excluded) ? NULL : go_text_quote(r->arena, excluded);
                if (quoted)
                        arena_text_add(&names, "%s%s", names.length > 0 ? "," : "", quoted);
        }
        if (names.length > 0)
                arena_text_add(text, "warn: some health checks cannot be excluded: no matches for %s\n",
                               arena_text_of(&names) ?: "");
}

static bool add_check(struct api_request *r, enum api_health_page page, size_t i, struct arena_text *text) {
        const struct check *check = &checks[i];
        bool good;

        if (is_excluded(r, check->name)) {
                arena_text_add(text, "[+]%s excluded: ok\n", check->name);
                return true;
        }
        good = !look(r, check);
        api_health_count(&r->server->health.counts[i][page], good);
        arena_text_add(text, good ? "[+]%s ok\n" : "[-]%s failed: reason withheld\n", check->name);
        return good;
}

static enum api_step show_all(struct api_request *r, enum api_health_page page) {
        const char *query = http_request_of(r->x)->query;
        bool verbose = *query && http_query(r->arena, query, "verbose"), good = true;
        struct arena_text text = { .arena = r->arena };

        for (size_t i = 0; i < ELEMENTS(checks); i++)
                if (has_check(page, &checks[i]))
                        good &= add_check(r, page, i, &text);
        add_unknown(r, page, &text);
        arena_text_add(&text, "%s check %s\n", pages[page], good ? "passed" : "failed");
        r->no_sniff = true;
        api_respond_text(r, good ? 200 : 500, good && !verbose ? "ok" : arena_text_of(&text) ?: "");
        return API_END;
}

enum api_step api_health_show(struct api_request *r, const char *rest) {
        const char *path = r->path.whole + 1;
        enum api_health_page page = 0;

        while (strncmp(path, pages[page], strlen(pages[page])) != 0)
                page++;
        if (path[strlen(path) - 1] == '/')
                return api_no_page(r);
        return *rest ? show_check(r, page, rest) : show_all(r, page);
}

/* --- /metrics/slis --- */

static int by_name(const void *a, const void *b) {
        const struct check *const *x = a, *const *y = b;

        return strcmp((*x)->name, (*y)->name);
}

static void write_last(struct metrics_writer *w, const struct check *check, const struct api_check_count *counts) {
        for (enum api_health_page page = 0; page < _API_HEALTH_PAGES; page++) {
                const struct metrics_label labels[] = { { "name", check->name }, { "type", pages[page] } };

                if (atomic_load(&counts[page].good) + atomic_load(&counts[page].bad) > 0)
                        metrics_sample(w, labels, ELEMENTS(labels), atomic_load(&counts[page].is_good));
        }
}

static void write_total(struct metrics_writer *w, const struct check *check, const struct api_check_count *counts,
                        bool good) {
        for (enum api_health_page page = 0; page < _API_HEALTH_PAGES; page++) {
                const struct metrics_label labels[] = { { "name", check->name },
                                                        { "status", good ? "success" : "error" },
                                                        { "type", pages[page] } };
                unsigned long long n = atomic_load(good ? &counts[page].good : &counts[page].bad);

                if (n > 0)
                        metrics_sample(w, labels, ELEMENTS(labels), (double)n);
        }
}

static void write_checks(struct metrics_writer *w, const struct api_health *health) {
        const struct check *sorted[ELEMENTS(checks)];

        for (size_t i = 0; i < ELEMENTS(checks); i++)
                sorted[i] = &checks[i];
        qsort(sorted, ELEMENTS(sorted), sizeof(*sorted), by_name);
        metrics_family(w, "kubernetes_healthcheck", METRICS_GAUGE,
                       "[STABLE] This metric records the result of a single healthcheck.");
        for (size_t i = 0; i < ELEMENTS(sorted); i++)
                write_last(w, sorted[i], health->counts[sorted[i] - checks]);
        metrics_family(w, "kubernetes_healthchecks_total", METRICS_COUNTER,
                       "[STABLE] This metric records the results of all healthcheck.");
        for (size_t i = 0; i < ELEMENTS(sorted); i++)
                for (int good = 0; good <= 1; good++)
                        write_total(w, sorted[i], health->counts[sorted[i] - checks], good);
}

static char *make_page(const struct api_health *health, bool open, size_t *ret_length) {
        char *text = NULL;
        struct metrics_writer w = { .out = open_memstream(&text, ret_length), .open = open };

        if (!w.out)
                return NULL;
        write_checks(&w, health);
        metrics_end(&w);
        if (fclose(w.out) == 0)
                return text;
        free(text);
        return NULL;
}

enum api_step api_health_show_metrics(struct api_request *r, const char *rest) {
        bool open = metrics_wants_open(http_fields_get(&http_request_of(r->x)->fields, "accept"));
        size_t length = 0;
        _cleanup_free_ char *text = make_page(&r->server->health, open, &length);

        return api_metrics_answer(r, text, length, open);
}
