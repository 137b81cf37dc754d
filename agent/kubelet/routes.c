/* The table of routes, and the way to one: who asks, and whether they may. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "agent/kubelet/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/http/route.h"
#include "lib/log.h"
#include "lib/stream/bearer.h"

#define PATH_OF_POD "/{namespace}/{pod}"
#define PATH_OF_CONTAINER PATH_OF_POD "/{container}"
#define PATH_OF_UID PATH_OF_POD "/{uid}"

/* Whether it is below one of the paths of which go-restful has the words, which differ from those of Go's mux. */
static bool is_restful(const char *path) {
        static const char *const roots[] = { "containerLogs", "exec",  "attach",      "run",       "portForward",
                                             "pods",          "stats", "runningpods", "checkpoint" };
        size_t n = strcspn(path + 1, "/?");

        for (size_t i = 0; i < ELEMENTS(roots); i++)
                if (strlen(roots[i]) == n && memcmp(roots[i], path + 1, n) == 0)
                        return true;
        return false;
}

/* What is no route, or not with this method: known only to who may ask for all. */
static void serve_nothing(struct kubelet_request *q) {
        bool restful = is_restful(http_request_of(q->x)->target);
        struct http_route all[KUBELET_ROUTES_MAX];
        const char *methods = route_methods(all, kubelet_routes_of(q->kubelet, q->reader, all), q->x);
        struct http_field fields[] = { { "allow", methods }, { "content-type", "text/plain; charset=utf-8" } };
        const char *refused = restful ? "405: Method Not Allowed" : "Method Not Allowed";

        if (!*methods)
                return kubelet_text(q, 404, restful ? "404: Page Not Found" : "404 page not found\n");
        if (http_respond(q->x, 405, fields, ELEMENTS(fields), (int64_t)strlen(refused)) < 0 ||
            http_send(q->x, refused, strlen(refused)) < 0 || http_end(q->x, NULL, 0) < 0)
                http_reset(q->x, -ENOMEM);
}

/* clang-format off */
static const struct kubelet_route routes[] = {
        { "GET",  "/healthz",                        kubelet_serve_health,            "healthz",    KUBELET_OPEN | KUBELET_BROAD },
        { "GET",  "/healthz/{check}",                kubelet_serve_health,            "healthz",    KUBELET_OPEN | KUBELET_BROAD },
        { "GET",  "/pods",                           kubelet_serve_pods,              "pods",       KUBELET_OPEN | KUBELET_PODS | KUBELET_BROAD },
        { "GET",  "/pods/",                          kubelet_serve_pods,              "pods",       KUBELET_OPEN | KUBELET_PODS | KUBELET_BROAD },
        { "GET",  "/runningpods/",                   kubelet_serve_running_pods,      "pods",       KUBELET_PODS | KUBELET_DEBUGS | KUBELET_BROAD },
        { "GET",  "/runningpods",                    kubelet_serve_running_pods,      "pods",       KUBELET_PODS | KUBELET_DEBUGS | KUBELET_BROAD },
        { "GET",  "/configz",                        kubelet_serve_config,            "configz",    KUBELET_DEBUGS | KUBELET_BROAD },
        { "GET",  "/stats/summary",                  kubelet_serve_summary,           "stats",      KUBELET_OPEN | KUBELET_PODS },
        { "GET",  "/metrics",                        kubelet_serve_metrics,           "metrics",    KUBELET_OPEN },
        { "GET",  "/metrics/cadvisor",               kubelet_serve_container_metrics, "metrics",    KUBELET_OPEN },
        { "GET",  "/metrics/resource",               kubelet_serve_resource_metrics,  "metrics",    KUBELET_OPEN },
        { "GET",  "/metrics/probes",                 kubelet_serve_probe_metrics,     "metrics",    KUBELET_OPEN | KUBELET_PODS },
        { "GET",  "/logs",                           kubelet_serve_host_logs,         "log",        KUBELET_DEBUGS },
        { "GET",  "/logs/{path...}",                 kubelet_serve_host_logs,         "log",        KUBELET_DEBUGS },
        { "GET",  "/containerLogs" PATH_OF_CONTAINER, kubelet_serve_logs,             NULL,         KUBELET_PODS | KUBELET_DEBUGS },
        { "GET",  "/exec" PATH_OF_CONTAINER,         kubelet_serve_exec,              NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "POST", "/exec" PATH_OF_CONTAINER,         kubelet_serve_exec,              NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "GET",  "/exec" PATH_OF_UID "/{container}",    kubelet_serve_exec,          NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "POST", "/exec" PATH_OF_UID "/{container}",    kubelet_serve_exec,          NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "GET",  "/attach" PATH_OF_CONTAINER,       kubelet_serve_attach,            NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "POST", "/attach" PATH_OF_CONTAINER,       kubelet_serve_attach,            NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "GET",  "/attach" PATH_OF_UID "/{container}",  kubelet_serve_attach,        NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "POST", "/attach" PATH_OF_UID "/{container}",  kubelet_serve_attach,        NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "GET",  "/portForward" PATH_OF_POD,        kubelet_serve_port_forward,      NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "POST", "/portForward" PATH_OF_POD,        kubelet_serve_port_forward,      NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "GET",  "/portForward" PATH_OF_UID,        kubelet_serve_port_forward,      NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "POST", "/portForward" PATH_OF_UID,        kubelet_serve_port_forward,      NULL,         KUBELET_PODS | KUBELET_DEBUGS | KUBELET_UPGRADES },
        { "POST", "/run" PATH_OF_CONTAINER,          kubelet_serve_run,               NULL,         KUBELET_PODS | KUBELET_DEBUGS },
        { "POST", "/run" PATH_OF_UID "/{container}", kubelet_serve_run,               NULL,         KUBELET_PODS | KUBELET_DEBUGS },
        { "POST", "/checkpoint" PATH_OF_CONTAINER,   kubelet_serve_checkpoint,        "checkpoint", KUBELET_PODS | KUBELET_DEBUGS },
        { "GET",  "/events",                         kubelet_serve_events,            NULL,         KUBELET_OPEN | KUBELET_OWN | KUBELET_PODS },
        { "GET",  "/files",                          kubelet_serve_files,             NULL,         KUBELET_OPEN | KUBELET_OWN | KUBELET_PODS },
        { "GET",  "/node",                           kubelet_serve_node,              NULL,         KUBELET_OPEN | KUBELET_OWN | KUBELET_PODS },
        { NULL,   "/{path...}",                      serve_nothing,                   NULL,         KUBELET_OPEN },
};
/* clang-format on */

