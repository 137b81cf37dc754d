/* A pod whose resources change while it runs (KEP-1287; kuberuntime_manager.go, doPodResizeAction()): memory, then CPU,
 * each of the pod's cgroup first where it grows and last where it shrinks, and of the containers those first that
 * shrink. What fails is told and tried again, from the beginning: what was done by then has its size. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/internal.h"
#include "cgroups/stats.h"
#include "kube/pod/allocation.h"
#include "kube/pod/resources.h"
#include "lib/cleanup.h"

/* -- what is told ------------------------------------------------------------------------------------------ */

static void say(struct worker *w, bool warning, const char *reason, const char *what, const struct pod *pod,
                const struct pod_resize *resize) {
        _cleanup_free_ char *summary = pod_resize_summary(pod, resize->generation, resize->message);

        worker_say(w, warning, reason, "%s%s%s", what, summary ? ": " : "", summary ?: "");
}

static void begin_progress(struct worker *w) {
        free(w->resize.error);
        w->resize.error = NULL;
        w->resize.in_progress = (struct pod_resize){ .set = true, .generation = w->pod->metadata.generation };
}

static void complete(struct worker *w) {
        w->resize.retry_at = NODE_NEVER;
        w->resize.before = pod_unref(w->resize.before);
        if (!w->resize.in_progress.set)
                return;
        w->resize.in_progress.set = false;
        w->resize.in_progress.message = NULL;
        say(w, false, "ResizeCompleted", "Pod resize completed", w->pod, &w->resize.in_progress);
        worker_keep_hint(w);
}

