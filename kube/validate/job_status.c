/* What a job's status may become (k8s.io/kubernetes/pkg/apis/batch/validation, pkg/registry/batch/job: rules are asked
 * of what changes, so that one that is broken already can be mended). */
#include <string.h>

#include "kube/validate/common.h"
#include "kube/validate/job.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

typedef const struct kube_batch_v1_job *job;

/* What both have been through, and what differs between them. */
struct change {
        bool finished, complete, failed, target, met, completed_indexes, failed_indexes, active, start, end, uncounted,
                ready, terminating, resuming, scales, nothing_to_do;
};

static bool has_condition(job j, const char *type, const char *status) {
        list_for_each (condition, &j->status.conditions)
                if (kube_is(condition->type, type) && kube_is(condition->status, status))
                        return true;
        return false;
}

static bool is_true(job j, const char *type) {
        return has_condition(j, type, "True");
}

static bool is_finished(job j) {
        return is_true(j, "Complete") || is_true(j, "Failed");
}

static bool same(const struct opt_int *a, const struct opt_int *b) {
        return a->set == b->set && (!a->set || a->value == b->value);
}

static int order_of(const struct kube_time *a, const struct kube_time *b) {
        return (a->seconds > b->seconds) - (a->seconds < b->seconds);
}

static bool same_time(const struct kube_time *a, const struct kube_time *b) {
        return a->set == b->set && (!a->set || order_of(a, b) == 0);
}

static bool same_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0 && !a == !b;
}

static struct change find_change(job new, job old) {
        const struct kube_batch_v1_job_status *s = &new->status, *o = &old->status;

        return (struct change){
                .finished = is_finished(new) != is_finished(old),
                .complete = is_true(new, "Complete") != is_true(old, "Complete"),
                .failed = is_true(new, "Failed") != is_true(old, "Failed"),
                .target = is_true(new, "FailureTarget") != is_true(old, "FailureTarget"),
                .met = is_true(new, "SuccessCriteriaMet") != is_true(old, "SuccessCriteriaMet"),
                .completed_indexes = strcmp(s->completed_indexes ?: "", o->completed_indexes ?: "") != 0,
                .failed_indexes = !same_text(s->failed_indexes, o->failed_indexes),
                .active = s->active != o->active,
                .start = !same_time(&s->start_time, &o->start_time),
                .end = !same_time(&s->completion_time, &o->completion_time),
                .uncounted = !validate_equal_field(&kube_batch_v1_job_status_type, "uncountedTerminatedPods", s, o),
                .ready = !same(&s->ready, &o->ready),
                .terminating = !same(&s->terminating, &o->terminating),
                .resuming = is_true(old, "Suspended") && has_condition(new, "Suspended", "False"),
                .scales = validate_job_is_indexed(&new->spec) && same(&new->spec.completions, &new->spec.parallelism),
                .nothing_to_do =
                        new->spec.suspend == TRI_TRUE &&new->spec.completions.set &&new->spec.completions.value == 0,
        };
}

static const char *time_text(struct validation *v, job j, const char *field) {
        return validate_field_json(v, &kube_batch_v1_job_status_type, field, &j->status);
}

/* --- counters --- */

static void check_counters(struct validation *v, const struct place *at, const struct kube_batch_v1_job_status *s) {
        validate_not_negative(v, FIELD(at, "active"), s->active);
        validate_not_negative(v, FIELD(at, "succeeded"), s->succeeded);
        validate_not_negative(v, FIELD(at, "failed"), s->failed);
        validate_not_negative_if(v, FIELD(at, "ready"), &s->ready);
        validate_not_negative_if(v, FIELD(at, "terminating"), &s->terminating);
}

static void check_uncounted(struct validation *v, const struct place *at,
                            const struct kube_batch_v1_uncounted_terminated_pods *pods) {
        uint32_t n = pods->succeeded.count, all = n + pods->failed.count;
        const char **texts = arena_alloc_array(v->arena, all, sizeof(*texts));
        const bool *repeated;

        for (uint32_t i = 0; texts && i < all; i++)
                texts[i] = i < n ? pods->succeeded.items[i] : pods->failed.items[i - n];
        repeated = texts && all > 0 ? validate_repeated(v, texts, all) : NULL;
        for (uint32_t i = 0; repeated && i < all; i++) {
                const struct place *item = i < n ? ITEM(FIELD(at, "succeeded"), i) : ITEM(FIELD(at, "failed"), i - n);

                if (!texts[i] || !*texts[i])
                        validate_invalid_word(v, item, "", "must not be empty");
                else if (repeated[i])
                        validate_duplicate(v, item, texts[i]);
        }
}

