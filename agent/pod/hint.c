/* The pod's hint on disk: what containers and the manifest do not tell after a restart of the agent. A hint that is
 * missing or broken costs back-off and probe history, nothing else. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/pod/files.h"
#include "agent/pod/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

#define HINT_MAX (256 * 1024)

/* -- write ------------------------------------------------------------------------------------------------- */

static void write_end(const struct member *m, struct json_writer *out) {
        const struct ending *end = &m->end;

        json_key(out, "end");
        json_begin_map(out);
        json_add_string_if(out, "id", end->id);
        json_add_string_if(out, "reason", end->reason);
        json_add_string_if(out, "message", end->message);
        json_add_string_if(out, "imageID", m->image_id);
        json_add_int(out, "exitCode", end->exit_code);
        json_add_int(out, "startedAt", end->started_at);
        json_add_int(out, "finishedAt", end->finished_at);
        json_end_map(out);
}

static void write_member(const struct member *m, struct json_writer *out) {
        static const char *const names[PROBERS] = { "liveness", "readiness", "startup" };

        json_begin_map(out);
        json_add_string(out, "name", m->spec->name);
        json_add_string_if(out, "id", m->id);
        json_add_int(out, "restarts", m->restarts);
        json_add_int(out, "backOff", m->crash.delay_ms);
        json_add_int(out, "backOffSet", m->crash.updated_ms);
        if (m->state == MEMBER_EXITED && m->end.set)
                write_end(m, out);
        json_add_bool(out, "started", m->started);
        json_add_bool(out, "ready", m->ready);
        for (int i = 0; i < PROBERS; i++) {
                const struct prober *p = &m->probers[i];

                if (!p->spec)
                        continue;
                json_key(out, names[i]);
                json_begin_list(out);
                json_int(out, p->schedule.value);
                json_int(out, p->schedule.run);
                json_int(out, p->schedule.last);
                json_bool(out, p->schedule.hold);
                json_end_list(out);
        }
        json_end_map(out);
}

static char *hint_text(const struct worker *w, size_t *ret_length) {
        struct json_writer out = JSON_WRITER_INIT;
        char *text = NULL;

        json_begin_map(&out);
        json_add_int(&out, "startTime", w->start_time);
        json_add_string_if(&out, "reason", w->reason);
        json_add_string_if(&out, "message", w->message);
        json_add_bool(&out, "disrupted", w->disrupted);
        json_add_bool(&out, "over", w->state >= WORKER_RESTING);
        json_add_bool(&out, "initialized", w->initialized);
        if (w->userns >= 0)
                json_add_int(&out, "userns", w->userns);
        json_key(&out, "containers");
        json_begin_list(&out);
        for (size_t i = 0; i < w->n_members; i++)
                write_member(&w->members[i], &out);
        json_end_list(&out);
        json_end_map(&out);
        return json_writer_finish(&out, &text, ret_length) < 0 ? NULL : text;
}

struct hint_job {
        struct pod_files *files; /* the pod itself is to be written, too; NULL: it was */
        const char *path, *text;
        size_t length;
};

static int hint_work(struct op *op, struct err **err) {
        const struct hint_job *job = op->input;

        if (job->files && pod_files_write_pod(job->files, err) < 0)
                return -EIO;
        return pod_files_keep(job->path, job->text, job->length, err);
}

static void on_written(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct worker *w = op->worker;
        bool again = w->hint_again;

        if (err && w->state < WORKER_SWEEPING)
                log_warning("pod %s/%s: the hint for a restart of the agent was not written: %s",
                            w->pod->metadata.namespace, w->pod->metadata.name, err_text(err));
        w->pod_written |= !err;
        w->hint_under_way = w->hint_again = false;
        if (again)
                worker_write_hint(w);
        worker_step(w);
}

void worker_write_hint(struct worker *w) {
        _cleanup_free_ char *text = NULL;
        struct hint_job *job;
        size_t length = 0;
        struct op *op;

        if (w->hint_under_way) {
                w->hint_again = true;
                return;
        }
        if (w->state == WORKER_NEW || w->state == WORKER_PREPARING || w->state >= WORKER_SWEEPING ||
            !(text = hint_text(w, &length)) || !(op = op_new(w, NULL)))
                return;
        job = arena_new_of(op->arena, struct hint_job);
        if (job)
                *job = (struct hint_job){
                        .files = w->pod_written ? NULL : pod_files_new(op->arena, w),
                        .path = pod_files_path(op->arena, w, "state"),
                        .text = arena_strndup(op->arena, text, length),
                        .length = length,
                };
        if (!job || !job->path || !job->text) {
                op_drop(op);
                return;
        }
        op->input = job;
        op->work = hint_work;
        op->done = on_written;
        w->hint_under_way = true;
        op->aside = true;
        op_run(op);
}

/* -- read -------------------------------------------------------------------------------------------------- */

static int64_t integer(const struct value *value, int64_t fallback) {
        int64_t number;

        return value_integer(value, &number) ? number : fallback;
}

