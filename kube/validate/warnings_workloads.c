/* What makes pods: a change is told of where there is another generation of it. */
#include <string.h>

#include "kube/apps_v1.h"
#include "kube/batch_v1.h"
#include "kube/validate/warnings.h"

#define COMPLETIONS_SOFT 100000 /* past both an Indexed Job may lose track of what has failed */
#define PARALLELISM_SOFT 10000
#define HISTORY                                                                                                        \
        "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"

static void warn_template(struct validation *v, const struct place *at, const struct kube_pod_template_spec *template) {
        validate_warn_pod(v, at, &template->metadata, &template->spec);
}

static bool is_news(const struct kube_object_meta *meta, const struct kube_object_meta *old) {
        return !old || meta->generation != old->generation;
}

static void warn_new_name(struct validation *v, const struct kube_object_meta *meta, const void *old) {
        if (!old)
                validate_warn_name(v, meta, "Pod names and hostnames");
}

void validate_warn_template_object(struct validation *v, const void *object, const void *old) {
        const struct kube_pod_template *new = object, *before = old;

        if (is_news(&new->metadata, before ? &before->metadata : NULL))
                warn_template(v, FIELD(NULL, "template"), &new->template);
}

/* Of a change it is the old template that is looked at, as in kube-apiserver. */
void validate_warn_controller(struct validation *v, const void *object, const void *old) {
        const struct kube_replication_controller *new = object, *before = old;
        const struct kube_pod_template_spec *template = before ? before->spec.template : new->spec.template;

        warn_new_name(v, &new->metadata, old);
        if (template && is_news(&new->metadata, before ? &before->metadata : NULL))
                warn_template(v, FIELD(FIELD(NULL, "spec"), "template"), template);
}

void validate_warn_deployment(struct validation *v, const void *object, const void *old) {
        const struct kube_apps_v1_deployment *new = object, *before = old;

        warn_new_name(v, &new->metadata, old);
        if (is_news(&new->metadata, before ? &before->metadata : NULL))
                warn_template(v, FIELD(FIELD(NULL, "spec"), "template"), &new->spec.template);
}

void validate_warn_replica_set(struct validation *v, const void *object, const void *old) {
        const struct kube_apps_v1_replica_set *new = object, *before = old;

        warn_new_name(v, &new->metadata, old);
        if (is_news(&new->metadata, before ? &before->metadata : NULL))
                warn_template(v, FIELD(FIELD(NULL, "spec"), "template"), &new->spec.template);
}

/* templateGeneration counts its template's changes alone. */
void validate_warn_daemon_set(struct validation *v, const void *object, const void *old) {
        const struct kube_apps_v1_daemon_set *new = object, *before = old;

        if (!before || !validate_equal(&kube_pod_template_spec_type, &new->spec.template, &before->spec.template))
                warn_template(v, FIELD(FIELD(NULL, "spec"), "template"), &new->spec.template);
}

/* "Spec" is there in kube-apiserver's words as well. */
static void warn_claims(struct validation *v, const struct place *at, const kube_persistent_volume_claim_items *claims,
                        bool update) {
        for (uint32_t i = 0; i < claims->count; i++) {
                const struct place *item = ITEM(at, i);

                validate_warn_claim_spec(v, update ? FIELD(item, "Spec") : item, &claims->items[i].spec);
        }
}

void validate_warn_stateful_set(struct validation *v, const void *object, const void *old) {
        const struct kube_apps_v1_stateful_set *new = object, *before = old;
        const struct place *spec = FIELD(NULL, "spec");

        if (is_news(&new->metadata, before ? &before->metadata : NULL))
                warn_template(v, FIELD(spec, "template"), &new->spec.template);
        warn_claims(v, FIELD(spec, "volumeClaimTemplates"), &new->spec.volume_claim_templates, old != NULL);
        if (new->spec.revision_history_limit.set &&new->spec.revision_history_limit.value < 0)
                validate_warn(v, NULL, HISTORY);
}

static void warn_job(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec) {
        if (kube_is(spec->completion_mode, "Indexed") && spec->completions.value > COMPLETIONS_SOFT &&
            spec->parallelism.value > PARALLELISM_SOFT)
                validate_warn(v, at,
                              "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher "
                              "than 10^4, Kubernetes might not be able to track completedIndexes when a big number of "
                              "indexes fail");
        warn_template(v, FIELD(at, "template"), &spec->template);
}

void validate_warn_job(struct validation *v, const void *object, const void *old) {
        const struct kube_batch_v1_job *new = object, *before = old;

        warn_new_name(v, &new->metadata, old);
        if (is_news(&new->metadata, before ? &before->metadata : NULL))
                warn_job(v, FIELD(NULL, "spec"), &new->spec);
}

void validate_warn_cron_job(struct validation *v, const void *object, const void *old) {
        const struct kube_batch_v1_cron_job *new = object, *before = old;

        warn_new_name(v, &new->metadata, old);
        if (is_news(&new->metadata, before ? &before->metadata : NULL))
                warn_job(v, FIELD(FIELD(FIELD(NULL, "spec"), "jobTemplate"), "spec"), &new->spec.job_template.spec);
        if (old && strstr(new->spec.schedule ?: "", "TZ"))
                validate_warn(v, NULL,
                              "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
                              "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details");
}
