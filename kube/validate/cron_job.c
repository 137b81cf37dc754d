/* CronJobs (k8s.io/kubernetes/pkg/apis/batch/validation, pkg/registry/batch/cronjob). */
#include <string.h>
#include <strings.h>

#include "kube/validate/common.h"
#include "kube/validate/job.h"
#include "kube/validate/pod.h"
#include "kube/validate/rules.h"
#include "kube/validate/schedule.h"
#include "kube/validate/workload.h"

#define NAME_MAX_BYTES 52 /* its jobs have eleven more, and 63 at most */

typedef const struct kube_batch_v1_cron_job_spec *cron_job_spec;

static bool names_zone(const char *schedule) {
        return schedule && strstr(schedule, "TZ");
}

static void check_schedule(struct validation *v, const struct place *at, cron_job_spec spec, cron_job_spec old) {
        const char *schedule = spec->schedule, *problem;
        bool allowed = old && names_zone(old->schedule);

        if (!schedule || !*schedule) {
                validate_required(v, at, "");
                return;
        }
        problem = schedule_problem(v->arena, schedule);
        if (problem)
                validate_invalid(v, at, schedule, problem);
        if (names_zone(schedule) && !allowed)
                validate_invalid(v, at, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
        else if (names_zone(schedule) && spec->time_zone)
                validate_invalid(v, at, schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
}

static void check_zone(struct validation *v, const struct place *at, const char *zone) {
        const char *problem;

        if (!zone)
                return;
        if (!*zone) {
                validate_invalid_word(v, at, zone, "timeZone must be nil or non-empty string");
                return;
        }
        if (strcasecmp(zone, "Local") == 0)
                validate_invalid_word(v, at, zone,
                                      "timeZone must be an explicit time zone as defined in "
                                      "https://www.iana.org/time-zones");
        problem = schedule_zone_problem(v->arena, zone);
        if (problem)
                validate_invalid_word(v, at, zone, problem);
}

static void check_concurrency(struct validation *v, const struct place *at, const char *policy) {
        static const char *const policies[] = { "Allow", "Forbid", "Replace", NULL };

        if (!policy || !*policy)
                validate_required(v, at, "");
        else
                validate_choice(v, at, policy, policies);
}

static void check_template(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *job,
                           const struct kube_pod_template_spec *past) {
        static const char *const not [] = { "nil", "false", NULL };

        validate_job_spec(v, at, job, past);
        if (job->selector)
                validate_invalid_object(v, FIELD(at, "selector"), &kube_label_selector_type, job->selector,
                                        "`selector` will be auto-generated");
        if (job->manual_selector == TRI_TRUE)
                validate_unsupported_json(v, FIELD(at, "manualSelector"), "true", not );
}

static void check_spec(struct validation *v, cron_job_spec spec, cron_job_spec old) {
        const struct place *at = FIELD(NULL, "spec");

        check_schedule(v, FIELD(at, "schedule"), spec, old);
        validate_not_negative_if(v, FIELD(at, "startingDeadlineSeconds"), &spec->starting_deadline_seconds);
        if (!old || !spec->time_zone != !old->time_zone || strcmp(spec->time_zone ?: "", old->time_zone ?: "") != 0)
                check_zone(v, FIELD(at, "timeZone"), spec->time_zone);
        check_concurrency(v, FIELD(at, "concurrencyPolicy"), spec->concurrency_policy);
        check_template(v, FIELD(FIELD(at, "jobTemplate"), "spec"), &spec->job_template.spec,
                       old ? &old->job_template.spec.template : NULL);
        validate_not_negative_if(v, FIELD(at, "successfulJobsHistoryLimit"), &spec->successful_jobs_history_limit);
        validate_not_negative_if(v, FIELD(at, "failedJobsHistoryLimit"), &spec->failed_jobs_history_limit);
}

static void check_cron_job(struct validation *v, const void *object, const void *before) {
        const struct kube_batch_v1_cron_job *new = object, *old = before;

        if (old)
                validate_meta_update(v, &new->metadata, &old->metadata);
        else
                validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_spec(v, &new->spec, old ? &old->spec : NULL);
        if (!old && strlen(new->metadata.name ?: "") > NAME_MAX_BYTES)
                validate_invalid(v, FIELD(FIELD(NULL, "metadata"), "name"), new->metadata.name,
                                 "must be no more than 52 characters");
}

static void take_status(struct validation *v, const void *object, const void *old) {
}

static const struct validate_sub subs[] = { { "status", take_status }, { 0 } };

const struct validate_rules validate_cron_job_rules[] = {
        { "batch", "CronJob", NAME_SUBDOMAIN, check_cron_job, check_cron_job, subs },
        { 0 },
};
