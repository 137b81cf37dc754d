#include "agent/pod/hint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/pod/files.h"
#include "agent/pod/internal.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

#define HINT_MAX (256 * 1024)

/* -- write ------------------------------------------------------------------------------------------------- */

static char *hint_text(const struct worker *w, size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer out = JSON_WRITER_INIT;
        char *text = NULL;

        json_begin_map(&out);
        json_add_int(&out, "startTime", w->start_time);
        json_add_string_if(&out, "reason", w->reason);
        json_add_string_if(&out, "message", w->message);
        json_add_bool(&out, "disrupted", w->verdict == WORKER_DISRUPTED);
        json_add_bool(&out, "over", w->state >= WORKER_RESTING);
        json_add_bool(&out, "initialized", w->initialized);
        if (w->sandbox.userns >= 0)
                json_add_int(&out, "userns", w->sandbox.userns);
        json_add_int(&out, "cpuShares", w->resize.size.cpu_shares);
        json_add_int(&out, "cpuQuota", w->resize.size.cpu_quota);
        json_add_int(&out, "memoryMax", w->resize.size.memory_max);
        json_key(&out, "containers");
        json_begin_list(&out);
        for (size_t i = 0; i < w->n_members; i++)
                member_write_hint(w->members[i], &out);
        json_end_list(&out);
        json_end_map(&out);
        return json_writer_finish(&out, &text, ret_length) < 0 ? NULL : text;
}

struct hint_job {
        const struct pod_files *files; /* the pod itself is to be written, too; NULL: it was */
        const char *path, *text;
        size_t length;
};

static int hint_work(struct op *op, struct err **err) {
        const struct hint_job *job = op->input;
        int r;

        if (job->files && (r = pod_files_write_pod(job->files, err)) < 0)
                return r;
        return pod_files_keep(job->path, job->text, job->length, err);
}

static bool has_directory(const struct worker *w) {
        return w->state > WORKER_PREPARING && w->state < WORKER_SWEEPING;
}

static void try_later(struct worker *w, const struct err *err) {
        log_warning("pod %s/%s: the hint for a restart of the agent was not written, trying again in %d s: %s",
                    w->pod->metadata.namespace, w->pod->metadata.name, NODE_RETRY_MS / 1000,
                    err ? err_text(err) : "out of memory");
        w->hint.state = HINT_DUE;
        w->hint.retry_at = worker_now(w) + NODE_RETRY_MS;
}

static void on_written(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct worker *w = op->scope->data;
        bool stale = w->hint.state == HINT_STALE;

        w->hint.pod_written |= !err && op->pod == w->pod;
        w->hint.state = HINT_KEPT;
        if (err && has_directory(w))
                try_later(w, err);
        else if (stale)
                worker_keep_hint(w);
        worker_step(w);
}

/* The operation that writes it; NULL without memory. */
static struct op *make_op(struct worker *w) {
        _cleanup_op_ struct op *op = op_new(&w->scope);
        struct hint_job *job = op ? arena_new_of(op->arena, struct hint_job) : NULL;
        _cleanup_free_ char *text = NULL;

        if (!job || !(text = hint_text(w, &job->length)) ||
            !(job->text = arena_strndup(op->arena, text, job->length)) ||
            !(job->path = pod_files_path(op->arena, w->node->world.options, w->pod, "state")))
                return NULL;
        if (!w->hint.pod_written &&
            !(job->files = pod_files_new(op->arena, &w->node->world, w->pod, &w->sandbox.addresses)))
                return NULL;
        op->input = job;
        op->work = hint_work;
        op->done = on_written;
        op->aside = true;
        return TAKE_PTR(op);
}

void worker_keep_hint(struct worker *w) {
        struct op *op;

        if (w->hint.state == HINT_WRITING || w->hint.state == HINT_STALE) {
                w->hint.state = HINT_STALE;
                return;
        }
        if (!has_directory(w))
                return;
        if (!(op = make_op(w))) {
                try_later(w, NULL);
                return;
        }
        w->hint.state = HINT_WRITING;
        op_run(op);
}

