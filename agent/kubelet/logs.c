/* /containerLogs: a container's log, piece by piece from its files to the client.
 *
 *     opening ─► reading ─► sending ─► reading ...         a piece is read on the pool when the client has room for it
 *                   ╰─► waiting ─► reading                 at the log's end, when it is followed: until log_watch.c
 *                                                          says that there is more, or the container has ended
 *
 * What a client does not take stays in the file. A container's output is all in its log when its end is told, so that
 * the first reading after that which finds nothing more was the last.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/kubelet/internal.h"
#include "agent/kubelet/log_options.h"
#include "agent/kubelet/logs.h"
#include "cri/state/events.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/log.h"

#define SCHEME CRI_RUNTIME_NAME "://"
#define PIECE_SIZE ((size_t)256 << 10)
#define PENDING_MAX ((size_t)256 << 10) /* bytes that wait for the client while the next piece is read */
#define LOGS_MAX 256                    /* read at a time; one more is refused */
#define GATHER_MS 5 /* between two looks at a log's end: what is written meanwhile goes in one piece */

struct kubelet_log {
        struct pool_job job; /* first */
        struct kubelet_request *q;
        struct kubelet_log_options options;
        struct logs_reader *reader; /* NULL: it is not open yet */
        int wd;                     /* of its directory, while it is followed; negative: it is not */
        uv_timer_t *gather;         /* while it waits, and has just looked; NULL: it never did */
        uint64_t looked;            /* when it came to the log's end, ms of the loop */
        char *path;
        char id[CRI_ID_LENGTH + 1]; /* of the container */
        struct bytes *piece;
        size_t filled;
        int result; /* of the reading: 1: there may be more; 0: the end; a negative errno */
        struct err *err;
        bool working; /* the pool has it */
        bool waiting; /* for more to come */
        bool more;    /* has come since the reading began */
        bool began;   /* the answer has */
        bool runs;    /* the container did when the reading began */
        bool again;   /* its container has ended since */
};

static unsigned n_logs; /* on the loop; also those whose kubelet has gone */

static bool is_watched(const struct kubelet *k, int wd) {
        LIST_EACH (kubelet_logs, q, &k->logs)
                if (q->log->wd == wd)
                        return true;
        return false;
}

/* Nothing is told of it any more. */
static void leave(struct kubelet_log *l) {
        struct kubelet_request *q = l->q;

        if (!kubelet_logs_contains(q))
                return;
        kubelet_logs_remove(q);
        if (l->wd >= 0 && !is_watched(q->kubelet, l->wd))
                kubelet_log_watch_remove(q->kubelet, l->wd);
}

static void log_free(struct kubelet_log *l) {
        struct kubelet_request *q = l->q;

        leave(l);
        q->log = NULL;
        handle_free(l->gather);
        logs_reader_free(l->reader);
        bytes_unref(l->piece);
        err_free(l->err);
        free(l->path);
        free(l);
        n_logs--;
        kubelet_drop(q);
}

void kubelet_log_closed(struct kubelet_request *q) {
        struct kubelet_log *l = q->log;

        if (!l)
                return;
        leave(l);
        q->log = NULL;
        if (!l->working)
                log_free(l);
}

/* -- reading ----------------------------------------------------------------------------------------------- */

static void work(struct pool_job *job) {
        struct kubelet_log *l = (struct kubelet_log *)job;

        l->result = l->reader ? 1 : logs_reader_open_path(l->path, &l->options.logs, &l->reader, &l->err);
        if (l->result < 0)
                return;
        l->result = logs_reader_fill(l->reader, (char *)l->piece->data, l->piece->size, &l->filled, &l->err);
}

static bool is_running(const struct kubelet_log *l) {
        struct cri_container_info info;

        return cri_container_get(l->q->kubelet->world.cri, l->id, &info) == 0 &&
               info.state == CRI__CONTAINER_STATE__CONTAINER_RUNNING;
}

static void done(struct pool_job *job);

static void read_on(struct kubelet_log *l) {
        if (l->gather)
                uv_timer_stop(l->gather);
        l->waiting = l->more = l->again = false;
        l->runs = is_running(l);
        l->piece = l->piece ?: bytes_new(PIECE_SIZE);
        if (!l->piece)
                return http_reset(l->q->x, -ENOMEM);
        l->filled = 0;
        l->working = true;
        l->job = (struct pool_job){ .work = work, .done = done };
        pool_submit(l->q->kubelet->world.pool, &l->job);
}

static void on_gathered(uv_timer_t *timer) {
        read_on(timer->data);
}

/* There is more: at once, but not for each line of a container that writes all the time. */
static void take_more(struct kubelet_log *l) {
        uint64_t since = uv_now(l->gather->loop) - l->looked;

        if (since >= GATHER_MS)
                read_on(l);
        else if (!uv_is_active((uv_handle_t *)l->gather))
                uv_timer_start(l->gather, on_gathered, GATHER_MS - since, 0);
}

void kubelet_logs_changed(struct kubelet *k, int wd) {
        LIST_EACH (kubelet_logs, q, &k->logs) {
                struct kubelet_log *l = q->log;

                if (l->wd < 0 || (wd != KUBELET_LOGS_ALL && l->wd != wd))
                        continue;
                l->more = true;
                if (l->waiting)
                        take_more(l);
        }
}

