/* A pod whose resources change while it runs (KEP-1287; kuberuntime_manager.go, doPodResizeAction()): memory, then CPU,
 * each of the pod's cgroup first where it grows and last where it shrinks, and of the containers those first that
 * shrink. What fails is told and tried again, from the beginning: what was done by then has its size. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/resize.h"
#include "kube/pod/allocation.h"
#include "lib/cleanup.h"

/* -- what is told ------------------------------------------------------------------------------------------ */

void resize_say(struct worker *w, const struct resize_words *words, const struct pod *pod,
                const struct pod_resize *resize) {
        _cleanup_free_ char *summary = pod_resize_summary(pod, resize->generation, resize->message);

        worker_say(w, words->warning, words->reason, "Pod resize %s%s%s", words->what, summary ? ": " : "",
                   summary ?: "");
}

void resize_begin_progress(struct worker *w) {
        free(w->resize.error);
        w->resize.error = NULL;
        w->resize.in_progress = (struct pod_resize){ .set = true, .generation = w->pod->metadata.generation };
}

static const struct resize_words completed = { false, "ResizeCompleted", "completed" },
                                 failed = { true, "ResizeError", "error" };

static void complete(struct worker *w) {
        w->resize.retry_at = NODE_NEVER;
        w->resize.before = pod_unref(w->resize.before);
        if (!w->resize.in_progress.set)
                return;
        w->resize.in_progress.set = false;
        w->resize.in_progress.message = NULL;
        resize_say(w, &completed, w->pod, &w->resize.in_progress);
        worker_keep_hint(w);
}

static void fail(struct worker *w, const struct err *err) {
        const char *text = err ? err_text(err) : "out of memory";
        bool news = !w->resize.error || strcmp(w->resize.error, text) != 0;
        char *copy = news ? strdup(text) : NULL;

        w->resize.phase = 0;
        if (w->state != WORKER_RUNNING ||
            w->resize.overtaken) { /* it ends: its cgroup goes; or this is wanted no more */
                free(copy);
                worker_step(w);
                return;
        }
        w->resize.retry_at = worker_now(w) + NODE_RETRY_MS;
        if (copy) {
                free(w->resize.error);
                w->resize.error = copy;
        }
        w->resize.in_progress.reason = "Error";
        w->resize.in_progress.message = w->resize.error;
        if (news)
                resize_say(w, &failed, w->pod, &w->resize.in_progress);
        worker_step(w);
}

/* -- the pod's cgroup -------------------------------------------------------------------------------------- */

static void go_on(struct worker *w);

/* What it is to have; a limit that is not asked for any more stays, as kubelet leaves it. */
struct pod_files_size resize_wanted_size(const struct worker *w) {
        struct pod_files_size size = pod_files_size(w->pod);

        size.cpu_quota = size.cpu_quota ?: w->resize.size.cpu_quota;
        size.memory_max = size.memory_max ?: w->resize.size.memory_max;
        return size;
}

static bool has_size(const struct worker *w) {
        struct pod_files_size a = resize_wanted_size(w), b = w->resize.size;

        return a.cpu_shares == b.cpu_shares && a.cpu_quota == b.cpu_quota && a.memory_max == b.memory_max;
}

struct resize_job {
        const struct pod_files *files;
        struct pod_files_size size;
        int64_t burstable_milli;
};

static int resize_work(struct op *op, struct err **err) {
        const struct resize_job *job = op->input;

        return pod_files_resize(job->files, &job->size, job->burstable_milli, err);
}

static void on_cgroup(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const struct pod_files_size *made = &((const struct resize_job *)op->input)->size;
        struct worker *w = op->scope->data;

        if (!err) {
                w->resize.size.cpu_shares = made->cpu_shares ?: w->resize.size.cpu_shares;
                w->resize.size.cpu_quota = made->cpu_quota ?: w->resize.size.cpu_quota;
                w->resize.size.memory_max = made->memory_max ?: w->resize.size.memory_max;
        }
        resize_phase_ended(w, err);
}

void resize_phase_ended(struct worker *w, const struct err *err) {
        if (err) {
                fail(w, err);
                return;
        }
        w->resize.phase++;
        go_on(w);
}

struct op *resize_op(struct worker *w, const char *step) {
        struct op *op = op_new(&w->scope);

        if (op) {
                op->step = step;
                op->heard_always = true;
        }
        return op;
}

/* Each phase: 1: it is under way; 0: there is nothing to do; or an error. */
static int set_cgroup(struct worker *w, struct pod_files_size size, struct err **err) {
        _cleanup_op_ struct op *op = NULL;
        struct resize_job *job;

        if (!size.cpu_shares && !size.cpu_quota && !size.memory_max)
                return 0;
        op = resize_op(w, "resize_pod");
        job = op ? arena_new_of(op->arena, struct resize_job) : NULL;
        if (!job || !(job->files = pod_files_new(op->arena, &w->node->world, w->pod, &w->sandbox.addresses)))
                return err_set(err, ENOMEM, "out of memory");
        job->size = size;
        job->burstable_milli = w->node->burstable_milli;
        op->input = job;
        op->work = resize_work;
        op->done = on_cgroup;
        op_run(TAKE_PTR(op));
        return 1;
}

/* To what it is to have of @memory, or of CPU, where that is @more than it has, or less. */
static int change(struct worker *w, bool memory, bool more, struct err **err) {
        struct pod_files_size to = resize_wanted_size(w), has = w->resize.size, size = { 0 };
        bool (*changes)(int64_t from, int64_t to) = more ? resize_grows : resize_shrinks;

        if (memory && changes(has.memory_max, to.memory_max))
                size.memory_max = to.memory_max;
        if (!memory && changes(has.cpu_quota, to.cpu_quota))
                size.cpu_quota = to.cpu_quota;
        if (!memory && changes(has.cpu_shares, to.cpu_shares))
                size.cpu_shares = to.cpu_shares;
        return set_cgroup(w, size, err);
}