void worker_tick_hint(struct worker *w) {
        if (w->hint.state != HINT_DUE)
                return;
        if (!has_directory(w))
                w->hint.state = HINT_KEPT;
        else if (worker_now(w) >= w->hint.retry_at)
                worker_keep_hint(w);
        if (w->hint.state == HINT_DUE)
                worker_wake_at(w, w->hint.retry_at);
}

/* One that the disk refuses, or memory, holds nothing up: it is told, and tried again. */
bool worker_hint_is_kept(const struct worker *w) {
        return w->hint.state == HINT_KEPT || w->hint.state == HINT_DUE;
}

/* -- read -------------------------------------------------------------------------------------------------- */

static int read_members(struct worker *w, const struct value *containers, bool over) {
        for (uint32_t k = 0; k < value_count(containers); k++) {
                const struct value *one = value_at(containers, k);
                const char *name = value_string_or(value_get(one, "name"), "");

                for (size_t i = 0; i < w->n_members; i++)
                        if (strcmp(member_spec(w->members[i])->name, name) == 0 &&
                            member_read_hint(w->members[i], one, over) < 0)
                                return -ENOMEM;
        }
        return 0;
}

static const struct verdict_reason {
        const char *reason;
        enum worker_verdict verdict;
} verdicts[] = {
        { "DeadlineExceeded", WORKER_TOO_LATE },
        { "Preempting", WORKER_PREEMPTED },
        { "Evicted", WORKER_EVICTED },
        { "Terminated", WORKER_SHUT_DOWN },
};

/* Of the pods that have failed for a reason of their own: the others' ends are told by their containers. A pod of a
 * file that went down with the host begins anew: nobody else would make it again. */
static int read_verdict(struct worker *w, const struct value *hint) {
        const char *reason = value_string_or(value_get(hint, "reason"), "");
        bool disrupted = value_bool_or(value_get(hint, "disrupted"), false);
        const struct verdict_reason *found = NULL;
        char *message;

        for (size_t i = 0; i < ELEMENTS(verdicts) && !found; i++)
                found = strcmp(verdicts[i].reason, reason) == 0 ? &verdicts[i] : NULL;
        if (!found || (found->verdict == WORKER_SHUT_DOWN && w->pod->file))
                return 0;
        if (!(message = strdup(value_string_or(value_get(hint, "message"), ""))))
                return -ENOMEM;
        worker_judge(w, disrupted && found->verdict == WORKER_EVICTED ? WORKER_DISRUPTED : found->verdict,
                     found->reason, message);
        return 0;
}

static int read_value(struct worker *w, const struct value *hint, bool *ret_over) {
        bool over = !w->sandbox.id[0] && value_bool_or(value_get(hint, "over"), false);

        w->start_time = value_integer_or(value_get(hint, "startTime"), w->start_time);
        worker_take_userns(w, (int)value_integer_or(value_get(hint, "userns"), -1));
        w->resize.size.cpu_shares = value_integer_or(value_get(hint, "cpuShares"), w->resize.size.cpu_shares);
        w->resize.size.cpu_quota = value_integer_or(value_get(hint, "cpuQuota"), w->resize.size.cpu_quota);
        w->resize.size.memory_max = value_integer_or(value_get(hint, "memoryMax"), w->resize.size.memory_max);
        w->initialized |= w->sandbox.id[0] && value_bool_or(value_get(hint, "initialized"), false);
        *ret_over = over;
        if (read_members(w, value_get(hint, "containers"), over) < 0)
                return -ENOMEM;
        return read_verdict(w, hint);
}

int worker_read_hint(struct worker *w, bool *ret_over) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        _cleanup_free_ char *text = NULL;
        const struct value *hint = NULL;
        const char *path = arena ? pod_files_path(arena, w->node->world.options, w->pod, "state") : NULL;
        size_t length = 0;
        int r;

        *ret_over = false;
        if (!path)
                return -ENOMEM;
        if ((r = files_read(path, HINT_MAX, &text, &length, &err)) >= 0 &&
            (r = json_parse(arena, text, length, NULL, &hint, &err)) >= 0)
                return read_value(w, hint, ret_over);
        if (r == -ENOMEM)
                return r;
        log_warning("pod %s/%s: going on without its hint (back-off, probes): %s", w->pod->metadata.namespace,
                    w->pod->metadata.name, err_text(err));
        return 0;
}