/* --- conditions, times, indexes --- */

static void check_time(struct validation *v, const struct place *at, job j, const struct change *c) {
        const struct kube_batch_v1_job_status *s = &j->status;
        const struct place *end = FIELD(at, "completionTime");
        bool complete = is_true(j, "Complete");

        if ((c->complete || c->end) && s->completion_time.set && !complete)
                validate_invalid_json(v, end, time_text(v, j, "completionTime"),
                                      "cannot set completionTime when there is no Complete=True condition");
        if ((c->complete || c->end) && !s->completion_time.set && complete)
                validate_required(v, end, "completionTime is required for Complete jobs");
        if ((c->start || c->end) && s->start_time.set && s->completion_time.set &&
            order_of(&s->completion_time, &s->start_time) < 0)
                validate_invalid_json(v, end, time_text(v, j, "completionTime"),
                                      "must be equal to or after `startTime`");
}

static void check_contradictions(struct validation *v, const struct place *at, job j, const struct change *c) {
        if ((c->complete || c->failed) && is_true(j, "Complete") && is_true(j, "Failed"))
                validate_invalid_json(v, at, NULL, "cannot set Complete=True and Failed=true conditions");
        if ((c->complete || c->target) && is_true(j, "Complete") && is_true(j, "FailureTarget"))
                validate_invalid_json(v, at, NULL, "cannot set Complete=True and FailureTarget=true conditions");
}