_Static_assert(ELEMENTS(routes) <= KUBELET_ROUTES_MAX, "room for all routes");

static bool is_served(const struct kubelet *kubelet, bool reader, const struct kubelet_route *route) {
        if ((route->flags & KUBELET_PODS) && !kubelet->world.host)
                return false;
        return reader ? route->flags & KUBELET_OPEN : !(route->flags & KUBELET_OWN);
}

/* The row of the route that @x came by. */
static const struct kubelet_route *row_of(const struct http_exchange *x) {
        const struct http_route *route = http_route_of(x);

        for (size_t i = 0; i < ELEMENTS(routes); i++)
                if (routes[i].path == route->path && routes[i].method == route->method)
                        return &routes[i];
        return &routes[ELEMENTS(routes) - 1];
}

static struct kubelet_request *take(struct kubelet *kubelet, struct http_exchange *x, bool reader) {
        struct kubelet_request *q = kubelet_request_new(kubelet, x);

        if (q) {
                q->route = row_of(x);
                q->reader = reader;
        }
        return q;
}

static void read_only(struct http_exchange *x, void *data) {
        struct kubelet_request *q = take(data, x, true);

        if (q)
                q->route->serve(q);
}

/* -- who may ----------------------------------------------------------------------------------------------- */

/* Of kubelet's: the service has a verb for each method. */
static const char *verb_of(const struct kubelet_request *q) {
        static const char *const verbs[][2] = {
                { "POST", "create" }, { "GET", "get" },       { "PUT", "update" },
                { "PATCH", "patch" }, { "DELETE", "delete" }, { "CONNECT", "get" }, /* WebSocket over HTTP/2 */
        };

        for (size_t i = 0; i < ELEMENTS(verbs); i++)
                if (strcmp(http_request_of(q->x)->method, verbs[i][0]) == 0)
                        return verbs[i][1];
        return "";
}

/* The @i-th of nodes' subresources that is enough; NULL: there is none left. */
static const char *right_of(const struct kubelet_route *route, unsigned i) {
        if (route->right && i == 0)
                return route->right;
        return i == (route->right ? 1u : 0u) && (!route->right || (route->flags & KUBELET_BROAD)) ? "proxy" : NULL;
}

static void serve(struct kubelet_request *q) {
        if (!(q->route->flags & KUBELET_UPGRADES))
                http_resume(q->x);
        if ((q->route->flags & KUBELET_DEBUGS) && !q->kubelet->world.options->server.debugs)
                return kubelet_text(q, 405, "Debug endpoints are disabled.\n");
        q->route->serve(q);
}

static void refuse(struct kubelet_request *q) {
        const char *first = right_of(q->route, 0), *second = right_of(q->route, 1);

        kubelet_text(q, 403, "Forbidden (user=%s, verb=%s, resource=nodes, subresource(s)=[%s%s%s])\n", q->user->name,
                     verb_of(q), first, second ? " " : "", second ?: "");
}

static void on_access(struct kubelet_waiter *waiter, const struct kubelet_said *said);

