/* A request's life, and how it is answered. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/kubelet/internal.h"
#include "agent/kubelet/pieces.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/metrics.h"

#define PLAIN "text/plain; charset=utf-8" /* what Go takes words for */
#define FULL "Too many requests, please try again later."

void kubelet_hold(struct kubelet_request *q) {
        q->holds++;
}

void kubelet_drop(struct kubelet_request *q) {
        if (--q->holds > 0)
                return;
        kubelet_user_unref(q->user);
        free(q);
}

/* Its exchange is gone, or another's. */
static void leave(struct kubelet_request *q) {
        q->x = NULL;
        kubelet_waiter_leave(&q->waiter);
        kubelet_log_closed(q);
        kubelet_pieces_closed(q);
        if (q->kubelet) {
                if (q->call)
                        cri_cancel(q->kubelet->world.cri, q->call);
                kubelet_requests_remove(q);
                q->kubelet->n_requests--;
        }
        kubelet_drop(q);
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        leave(http_data(x));
}

static void on_drained(struct http_exchange *x) {
        kubelet_log_drained(http_data(x));
        kubelet_pieces_drained(http_data(x));
}

void kubelet_let_go(struct kubelet_request *q) {
        leave(q);
}

struct kubelet_request *kubelet_request_new(struct kubelet *kubelet, struct http_exchange *x) {
        static const struct http_events events = { .drained = on_drained, .closed = on_closed };
        bool fits = kubelet->n_requests < KUBELET_REQUESTS_MAX;
        struct kubelet_request *q = fits ? calloc(1, sizeof(*q)) : NULL;

        if (!q) {
                if (fits || http_reply(x, 429, PLAIN, FULL, strlen(FULL)) < 0)
                        http_reset(x, -ENOMEM);
                return NULL;
        }
        *q = (struct kubelet_request){ .kubelet = kubelet, .x = x, .holds = 1 };
        kubelet_requests_append(&kubelet->requests, q);
        kubelet->n_requests++;
        http_set_events(x, &events, q);
        return q;
}

/* -- answers ----------------------------------------------------------------------------------------------- */

/* Bytes of large answers, on the loop; also those whose kubelet has gone. Whoever is on the host, by an open way in,
 * finds its room whatever those of the port do. */
static size_t n_unread[2];

struct unread {
        size_t length;
        bool reader;
};

static void on_read(void *data) {
        struct unread *unread = data;

        n_unread[unread->reader] -= unread->length;
        free(unread);
}

/* One answer alone is never too large: else nobody would get it. */
bool kubelet_hold_answer(const struct kubelet_request *q, size_t length) {
        size_t before = n_unread[q->reader];
        struct unread *unread;

        if (length < KUBELET_ANSWER_LARGE)
                return true;
        if ((before > 0 && before + length > KUBELET_UNREAD_MAX) || !(unread = malloc(sizeof(*unread))))
                return false;
        *unread = (struct unread){ length, q->reader };
        n_unread[q->reader] += length;
        http_set_over(q->x, on_read, unread);
        return true;
}

void kubelet_refuse_too_many(struct kubelet_request *q) {
        kubelet_text(q, 429, FULL);
}

/* NULL as @type: none is said. */
void kubelet_answer(struct kubelet_request *q, int status, const char *type, const char *text, size_t length) {
        const struct http_field field = { "content-type", type };
        int r;

        if (!kubelet_hold_answer(q, length))
                return kubelet_refuse_too_many(q);
        r = http_respond(q->x, status, &field, type ? 1 : 0, (int64_t)length);
        if (r < 0 || (length > 0 && (r = http_send(q->x, text, length)) < 0) || (r = http_end(q->x, NULL, 0)) < 0)
                http_reset(q->x, r);
}

void kubelet_vtext(struct kubelet_request *q, int status, const char *type, const char *format, va_list arguments) {
        const char *text = arena_vprintf(http_arena(q->x), format, arguments);

        if (text)
                kubelet_answer(q, status, type, text, strlen(text));
        else
                http_reset(q->x, -ENOMEM);
}

void kubelet_text(struct kubelet_request *q, int status, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        kubelet_vtext(q, status, PLAIN, format, arguments);
        va_end(arguments);
}

void kubelet_answer_json(struct kubelet_request *q, struct json_writer *w) {
        _cleanup_free_ char *text = NULL;
        size_t length;

        if (json_writer_finish(w, &text, &length) < 0)
                kubelet_text(q, 500, "the answer could not be made");
        else
                kubelet_answer(q, 200, "application/json", text, length);
}

void kubelet_answer_metrics(struct kubelet_request *q, char *text) {
        if (text)
                kubelet_answer(q, 200, metrics_content_type(false), text, strlen(text));
        else
                kubelet_text(q, 500, "the answer could not be made");
        free(text);
}

/* -- what it is about -------------------------------------------------------------------------------------- */

const char *kubelet_query(const struct kubelet_request *q, const char *name) {
        return http_query(http_arena(q->x), http_request_of(q->x)->query, name);
}

struct finding {
        const char *namespace, *name;
        struct kubelet_pod pod;
};

static bool find_pod(void *data, const struct kubelet_pod *pod) {
        const struct kube_object_meta *meta = &pod->pod->metadata;
        struct finding *f = data;

        if (strcmp(meta->namespace, f->namespace) != 0 || strcmp(meta->name, f->name) != 0)
                return true;
        f->pod = *pod;
        return false;
}

bool kubelet_find_pod(struct kubelet_request *q, struct kubelet_pod *ret_pod) {
        const struct kubelet_world *world = &q->kubelet->world;
        struct finding f = { .namespace = http_param(q->x, "namespace"), .name = http_param(q->x, "pod") };

        world->host->each_pod(world->data, find_pod, &f);
        *ret_pod = f.pod;
        return f.pod.pod;
}

struct running {
        const char *name, *id;
};

static bool find_running(void *data, const struct cri_container_info *info) {
        struct running *r = data;

        if (info->state == CRI__CONTAINER_STATE__CONTAINER_RUNNING && strcmp(info->name, r->name) == 0)
                r->id = info->id;
        return !r->id;
}

const char *kubelet_find_running(const struct kubelet_request *q, const struct kubelet_pod *pod, const char *name) {
        struct running running = { .name = name };

        if (pod->sandbox)
                cri_each_container(q->kubelet->world.cri, pod->sandbox, find_running, &running);
        return running.id;
}