static void fail(struct worker *w, const struct err *err) {
        const char *text = err ? err_text(err) : "out of memory";
        bool news = !w->resize.error || strcmp(w->resize.error, text) != 0;
        char *copy = news ? strdup(text) : NULL;

        w->resize.phase = 0;
        if (w->state != WORKER_RUNNING) { /* it ends: its cgroup goes */
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
                say(w, true, "ResizeError", "Pod resize error", w->pod, &w->resize.in_progress);
        worker_step(w);
}

/* -- the pod's cgroup -------------------------------------------------------------------------------------- */

static void go_on(struct worker *w);

/* What it is to have; a limit that is not asked for any more stays, as kubelet leaves it. */
static struct pod_files_size wanted_size(const struct worker *w) {
        struct pod_files_size size = pod_files_size(w->pod);

        size.cpu_quota = size.cpu_quota ?: w->resize.size.cpu_quota;
        size.memory_max = size.memory_max ?: w->resize.size.memory_max;
        return size;
}

static bool has_size(const struct worker *w) {
        struct pod_files_size a = wanted_size(w), b = w->resize.size;

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

        if (err) {
                fail(w, err);
                return;
        }
        w->resize.size.cpu_shares = made->cpu_shares ?: w->resize.size.cpu_shares;
        w->resize.size.cpu_quota = made->cpu_quota ?: w->resize.size.cpu_quota;
        w->resize.size.memory_max = made->memory_max ?: w->resize.size.memory_max;
        w->resize.phase++;
        go_on(w);
}

static struct op *new_op(struct worker *w, const char *step) {
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
        op = new_op(w, "resize_pod");
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

/* 0 is no limit: as much as can be. */
static bool grows(int64_t from, int64_t to) {
        return from && to > from;
}

static bool shrinks(int64_t from, int64_t to) {
        return to && (!from || to < from);
}

static int grow_memory(struct worker *w, struct err **err) {
        struct pod_files_size to = wanted_size(w), size = { 0 };

        if (grows(w->resize.size.memory_max, to.memory_max))
                size.memory_max = to.memory_max;
        return set_cgroup(w, size, err);
}

static int shrink_memory(struct worker *w, struct err **err) {
        struct pod_files_size to = wanted_size(w), size = { 0 };

        if (shrinks(w->resize.size.memory_max, to.memory_max))
                size.memory_max = to.memory_max;
        return set_cgroup(w, size, err);
}

static int grow_cpu(struct worker *w, struct err **err) {
        struct pod_files_size to = wanted_size(w), size = { 0 };

        if (grows(w->resize.size.cpu_quota, to.cpu_quota))
                size.cpu_quota = to.cpu_quota;
        if (grows(w->resize.size.cpu_shares, to.cpu_shares))
                size.cpu_shares = to.cpu_shares;
        return set_cgroup(w, size, err);
}

static int shrink_cpu(struct worker *w, struct err **err) {
        struct pod_files_size to = wanted_size(w), size = { 0 };

        if (shrinks(w->resize.size.cpu_quota, to.cpu_quota))
                size.cpu_quota = to.cpu_quota;
        if (shrinks(w->resize.size.cpu_shares, to.cpu_shares))
                size.cpu_shares = to.cpu_shares;
        return set_cgroup(w, size, err);
}

/* -- containers -------------------------------------------------------------------------------------------- */

struct change {
        struct member *member;
        struct pod_container_size size; /* with what it is to have of this resource */
        bool shrinks;
};

/* What is to change of @m; false: nothing of this resource. */
static bool find_change(struct member *m, bool memory, struct change *ret) {
        struct pod_container_size to = member_wanted_size(m), size = *member_size(m);
        int64_t *has[] = { memory ? &size.memory_limit : &size.cpu_limit,
                           memory ? &size.memory_request : &size.cpu_request };
        const int64_t wanted[] = { memory ? to.memory_limit : to.cpu_limit,
                                   memory ? to.memory_request : to.cpu_request };
        bool limit = *has[0] != wanted[0];

        if (member_resizing(m) == MEMBER_FITS || (!limit && *has[1] == wanted[1]))
                return false;
        ret->shrinks = limit ? shrinks(*has[0], wanted[0]) : wanted[1] < *has[1];
        *has[0] = wanted[0];
        *has[1] = wanted[1];
        ret->member = m;
        ret->size = size;
        return true;
}

/* The next container to be updated: those that shrink first. */
static bool next_change(const struct worker *w, bool memory, struct change *ret) {
        bool found = false;

        for (size_t i = 0; i < w->n_lasting; i++) {
                struct change change;

                if (!find_change(w->members[i], memory, &change) || (found && (ret->shrinks || !change.shrinks)))
                        continue;
                *ret = change;
                found = true;
        }
        return found;
}

/* One that has ended meanwhile has no size. */
static void on_container(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        const struct change *change = op->input;
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
        struct change found, *change;

        if (!next_change(w, memory, &found))
                return 0;
        op = new_op(w, NULL);
        change = op ? arena_new_of(op->arena, struct change) : NULL;
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

/* -- the check: no limit of memory goes below what is used (validateMemoryResizeAction()) ------------------ */

#define LIMITS_MAX 64 /* containers that are looked at; the kernel refuses the others' limits by itself, if it must */

struct check_job {
        const struct cgroups *cgroups;
        struct {
                const char *name, *cgroup; /* name NULL: the pod's */
                int64_t limit;
        } limits[LIMITS_MAX];
        size_t n;
};

static int check_work(struct op *op, struct err **err) {
        const struct check_job *job = op->input;
        char text[ERR_TEXT_MAX] = "";
        unsigned found = 0;

        for (size_t i = 0; i < job->n; i++) {
                size_t at = strlen(text);
                struct cgroup_stats stats;

                if (cgroup_get_stats(job->cgroups, job->limits[i].cgroup, &stats, NULL) < 0 ||
                    stats.memory_usage == CGROUP_UNKNOWN || stats.memory_usage < (uint64_t)job->limits[i].limit)
                        continue;
                snprintf(text + at, sizeof(text) - at,
                         job->limits[i].name ?
                                 "%sattempting to set container \"%s\" memory limit (%lld) below current usage (%llu)" :
                                 "%sattempting to set pod%s memory limit (%lld) below current usage (%llu)",
                         found++ ? ", " : "", job->limits[i].name ?: "", (long long)job->limits[i].limit,
                         (unsigned long long)stats.memory_usage);
        }
        if (!found)
                return 0;
        return err_set(err, EBUSY, "cannot decrease memory limits: %s%s%s", found > 1 ? "[" : "", text,
                       found > 1 ? "]" : "");
}

static void on_checked(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct worker *w = op->scope->data;

        if (err) {
                fail(w, err);
                return;
        }
        w->resize.phase++;
        go_on(w);
}

/* Copied: the container may go while its cgroup is looked at. */
static int add_limit(struct arena *arena, struct check_job *job, const char *name, const char *cgroup, int64_t limit) {
        const char *own_name = name ? arena_strdup(arena, name) : NULL, *own_cgroup = arena_strdup(arena, cgroup);

        if ((name && !own_name) || !own_cgroup)
                return -ENOMEM;
        job->limits[job->n].name = own_name;
        job->limits[job->n].cgroup = own_cgroup;
        job->limits[job->n++].limit = limit;
        return 0;
}

static int list_limits(const struct worker *w, struct arena *arena, struct check_job *job, const char *pod_cgroup) {
        int64_t pod_limit = wanted_size(w).memory_max;
        int r = shrinks(w->resize.size.memory_max, pod_limit) ? add_limit(arena, job, NULL, pod_cgroup, pod_limit) : 0;

        for (size_t i = 0; i < w->n_lasting && r == 0 && job->n < LIMITS_MAX; i++) {
                struct cri_container_info info;
                struct change change;

                if (find_change(w->members[i], true, &change) &&
                    shrinks(member_size(change.member)->memory_limit, change.size.memory_limit) &&
                    node_container_get(&w->node->world, member_id(change.member), &info) == 0 && info.cgroup)
                        r = add_limit(arena, job, member_spec(change.member)->name, info.cgroup,
                                      change.size.memory_limit);
        }
        return r;
}

static int check(struct worker *w, struct err **err) {
        _cleanup_op_ struct op *op = new_op(w, "check_memory");
        struct check_job *job = op ? arena_new_of(op->arena, struct check_job) : NULL;
        const char *cgroup = op ? pod_files_cgroup(op->arena, w->node->world.options, w->pod) : NULL;

        if (!job || !cgroup || list_limits(w, op->arena, job, cgroup) < 0)
                return err_set(err, ENOMEM, "out of memory");
        if (job->n == 0 || !(job->cgroups = w->node->world.cgroups))
                return 0;
        op->input = job;
        op->work = check_work;
        op->done = on_checked;
        op_run(TAKE_PTR(op));
        return 1;
}

/* -- all --------------------------------------------------------------------------------------------------- */

static int (*const phases[])(struct worker *w, struct err **err) = {
        NULL, check, grow_memory, update_memory, shrink_memory, grow_cpu, update_cpu, shrink_cpu,
};

/* A pod that ends meanwhile is left as it is. */
static void go_on(struct worker *w) {
        _cleanup_err_ struct err *err = NULL;
        int r = 0;

        while (w->state == WORKER_RUNNING && w->resize.phase < ELEMENTS(phases) &&
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
                begin_progress(w);
        if (all == MEMBER_RESIZES_BY_RESTART)
                return false;
        if (w->resize.retry_at != NODE_NEVER && worker_now(w) < w->resize.retry_at) {
                worker_wake_at(w, w->resize.retry_at);
                return true;
        }
        w->resize.retry_at = NODE_NEVER;
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

/* -- what the node says to it ------------------------------------------------------------------------------ */

const struct pod *worker_wanted(const struct worker *w) {
        return w->resize.wanted ?: w->pod;
}

const struct pod *worker_before(const struct worker *w) {
        return w->resize.before;
}

bool worker_asks_resize(const struct worker *w) {
        return worker_is_active(w) && w->resize.wanted && pod_is_resized(w->resize.wanted, w->pod);
}

int64_t worker_waits_since(const struct worker *w) {
        const struct pod_condition *c =
                w->has_status && w->resize.pending.set ? pod_status_condition(&w->status, "PodResizePending") : NULL;

        return c ? c->last_transition : NODE_NEVER;
}

/* Counted at once: the job that sets its cgroup sets that of all burstable pods with it. */
static void recount(struct worker *w, const struct pod *before) {
        if (pod_qos(w->pod) == QOS_BURSTABLE)
                w->node->burstable_milli +=
                        quantity_milli(pod_request(w->pod, "cpu")) - quantity_milli(pod_request(before, "cpu"));
}

int worker_allocate(struct worker *w) {
        struct pod *before = pod_ref(w->pod);

        if (worker_adopt(w, w->resize.wanted) < 0) {
                pod_unref(before);
                return -ENOMEM;
        }
        recount(w, before);
        if (w->resize.before)
                pod_unref(before);
        else
                w->resize.before = before;
        w->resize.pending.set = false;
        w->resize.retry_at = NODE_NEVER;
        begin_progress(w);
        say(w, false, "ResizeStarted", "Pod resize started", w->pod, &w->resize.in_progress);
        worker_step(w);
        return 0;
}

/* Told when it is news: that it waits, or for another change. */
void worker_defer(struct worker *w, const char *message) {
        struct pod_resize *pending = &w->resize.pending;
        int64_t generation = w->resize.wanted->metadata.generation;
        bool news = !pending->set || pending->generation != generation;
        char *copy;

        if (!news && strcmp(w->resize.pending_message, message) == 0)
                return;
        if (!(copy = strdup(message)))
                return;
        free(w->resize.pending_message);
        w->resize.pending_message = copy;
        *pending = (struct pod_resize){ .set = true, .reason = "Deferred", .message = copy, .generation = generation };
        if (news)
                say(w, true, "ResizeDeferred", "Pod resize Deferred", w->resize.wanted, pending);
        worker_step(w);
}
