/* What the files of this room share. Nobody else includes it.
 *
 * A request is made by routes.c, which finds out who asks and whether they may, and then calls its route's serve().
 * That answers at once or later. What waits for something else than the client (a review, a CRI call, a job on the
 * pool) holds the request, and looks whether its exchange is there still: request->x is NULL once it has closed, and
 * request->kubelet once that was freed.
 */
#pragma once

#include "agent/kubelet/kubelet.h"
#include "agent/kubelet/reviews.h"
#include "agent/kubelet/user.h"
#include "agent/kubelet/volumes.h"
#include "cri/cri.h"
#include "lib/http/server.h"
#include "lib/list.h"
#include "lib/pool.h"

struct cri_event;
struct cri_subscription;
struct err;
struct kubelet_call;
struct kubelet_log;
struct kubelet_log_watch;
struct kubelet_pieces;
struct kubelet_request;
struct tls_context;
struct x509_store_st;

/* What a route asks of its client beside being somebody: a subresource of nodes that is enough. NULL: nodes/proxy
 * alone. */
struct kubelet_route {
        const char *method, *path;
        void (*serve)(struct kubelet_request *q);
        const char *right;
        unsigned flags;
};

enum {
        KUBELET_OPEN = 1 << 0,     /* on the read-only port, too */
        KUBELET_OWN = 1 << 1,      /* there alone: no route of kubelet's */
        KUBELET_PODS = 1 << 2,     /* not without pods */
        KUBELET_UPGRADES = 1 << 3, /* for streams */
        KUBELET_DEBUGS = 1 << 4,   /* not with enableDebuggingHandlers: false */
        KUBELET_BROAD = 1 << 5,    /* whoever has nodes/proxy may as well */
};

#define KUBELET_ROUTES_MAX 64

struct kubelet_request {
        struct kubelet *kubelet; /* NULL: it was freed */
        struct http_exchange *x; /* NULL: it has closed */
        const struct kubelet_route *route;
        struct kubelet_user *user;    /* NULL: nobody has been asked for */
        struct kubelet_waiter waiter; /* for what the service says */
        bool reader;                  /* by an open way */
        unsigned holds;
        unsigned n_denied; /* subresources that were asked about in vain */
        struct list_node in_all;
        struct list_node in_logs;      /* of those that follow a log */
        struct kubelet_log *log;       /* that it reads; NULL: none */
        struct kubelet_pieces *pieces; /* of a file or journal of the host; NULL: none */
        struct kubelet_call *call;     /* under way, cancelled when the client goes; NULL: none */
};

LIST_DEFINE(kubelet_requests, struct kubelet_request, in_all)
LIST_DEFINE(kubelet_logs, struct kubelet_request, in_logs)

enum kubelet_system { KUBELET_SYSTEM_KUBELET, KUBELET_SYSTEM_RUNTIME, KUBELET_SYSTEM_PODS, _KUBELET_SYSTEMS };

/* CPU time when it was asked for, and what follows of it for the time before. */
struct kubelet_rate {
        uint64_t cpu_ns, cores; /* in use, in billionths */
        int64_t time_ns;
};

struct kubelet {
        struct kubelet_world world;
        struct http_server *readers, *clients; /* of the open ways in, and of the port; @clients may be NULL */
        struct http_route reader_routes[KUBELET_ROUTES_MAX], client_routes[KUBELET_ROUTES_MAX];
        struct tls_context *tls;
        char *socket; /* its path; NULL: it is not ours */
        struct kubelet_reviews *reviews;
        struct x509_store_st *authorities; /* of clients; NULL: no certificate counts */
        char *authorities_pem;
        uv_timer_t *renewal; /* of the self-signed certificate; NULL: it is another's */
        struct cri_subscription *heard;
        struct kubelet_requests requests;
        unsigned n_requests;
        struct kubelet_logs logs;
        struct kubelet_log_watch *log_watch;                      /* NULL: nobody has followed one yet */
        struct kubelet_rate rate, system_rates[_KUBELET_SYSTEMS]; /* the node's */
        int64_t began_ns;                                         /* since 1970 */
        struct kubelet_volumes volumes;                           /* what was seen of pods' volumes */
        unsigned closing;                                         /* servers that are not gone yet */
};