/* Until there is more, which may have come already. */
static int wait(struct kubelet_log *l) {
        uv_loop_t *loop = l->q->kubelet->world.loop;

        if (!l->gather && !(l->gather = handle_timer(loop, l)))
                return -ENOMEM;
        l->looked = uv_now(loop);
        l->piece = bytes_unref(l->piece);
        l->waiting = true;
        if (l->more)
                take_more(l);
        return 0;
}

/* -- sending ----------------------------------------------------------------------------------------------- */

static int begin(struct kubelet_log *l) {
        if (l->began)
                return 0;
        l->began = true;
        return http_respond(l->q->x, 200, NULL, 0, -1);
}

static int send_piece(struct kubelet_log *l) {
        _cleanup_bytes_ struct bytes *piece = NULL;

        if (l->filled == 0)
                return 0;
        piece = bytes_shrink(TAKE_PTR(l->piece), l->filled);
        return http_send_bytes(l->q->x, piece);
}

static bool has_ended(const struct kubelet_log *l) {
        return l->result == -ENODATA || (l->result == 0 && (!l->options.logs.follow || !l->runs));
}

/* What comes next. 0 or a negative errno: it is the exchange's. */
static int go_on(struct kubelet_log *l) {
        int r;

        if ((r = begin(l)) < 0 || (r = send_piece(l)) < 0)
                return r;
        if (has_ended(l)) {
                r = http_end(l->q->x, NULL, 0);
                log_free(l);
                return r;
        }
        if (http_pending(l->q->x) > PENDING_MAX)
                return 0; /* drained() follows */
        if (l->result > 0 || l->again) {
                read_on(l);
                return 0;
        }
        return wait(l);
}

void kubelet_log_refuse(struct kubelet_request *q, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        kubelet_vtext(q, 400, NULL, format, arguments);
        va_end(arguments);
}

static void fail(struct kubelet_log *l) {
        struct kubelet_request *q = l->q;

        if (!l->began)
                kubelet_log_refuse(q, "%s", err_text(l->err));
        else
                log_warning("kubelet's API: %s", err_text(l->err));
        if (l->began)
                return http_reset(q->x, l->result);
        log_free(l);
}

static void done(struct pool_job *job) {
        struct kubelet_log *l = (struct kubelet_log *)job;
        struct http_exchange *x = l->q->x;
        int r;

        l->working = false;
        if (l->q->log != l)
                return log_free(l);
        if (l->result < 0 && l->result != -ENODATA)
                return fail(l);
        if ((r = go_on(l)) < 0)
                http_reset(x, r);
}

/* The client has taken all. */
void kubelet_log_drained(struct kubelet_request *q) {
        struct kubelet_log *l = q->log;
        int r = 0;

        if (!l || l->working || !l->began || l->waiting)
                return;
        if (l->result > 0 || l->again)
                read_on(l);
        else
                r = wait(l);
        if (r < 0)
                http_reset(q->x, r);
}

void kubelet_log_heard(void *data, const struct cri_event *event) {
        struct kubelet *k = data;

        if (!event->container_id ||
            (event->type != CRI_EVENT_CONTAINER_STOPPED && event->type != CRI_EVENT_CONTAINER_DELETED))
                return;
        LIST_EACH (kubelet_logs, q, &k->logs) {
                struct kubelet_log *l = q->log;

                if (strcmp(l->id, event->container_id) != 0)
                        continue;
                l->again = true;
                if (l->waiting)
                        read_on(l);
        }
}

/* -- its beginning ----------------------------------------------------------------------------------------- */

static int find_path(struct kubelet_log *l) {
        struct cri_container_info info;

        if (cri_container_get(l->q->kubelet->world.cri, l->id, &info) < 0 || !*info.log_path)
                return -ENOENT;
        l->path = strdup(info.log_path);
        return l->path ? 0 : -ENOMEM;
}

/* Watches its directory, if need be, before the first look. */
static int follow(struct kubelet_log *l) {
        if (!l->options.logs.follow)
                return 0;
        l->wd = kubelet_log_watch_add(l->q->kubelet, l->path);
        if (l->wd < 0)
                log_warning("kubelet's API: cannot watch the directory of %s: %s", l->path, strerror(-l->wd));
        return l->wd < 0 ? l->wd : 0;
}

static struct kubelet_log *log_new(struct kubelet_request *q, const struct kubelet_log_options *options,
                                   const char *id) {
        struct kubelet_log *l = calloc(1, sizeof(*l));

        if (!l)
                return NULL;
        l->q = q;
        l->options = *options;
        l->options.logs.watched = options->logs.follow;
        l->wd = -1;
        if (strncmp(id, SCHEME, strlen(SCHEME)) == 0)
                id += strlen(SCHEME);
        snprintf(l->id, sizeof(l->id), "%s", id);
        n_logs++;
        kubelet_hold(q);
        kubelet_logs_append(&q->kubelet->logs, q);
        q->log = l;
        return l;
}

void kubelet_log_start(struct kubelet_request *q, const struct kubelet_log_options *options, const char *id) {
        struct kubelet_log *l;
        int r;

        if (n_logs >= LOGS_MAX)
                return kubelet_text(q, 429, "too many logs are being read; try again later");
        if (!(l = log_new(q, options, id)))
                return http_reset(q->x, -ENOMEM);
        if ((r = find_path(l)) == 0 && (r = follow(l)) == 0)
                return read_on(l);
        log_free(l);
        if (r == -ENOMEM)
                return http_reset(q->x, r);
        kubelet_log_refuse(q, "unable to retrieve container logs for %s", id);
}