static int grow_memory(struct worker *w, struct err **err) {
        return change(w, true, true, err);
}

static int shrink_memory(struct worker *w, struct err **err) {
        return change(w, true, false, err);
}

static int grow_cpu(struct worker *w, struct err **err) {
        return change(w, false, true, err);
}

static int shrink_cpu(struct worker *w, struct err **err) {
        return change(w, false, false, err);
}

/* -- containers -------------------------------------------------------------------------------------------- */

/* What is to change of @m; false: nothing of this resource. */
bool resize_find_change(struct member *m, bool memory, struct resize_change *ret) {
        struct pod_container_size to = member_wanted_size(m), size = *member_size(m);
        int64_t *has[] = { memory ? &size.memory_limit : &size.cpu_limit,
                           memory ? &size.memory_request : &size.cpu_request };
        const int64_t wanted[] = { memory ? to.memory_limit : to.cpu_limit,
                                   memory ? to.memory_request : to.cpu_request };
        bool limit = *has[0] != wanted[0];

        if (member_resizing(m) == MEMBER_FITS || (!limit && *has[1] == wanted[1]))
                return false;
        ret->shrinks = limit ? resize_shrinks(*has[0], wanted[0]) : wanted[1] < *has[1];
        *has[0] = wanted[0];
        *has[1] = wanted[1];
        ret->member = m;
        ret->size = size;
        return true;
}

/* The next container to be updated: those that shrink first. */
static bool next_change(const struct worker *w, bool memory, struct resize_change *ret) {
        bool found = false;

        for (size_t i = 0; i < w->n_lasting; i++) {
                struct resize_change change;

                if (!resize_find_change(w->members[i], memory, &change) || (found && (ret->shrinks || !change.shrinks)))
                        continue;
                *ret = change;
                found = true;
        }
        return found;
}

/* One that has ended meanwhile has no size. */
static void on_container(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const struct resize_change *change = op->input;
        struct worker *w = op->scope->data;

        if (err && member_has_process(change->member))
                fail(w, err);
        else if (err)
                go_on(w);
        else {
                member_set_size(change->member, &change->size);
                go_on(w);
        }
}

static int update_next(struct worker *w, bool memory, struct err **err) {
        Cri__UpdateContainerResourcesRequest *request;
        _cleanup_op_ struct op *op = NULL;
        struct resize_change found, *change;

        if (!next_change(w, memory, &found))
                return 0;
        op = resize_op(w, NULL);
        change = op ? arena_new_of(op->arena, struct resize_change) : NULL;
        if (!change || !(request = member_resize_request(op->arena, found.member, &found.size)))
                return err_set(err, ENOMEM, "out of memory");
        *change = found;
        op->input = change;
        op->done = on_container;
        op_call(TAKE_PTR(op), CRI_UPDATE_CONTAINER_RESOURCES, request);
        return 1;
}

static int update_memory(struct worker *w, struct err **err) {
        return update_next(w, true, err);
}

static int update_cpu(struct worker *w, struct err **err) {
        return update_next(w, false, err);
}

/* -- all --------------------------------------------------------------------------------------------------- */

static int (*const phases[])(struct worker *w, struct err **err) = {
        NULL, resize_check_memory, grow_memory, update_memory, shrink_memory, grow_cpu, update_cpu, shrink_cpu,
};

/* A pod that ends meanwhile is left as it is. One that is to have another size begins again: what grew first for the
 * one before may be too little for the containers that come next. */
static void go_on(struct worker *w) {
        _cleanup_err_ struct err *err = NULL;
        int r = 0;

        while (!w->resize.overtaken && w->state == WORKER_RUNNING && w->resize.phase < ELEMENTS(phases) &&
               (r = phases[w->resize.phase](w, &err)) == 0)
                w->resize.phase++;
        if (r > 0)
                return;
        if (r < 0) {
                fail(w, err);
                return;
        }
        w->resize.phase = 0;
        worker_step(w);
}

/* Containers that are to start anew end first. */
static enum member_resizing look(struct worker *w) {
        enum member_resizing all = has_size(w) ? MEMBER_FITS : MEMBER_RESIZES;

        for (size_t i = 0; i < w->n_lasting; i++) {
                enum member_resizing one = member_resizing(w->members[i]);

                if (one == MEMBER_RESIZES_BY_RESTART)
                        member_restart_for_size(w->members[i]);
                all = one > all ? one : all;
        }
        return all;
}

bool worker_resize(struct worker *w) {
        enum member_resizing all;

        if (w->resize.phase)
                return false;
        all = look(w);
        if (all == MEMBER_FITS) {
                complete(w);
                return true;
        }
        if (!w->resize.in_progress.set)
                resize_begin_progress(w);
        if (all == MEMBER_RESIZES_BY_RESTART)
                return false;
        if (w->resize.retry_at != NODE_NEVER && worker_now(w) < w->resize.retry_at) {
                worker_wake_at(w, w->resize.retry_at);
                return true;
        }
        w->resize.retry_at = NODE_NEVER;
        w->resize.overtaken = false;
        w->resize.phase = 1;
        go_on(w);
        return !w->resize.phase;
}

void worker_end_resize(struct worker *w) {
        pod_unref(w->resize.wanted);
        pod_unref(w->resize.before);
        free(w->resize.pending_message);
        free(w->resize.error);
}