static void check_steps(struct validation *v, const struct place *at, job j, const struct change *c) {
        if ((c->failed || c->failed_indexes) && is_true(j, "Failed") && !is_true(j, "FailureTarget"))
                validate_invalid_json(v, at, NULL,
                                      "cannot set Failed=True condition without the FailureTarget=true condition");
        if ((c->complete || c->met) && is_true(j, "Complete") && !is_true(j, "SuccessCriteriaMet"))
                validate_invalid_json(
                        v, at, NULL,
                        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition");
}

static void check_finished(struct validation *v, const struct place *at, job j, const struct change *c) {
        const struct kube_batch_v1_uncounted_terminated_pods *pods = j->status.uncounted_terminated_pods;

        if (!is_finished(j))
                return;
        if ((c->finished || c->active) && j->status.active > 0)
                validate_invalid_int(v, FIELD(at, "active"), j->status.active, "active>0 is invalid for finished job");
        if ((c->finished || c->start) && !c->nothing_to_do && !j->status.start_time.set)
                validate_required(v, FIELD(at, "startTime"), "startTime is required for finished job");
        if ((c->finished || c->uncounted) && pods && pods->failed.count + pods->succeeded.count > 0)
                validate_invalid_json(v, FIELD(at, "uncountedTerminatedPods"),
                                      validate_go_json(v, &kube_batch_v1_uncounted_terminated_pods_type, pods),
                                      "must be empty for finished job");
}

static void check_index_text(struct validation *v, const struct place *at, const char *field, const char *indexes,
                             int64_t completions) {
        int64_t total;
        const char *problem = validate_indexes(v, indexes, completions, &total);

        if (problem)
                validate_invalid(v, FIELD(at, field), indexes,
                                 validate_text(v, "error parsing %s: %s", field, problem));
}

static void check_indexes(struct validation *v, const struct place *at, job j, const struct change *c) {
        const struct kube_batch_v1_job_status *s = &j->status;
        const struct opt_int *completions = &j->spec.completions;
        const char *problem = NULL;

        if (c->completed_indexes && completions->set)
                check_index_text(v, at, "completedIndexes", s->completed_indexes, completions->value);
        if (c->failed_indexes && completions->set && j->spec.backoff_limit_per_index.set && s->failed_indexes)
                check_index_text(v, at, "failedIndexes", s->failed_indexes, completions->value);
        if (c->completed_indexes && s->completed_indexes && *s->completed_indexes && !validate_job_is_indexed(&j->spec))
                validate_invalid(v, FIELD(at, "completedIndexes"), s->completed_indexes,
                                 "cannot set non-empty completedIndexes when non-indexed completion mode");
        if (c->failed_indexes && !j->spec.backoff_limit_per_index.set && s->failed_indexes)
                validate_invalid(v, FIELD(at, "failedIndexes"), s->failed_indexes,
                                 "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
        if ((c->failed_indexes || c->completed_indexes) && completions->set)
                problem = validate_indexes_apart(v, s->completed_indexes, s->failed_indexes, completions->value);
        if (problem)
                validate_invalid(v, FIELD(at, "failedIndexes"), s->failed_indexes, problem);
}

static void check_rest(struct validation *v, const struct place *at, job j, const struct change *c) {
        const struct kube_batch_v1_job_status *s = &j->status;
        const struct place *conditions = FIELD(at, "conditions");
        bool met = is_true(j, "SuccessCriteriaMet");

        if ((c->finished || c->terminating) && s->terminating.set && s->terminating.value > 0 && is_finished(j))
                validate_invalid_int(v, FIELD(at, "terminating"), s->terminating.value,
                                     "terminating>0 is invalid for finished job");
        if ((c->ready || c->active) && s->ready.set && s->ready.value > s->active)
                validate_invalid_int(v, FIELD(at, "ready"), s->ready.value, "cannot set more ready pods than active");
        if (met && is_true(j, "Failed"))
                validate_invalid_json(v, conditions, NULL,
                                      "cannot set SuccessCriteriaMet=True and Failed=true conditions");
        if (met && is_true(j, "FailureTarget"))
                validate_invalid_json(v, conditions, NULL,
                                      "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions");
        if (j->spec.success_policy && !met && is_true(j, "Complete"))
                validate_invalid_json(
                        v, conditions, NULL,
                        "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True");
}

/* --- what may not be undone --- */

static void check_terminal(struct validation *v, const struct place *at, job new, job old) {
        static const char *const types[] = { "Failed", "Complete", "FailureTarget" };

        for (size_t i = 0; i < ELEMENTS(types); i++)
                if (is_true(old, types[i]) && !is_true(new, types[i]))
                        validate_invalid_json(
                                v, at, NULL,
                                validate_text(v, "cannot disable the terminal %s=True condition", types[i]));
}

static void check_progress(struct validation *v, const struct place *at, job new, job old, const struct change *c) {
        const struct kube_batch_v1_job_status *s = &new->status, *o = &old->status;

        if (s->failed < o->failed)
                validate_invalid_int(v, FIELD(at, "failed"), s->failed, "cannot decrease the failed counter");
        if (!c->scales && s->succeeded < o->succeeded)
                validate_invalid_int(v, FIELD(at, "succeeded"), s->succeeded, "cannot decrease the succeeded counter");
        if (s->completion_time.set && o->completion_time.set && c->end)
                validate_invalid_json(v, FIELD(at, "completionTime"), time_text(v, new, "completionTime"),
                                      VALIDATE_IMMUTABLE);
        if (c->start && !c->resuming && o->start_time.set && new->spec.suspend != TRI_TRUE)
                validate_invalid_json(v, FIELD(at, "startTime"), time_text(v, new, "startTime"),
                                      "field is immutable for unsuspended job once set");
}

static void check_success(struct validation *v, const struct place *at, job new, job old) {
        bool was = is_true(old, "SuccessCriteriaMet"), is = is_true(new, "SuccessCriteriaMet");

        if (was && !is)
                validate_invalid_json(v, at, NULL, "cannot disable the SuccessCriteriaMet=True condition");
        if (is_true(old, "Complete") && !was && is)
                validate_invalid_json(
                        v, at, NULL, "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions");
}

void validate_job_status(struct validation *v, const void *object, const void *before) {
        job new = object, old = before;
        const struct place *at = FIELD(NULL, "status"), *conditions = FIELD(at, "conditions");
        struct change c = find_change(new, old);

        validate_meta_update(v, &new->metadata, &old->metadata);
        check_counters(v, at, &new->status);
        if (new->status.uncounted_terminated_pods)
                check_uncounted(v, FIELD(at, "uncountedTerminatedPods"), new->status.uncounted_terminated_pods);
        check_contradictions(v, conditions, new, &c);
        check_time(v, at, new, &c);
        check_steps(v, conditions, new, &c);
        check_finished(v, at, new, &c);
        check_indexes(v, at, new, &c);
        check_rest(v, at, new, &c);
        check_terminal(v, conditions, new, old);
        check_progress(v, at, new, old, &c);
        check_success(v, conditions, new, old);
}