/* routes.c */
/* Those of the open ways in (@reader) or of the port, their number. */
unsigned kubelet_routes_of(const struct kubelet *kubelet, bool reader, struct http_route ret_routes[]);

/* request.c */
struct kubelet_request *kubelet_request_new(struct kubelet *kubelet, struct http_exchange *x);
void kubelet_hold(struct kubelet_request *q);
void kubelet_drop(struct kubelet_request *q);
void kubelet_let_go(struct kubelet_request *q); /* its exchange has become somebody else's */

/* Answers: the text is plain, as Go's http.ResponseWriter takes it for. */
void kubelet_text(struct kubelet_request *q, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same, of @type (NULL: none is said). */
void kubelet_vtext(struct kubelet_request *q, int status, const char *type, const char *format, va_list arguments);
void kubelet_answer(struct kubelet_request *q, int status, const char *type, const char *text, size_t length);
void kubelet_answer_json(struct kubelet_request *q, struct json_writer *w); /* which is done with */
void kubelet_answer_metrics(struct kubelet_request *q, char *text);         /* freed; NULL: 500 */

/* Counts an answer of @length bytes among those that clients have not read, until this one has. False: they are too
 * many (KUBELET_UNREAD_MAX), for kubelet_refuse_too_many(). */
bool kubelet_hold_answer(const struct kubelet_request *q, size_t length);
void kubelet_refuse_too_many(struct kubelet_request *q); /* 429 */

/* The value of a parameter in the query, in the exchange's arena; NULL: it is not there. */
const char *kubelet_query(const struct kubelet_request *q, const char *name);

/* The pod that the path names by {namespace} and {pod}. False: none. */
bool kubelet_find_pod(struct kubelet_request *q, struct kubelet_pod *ret_pod);

/* The container of the pod of that name that runs: its id, cri's; NULL: there is none. */
const char *kubelet_find_running(const struct kubelet_request *q, const struct kubelet_pod *pod, const char *name);

/* serving.c: the certificate that is served, at the start and anew when its time has come. */
int kubelet_use_certificate(struct kubelet *kubelet, const char *certificate, const char *key, struct err **err);
int kubelet_certificate_begin(struct kubelet *kubelet, struct err **err);

/* logs.c: what follows containers' logs is told of their ends. */
void kubelet_log_heard(void *data, const struct cri_event *event);
void kubelet_log_drained(struct kubelet_request *q);
void kubelet_log_closed(struct kubelet_request *q);

/* host_logs.c: a file or directory below /var/log */
void kubelet_serve_host_file(struct kubelet_request *q, const char *path);

/* host_search.c: /logs/@path, which may ask for more than a file */
void kubelet_serve_log_query(struct kubelet_request *q, const char *path);

/* machine_metrics.c */
struct metrics_writer;
void kubelet_write_machine(struct metrics_writer *w);

/* What routes serve. */
void kubelet_serve_health(struct kubelet_request *q);
void kubelet_serve_pods(struct kubelet_request *q);
void kubelet_serve_running_pods(struct kubelet_request *q);
void kubelet_serve_events(struct kubelet_request *q);
void kubelet_serve_files(struct kubelet_request *q);
void kubelet_serve_node(struct kubelet_request *q);
void kubelet_serve_metrics(struct kubelet_request *q);
void kubelet_serve_probe_metrics(struct kubelet_request *q);
void kubelet_serve_container_metrics(struct kubelet_request *q);
void kubelet_serve_resource_metrics(struct kubelet_request *q);
void kubelet_serve_summary(struct kubelet_request *q);
void kubelet_serve_logs(struct kubelet_request *q);
void kubelet_serve_exec(struct kubelet_request *q);
void kubelet_serve_attach(struct kubelet_request *q);
void kubelet_serve_port_forward(struct kubelet_request *q);
void kubelet_serve_run(struct kubelet_request *q);
void kubelet_serve_checkpoint(struct kubelet_request *q);
void kubelet_serve_config(struct kubelet_request *q);
void kubelet_serve_host_logs(struct kubelet_request *q);