static void read_probers(struct member *m, const struct value *value) {
        static const char *const names[PROBERS] = { "liveness", "readiness", "startup" };

        for (int i = 0; i < PROBERS; i++) {
                const struct value *list = value_get(value, names[i]);
                struct prober *p = &m->probers[i];
                int64_t verdict = integer(value_at(list, 0), -1), last = integer(value_at(list, 2), -1);

                if (!p->spec || m->state != MEMBER_RUNNING || verdict < VALUE_IS_UNKNOWN ||
                    verdict > VALUE_IS_FAILURE || last < PROBE_SUCCESS || last > PROBE_UNKNOWN)
                        continue;
                schedule_resume(&p->schedule, (enum schedule_value)verdict, (uint32_t)integer(value_at(list, 1), 0),
                                (enum probe_outcome)last, value_bool_or(value_at(list, 3), false));
        }
        if (m->state != MEMBER_RUNNING)
                return;
        if (value_bool_or(value_get(value, "started"), false)) {
                m->started = true;
                for (int i = 0; i < PROBERS; i++)
                        if (m->probers[i].spec && i != SCHEDULE_READINESS)
                                schedule_open(&m->probers[i].schedule, worker_now(m->worker));
                if (m->probers[SCHEDULE_READINESS].spec)
                        m->probers[SCHEDULE_READINESS].schedule.gated = false;
                m->ready = value_bool_or(value_get(value, "ready"), false);
        }
}

static char *copy_of(const struct value *value) {
        const char *text = value_string(value);

        return text ? strdup(text) : NULL;
}

/* How a container ended that cri does not know any more. */
static void read_end(struct member *m, const struct value *end) {
        if (m->id || !value_is(end, VALUE_MAP))
                return;
        m->id = copy_of(value_get(end, "id"));
        m->image_id = copy_of(value_get(end, "imageID"));
        m->state = MEMBER_EXITED;
        m->end = (struct ending){
                .set = true,
                .id = copy_of(value_get(end, "id")),
                .reason = copy_of(value_get(end, "reason")),
                .message = copy_of(value_get(end, "message")),
                .exit_code = (int)integer(value_get(end, "exitCode"), 0),
                .started_at = integer(value_get(end, "startedAt"), 0),
                .finished_at = integer(value_get(end, "finishedAt"), 0),
        };
}

static void read_member(struct worker *w, const struct value *value) {
        const char *name = value_string_or(value_get(value, "name"), ""), *id = value_string(value_get(value, "id"));
        int64_t restarts = integer(value_get(value, "restarts"), 0);

        for (size_t i = 0; i < w->n_members; i++) {
                struct member *m = &w->members[i];

                if (strcmp(m->spec->name, name) != 0)
                        continue;
                m->crash.delay_ms = integer(value_get(value, "backOff"), 0);
                m->crash.updated_ms = integer(value_get(value, "backOffSet"), 0);
                if (!m->id && restarts >= 0 && restarts < INT32_MAX)
                        m->restarts = (uint32_t)restarts + (id ? 1 : 0);
                if (m->id && id && strcmp(m->id, id) == 0)
                        read_probers(m, value);
                if (w->over) {
                        read_end(m, value_get(value, "end"));
                        m->restarts = (uint32_t)(restarts >= 0 && restarts < INT32_MAX ? restarts : 0);
                }
        }
}

static void read_value(struct worker *w, const struct value *hint) {
        const struct value *containers = value_get(hint, "containers");
        const char *reason = value_string(value_get(hint, "reason"));

        w->start_time = integer(value_get(hint, "startTime"), w->start_time);
        worker_take_userns(w, (int)integer(value_get(hint, "userns"), -1));
        w->over = !w->sandbox_id && value_bool_or(value_get(hint, "over"), false);
        w->disrupted = value_bool_or(value_get(hint, "disrupted"), false);
        w->initialized |= value_bool_or(value_get(hint, "initialized"), false) && w->sandbox_id;
        for (uint32_t i = 0; i < value_count(containers); i++)
                read_member(w, value_at(containers, i));
        if (reason && (strcmp(reason, "DeadlineExceeded") == 0 || strcmp(reason, "Evicted") == 0)) {
                w->reason = reason[0] == 'D' ? "DeadlineExceeded" : "Evicted";
                w->message = strdup(value_string_or(value_get(hint, "message"), ""));
                w->terminal = true;
        }
}

void worker_read_hint(struct worker *w) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        _cleanup_free_ char *text = NULL;
        const struct value *hint = NULL;
        const char *path = arena ? pod_files_path(arena, w, "state") : NULL;
        size_t length = 0;

        if (!path)
                return;
        if (files_read(path, HINT_MAX, &text, &length, &err) < 0 ||
            json_parse(arena, text, length, NULL, &hint, &err) < 0) {
                log_warning("pod %s/%s: going on without its hint (back-off, probes): %s", w->pod->metadata.namespace,
                            w->pod->metadata.name, err_text(err));
                return;
        }
        read_value(w, hint);
}
