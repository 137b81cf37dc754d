/* Jobs: what their parts are asked in files of their own. For kube/validate alone. */
#pragma once

#include "kube/batch_v1.h"
#include "kube/validate/field.h"

/* A job's spec but for its selector, which a CronJob's template has not; @past is the pods' template as it was, or
 * NULL. */
void validate_job_spec(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec,
                       const struct kube_pod_template_spec *past);

/* @at are spec.podFailurePolicy, and spec.successPolicy of an indexed job. */
void validate_failure_policy(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec);
void validate_success_policy(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec);

void validate_job_status(struct validation *v, const void *object, const void *old);

/* Indexes as "0-2,4", in order and below @completions: what is wrong with them, or NULL. *@ret_total is how many. */
const char *validate_indexes(struct validation *v, const char *indexes, int64_t completions, int64_t *ret_total);

/* Where two such texts, whose wrong parts are passed over, have one in common; NULL: nowhere. */
const char *validate_indexes_apart(struct validation *v, const char *a, const char *b, int64_t completions);

static inline bool validate_job_is_indexed(const struct kube_batch_v1_job_spec *spec) {
        return kube_is(spec->completion_mode, "Indexed");
}