/* Asks for one right after the other until one is had. */
static void authorize(struct kubelet_request *q) {
        struct kubelet *k = q->kubelet;
        struct kubelet_said said;
        const char *right;

        if (strcmp(k->world.options->server.mode, "AlwaysAllow") == 0)
                return serve(q);
        q->waiter.done = on_access;
        for (; (right = right_of(q->route, q->n_denied)); q->n_denied++) {
                const struct kubelet_access access = { q->user, verb_of(q), k->world.options->node_name, right };
                int r = kubelet_review_access(k->reviews, &access, &q->waiter, &said);

                if (r == 0)
                        return;
                if (r < 0)
                        return on_access(&q->waiter, &(struct kubelet_said){ .error = r });
                if (said.yes)
                        return serve(q);
        }
        refuse(q);
}

static struct kubelet_request *request_of(struct kubelet_waiter *waiter) {
        return (struct kubelet_request *)((char *)waiter - offsetof(struct kubelet_request, waiter));
}

static void on_access(struct kubelet_waiter *waiter, const struct kubelet_said *said) {
        struct kubelet_request *q = request_of(waiter);

        if (said->error < 0)
                return kubelet_text(q, 500, "Authorization error (user=%s, verb=%s, resource=nodes, subresource=%s)",
                                    q->user->name, verb_of(q), right_of(q->route, q->n_denied));
        if (said->yes)
                return serve(q);
        q->n_denied++;
        authorize(q);
}

/* -- who asks ---------------------------------------------------------------------------------------------- */

static void refuse_unknown(struct kubelet_request *q) {
        kubelet_text(q, 401, "Unauthorized");
}

static void take_token(struct kubelet_request *q, const struct kubelet_said *said) {
        if (said->error < 0 || !said->yes)
                return refuse_unknown(q);
        q->user = kubelet_user_ref(said->user);
        authorize(q);
}

static void on_token(struct kubelet_waiter *waiter, const struct kubelet_said *said) {
        take_token(request_of(waiter), said);
}

/* "Bearer TOKEN", the word in any case. */
static const char *bearer_of(struct kubelet_request *q) {
        const char *header = http_fields_get(&http_request_of(q->x)->fields, "authorization");

        if (!header || strncasecmp(header, "bearer ", 7) != 0)
                return NULL;
        header += 7 + strspn(header + 7, " ");
        return arena_strndup(http_arena(q->x), header, strcspn(header, " "));
}

/* 0; -ENODATA: there is none; -EACCES: what is there is none that can be asked about; -ENOMEM. */
static int find_token(struct kubelet_request *q, const char **ret_token) {
        _cleanup_err_ struct err *err = NULL;
        int r;

        *ret_token = bearer_of(q);
        if (*ret_token && **ret_token)
                return 0;
        r = websocket_bearer(http_request_of(q->x), http_arena(q->x), ret_token, &err);
        if (r == -EACCES)
                log_debug("kubelet's API: %s", err_text(err));
        return r;
}

static bool by_token(struct kubelet_request *q) {
        struct kubelet *k = q->kubelet;
        struct kubelet_said said = { 0 };
        const char *token;
        int r;

        if (!k->world.options->server.tokens || (r = find_token(q, &token)) == -ENODATA)
                return false;
        if (r < 0) {
                refuse_unknown(q);
                return true;
        }
        q->waiter.done = on_token;
        r = kubelet_review_token(k->reviews, token, &q->waiter, &said);
        if (r < 0)
                said.error = r;
        if (r != 0)
                take_token(q, &said);
        return true;
}

static void be_anonymous(struct kubelet_request *q) {
        if (!q->kubelet->world.options->server.anonymous)
                return refuse_unknown(q);
        if (!(q->user = kubelet_user_anonymous()))
                return http_reset(q->x, -ENOMEM);
        authorize(q);
}

/* As kubelet: a certificate, then a token; nobody is anonymous who has shown something wrong. */
static void authenticate(struct kubelet_request *q) {
        _cleanup_err_ struct err *err = NULL;
        int r = kubelet_user_of_certificate(q->x, q->kubelet->authorities, time(NULL), &q->user, &err);

        if (r == 0)
                return authorize(q);
        if (r == -EACCES)
                log_debug("kubelet's API: %s", err_text(err));
        if (by_token(q))
                return;
        if (r == -ENODATA)
                be_anonymous(q);
        else
                refuse_unknown(q);
}

static void serve_client(struct http_exchange *x, void *data) {
        struct kubelet_request *q = take(data, x, false);

        if (!q)
                return;
        http_pause(x);
        authenticate(q);
}

unsigned kubelet_routes_of(const struct kubelet *kubelet, bool reader, struct http_route ret_routes[]) {
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTS(routes); i++) {
                const struct kubelet_route *route = &routes[i];

                if (is_served(kubelet, reader, route))
                        ret_routes[n++] = (struct http_route){
                                .method = route->method,
                                .path = route->path,
                                .handle = reader ? read_only : serve_client,
                                .flags = route->flags & KUBELET_UPGRADES ? HTTP_ROUTE_MAY_UPGRADE : 0,
                        };
        }
        return n;
}
