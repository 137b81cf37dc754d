/* Jobs (k8s.io/kubernetes/pkg/apis/batch/validation, pkg/registry/batch/job). */
#include "kube/validate/job.h"

#include <string.h>

#include "kube/validate/common.h"
#include "kube/validate/pod.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"

#define INDEXED_PARALLELISM_MAX 100000
#define INDEXED_FAILED_MAX 100000
#define COMPLETIONS_MANY 100000 /* above it, with a backoff limit per index, the two below hold */
#define MANY_PARALLELISM_MAX 10000
#define MANY_FAILED_MAX 10000
#define MANAGED_BY_MAX 63

#define WHEN_MANY                                                                                                      \
        "must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index"

/* --- the spec --- */

static void check_numbers(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec) {
        validate_not_negative_if(v, FIELD(at, "parallelism"), &spec->parallelism);
        validate_not_negative_if(v, FIELD(at, "completions"), &spec->completions);
        validate_not_negative_if(v, FIELD(at, "activeDeadlineSeconds"), &spec->active_deadline_seconds);
        validate_not_negative_if(v, FIELD(at, "backoffLimit"), &spec->backoff_limit);
        validate_not_negative_if(v, FIELD(at, "ttlSecondsAfterFinished"), &spec->ttl_seconds_after_finished);
        validate_not_negative_if(v, FIELD(at, "backoffLimitPerIndex"), &spec->backoff_limit_per_index);
        validate_not_negative_if(v, FIELD(at, "maxFailedIndexes"), &spec->max_failed_indexes);
        if (spec->max_failed_indexes.set && !spec->backoff_limit_per_index.set)
                validate_required(v, FIELD(at, "backoffLimitPerIndex"), "when maxFailedIndexes is specified");
        if (!spec->managed_by)
                return;
        validate_domain_path(v, FIELD(at, "managedBy"), spec->managed_by);
        if (strlen(spec->managed_by) > MANAGED_BY_MAX)
                validate_too_long(v, FIELD(at, "managedBy"), MANAGED_BY_MAX);
}

static void check_many(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec) {
        if (!spec->max_failed_indexes.set)
                validate_required(v, FIELD(at, "maxFailedIndexes"),
                                  "must be specified when completions is above 100000");
        if (spec->parallelism.set && spec->parallelism.value > MANY_PARALLELISM_MAX)
                validate_invalid_int(v, FIELD(at, "parallelism"), spec->parallelism.value, WHEN_MANY);
        if (spec->max_failed_indexes.set && spec->max_failed_indexes.value > MANY_FAILED_MAX)
                validate_invalid_int(v, FIELD(at, "maxFailedIndexes"), spec->max_failed_indexes.value, WHEN_MANY);
}

static void check_indexed(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec) {
        const struct place *failed = FIELD(at, "maxFailedIndexes");
        const struct opt_int *max = &spec->max_failed_indexes;

        if (!spec->completions.set)
                validate_required(v, FIELD(at, "completions"), "when completion mode is Indexed");
        if (spec->parallelism.set && spec->parallelism.value > INDEXED_PARALLELISM_MAX)
                validate_invalid_int(v, FIELD(at, "parallelism"), spec->parallelism.value,
                                     "must be less than or equal to 100000 when completion mode is Indexed");
        if (spec->completions.set && max->set && max->value > spec->completions.value)
                validate_invalid_int(v, failed, max->value, "must be less than or equal to completions");
        if (max->set && max->value > INDEXED_FAILED_MAX)
                validate_invalid_int(v, failed, max->value, "must be less than or equal to 100000");
        if (spec->completions.set && spec->completions.value > COMPLETIONS_MANY && spec->backoff_limit_per_index.set)
                check_many(v, at, spec);
}

static void check_mode(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec) {
        static const char *const modes[] = { "NonIndexed", "Indexed", NULL };

        if (spec->completion_mode)
                validate_choice(v, FIELD(at, "completionMode"), spec->completion_mode, modes);
        if (validate_job_is_indexed(spec))
                check_indexed(v, at, spec);
        if (spec->completion_mode && !kube_is(spec->completion_mode, "NonIndexed"))
                return;
        if (spec->backoff_limit_per_index.set)
                validate_invalid_int(v, FIELD(at, "backoffLimitPerIndex"), spec->backoff_limit_per_index.value,
                                     "requires indexed completion mode");
        if (spec->max_failed_indexes.set)
                validate_invalid_int(v, FIELD(at, "maxFailedIndexes"), spec->max_failed_indexes.value,
                                     "requires indexed completion mode");
}

static void check_policies(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec) {
        static const char *const failed[] = { "Failed", NULL }, *const any[] = { "Failed", "TerminatingOrFailed",
                                                                                 NULL };
        const struct place *success = FIELD(at, "successPolicy");

        if (spec->pod_failure_policy)
                validate_failure_policy(v, FIELD(at, "podFailurePolicy"), spec);
        if (spec->success_policy && validate_job_is_indexed(spec))
                validate_success_policy(v, success, spec);
        else if (spec->success_policy)
                validate_invalid_json(v, success,
                                      validate_go_json(v, &kube_batch_v1_success_policy_type, spec->success_policy),
                                      "requires indexed completion mode");
        if (spec->pod_replacement_policy)
                validate_choice(v, FIELD(at, "podReplacementPolicy"), spec->pod_replacement_policy,
                                spec->pod_failure_policy ? failed : any);
}

static void check_restarts(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec) {
        static const char *const policies[] = { "OnFailure", "Never", NULL };
        const char *policy = spec->template.spec.restart_policy;

        if (!policy || !*policy || strcmp(policy, "Always") == 0)
                validate_required(v, at, "valid values: \"OnFailure\", \"Never\"");
        else if (!validate_is_one(policy, policies))
                validate_unsupported(v, at, policy, policies);
        else if (spec->pod_failure_policy && strcmp(policy, "Never") != 0)
                validate_invalid_word(v, at, policy, "only \"Never\" is supported when podFailurePolicy is specified");
}

void validate_job_spec(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec,
                       const struct kube_pod_template_spec *past) {
        const struct place *template = FIELD(at, "template");

        check_numbers(v, at, spec);
        check_mode(v, at, spec);
        check_policies(v, at, spec);
        validate_pod_template(v, template, &spec->template, past);
        check_restarts(v, FIELD(FIELD(template, "spec"), "restartPolicy"), spec);
}

/* --- selectors, which kube-apiserver makes --- */

static void check_has_label(struct validation *v, const struct kube_pod_template_spec *template, const char *key,
                            const char *expected) {
        const struct place *labels = FIELD(FIELD(FIELD(FIELD(NULL, "spec"), "template"), "metadata"), "labels");
        const char *value = string_map_get(&template->metadata.labels, key),
                   *detail = validate_text(v, "must be '%s'", expected);

        if (!value)
                validate_required(v, ENTRY(labels, key), detail);
        else if (strcmp(value, expected) != 0)
                validate_invalid_json(v, ENTRY(labels, key),
                                      validate_field_json(v, &kube_object_meta_type, "labels", &template->metadata),
                                      detail);
}

/* Whether @job has the labels with a prefix is asked unless it did without them before. */
static void check_generated(struct validation *v, const struct kube_batch_v1_job *job, bool prefixed) {
        const struct kube_pod_template_spec *template = &job->spec.template;
        const char *uid = job->metadata.uid ?: "", *name = job->metadata.name ?: "";
        struct string_pair pairs[4] = { { "batch.kubernetes.io/controller-uid", uid },
                                        { "batch.kubernetes.io/job-name", name },
                                        { "controller-uid", uid },
                                        { "job-name", name } };
        string_map expected = { prefixed ? pairs : pairs + 2, prefixed ? 4 : 2 };

        if (job->spec.manual_selector == TRI_TRUE || !job->spec.selector)
                return;
        if (!*uid)
                validate_required(v, FIELD(FIELD(NULL, "metadata"), "uid"), "");
        check_has_label(v, template, "controller-uid", uid);
        check_has_label(v, template, "job-name", name);
        if (prefixed) {
                check_has_label(v, template, "batch.kubernetes.io/controller-uid", uid);
                check_has_label(v, template, "batch.kubernetes.io/job-name", name);
        }
        if (validate_selector_is_sound(job->spec.selector) && !validate_selector_matches(job->spec.selector, &expected))
                validate_invalid_object(v, FIELD(FIELD(NULL, "spec"), "selector"), &kube_label_selector_type,
                                        job->spec.selector, "`selector` not auto-generated");
}

struct leniency {
        const struct kube_pod_template_spec *past;
        struct validate_selector_options selector;
        bool prefixed; /* the labels with a prefix have to be there */
};

static void check_whole_spec(struct validation *v, const struct kube_batch_v1_job_spec *spec,
                             const struct leniency *lenient) {
        const struct place *at = FIELD(NULL, "spec"), *selector = FIELD(at, "selector");

        validate_job_spec(v, at, spec, lenient->past);
        if (!spec->selector)
                validate_required(v, selector, "");
        validate_selector(v, selector, spec->selector, &lenient->selector);
        if (validate_selector_is_sound(spec->selector) &&
            !validate_selector_matches(spec->selector, &spec->template.metadata.labels))
                validate_unmatched_labels(v, FIELD(at, "template"), &spec->template);
}

/* The pods of an indexed job are hosts with the index in their name. */
static void check_host_name(struct validation *v, const struct kube_batch_v1_job *job) {
        const struct opt_int *completions = &job->spec.completions;
        const char *host;

        if (!validate_job_is_indexed(&job->spec) || !completions->set || completions->value <= 0)
                return;
        host = validate_text(v, "%s-%lld", job->metadata.name ?: "", (long long)completions->value - 1);
        if (name_problem(NAME_LABEL, host))
                validate_invalid(v, FIELD(FIELD(NULL, "metadata"), "name"), job->metadata.name,
                                 validate_text(v, "will not able to create pod with invalid DNS label: %s", host));
}

static void check_job(struct validation *v, const struct kube_batch_v1_job *job, const struct leniency *lenient) {
        validate_meta(v, &job->metadata, NAME_SUBDOMAIN);
        check_generated(v, job, lenient->prefixed);
        check_whole_spec(v, &job->spec, lenient);
        check_host_name(v, job);
}

static void create_job(struct validation *v, const void *object, const void *old) {
        const struct kube_batch_v1_job *new = object;
        struct leniency lenient = { .prefixed = true };

        check_job(v, new, &lenient);
}

/* --- what may change --- */

static void check_completions(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *new,
                              const struct kube_batch_v1_job_spec *old) {
        bool same = validate_equal_field(&kube_batch_v1_job_spec_type, "completions", new, old);

        if (!validate_job_is_indexed(new))
                validate_immutable_field(v, at, &kube_batch_v1_job_spec_type, "completions", new, old);
        else if (!same && new->completions.set &&new->completions.value != new->parallelism.value)
                validate_invalid_int(v, at, new->completions.value,
                                     "can only be modified in tandem with spec.parallelism");
}

/* Before a suspended job starts, where its pods go may change: the old template with the new one's directions. */
static void take_directions(struct kube_pod_template_spec *template, const struct kube_pod_template_spec *new,
                            struct kube_affinity *affinity) {
        struct kube_pod_spec *pod = &template->spec;

        if (pod->affinity)
                *affinity = *pod->affinity;
        affinity->node_affinity = new->spec.affinity ? new->spec.affinity->node_affinity : NULL;
        pod->affinity = new->spec.affinity || affinity->pod_affinity || affinity->pod_anti_affinity ? affinity : NULL;
        pod->node_selector = new->spec.node_selector;
        pod->tolerations = new->spec.tolerations;
        pod->scheduling_gates = new->spec.scheduling_gates;
        template->metadata.annotations = new->metadata.annotations;
        template->metadata.labels = new->metadata.labels;
}

static bool is_mutable(const struct kube_batch_v1_job *old) {
        bool stopped = !old->status.start_time.set;

        list_for_each (condition, &old->status.conditions)
                stopped = stopped || (kube_is(condition->type, "Suspended") && kube_is(condition->status, "True"));
        return old->spec.suspend == TRI_TRUE && stopped && old->status.active == 0;
}

/* Whether the containers are the same but for their resources. */
static bool differ_in_resources(struct validation *v, const kube_container_items *new, kube_container_items *old) {
        struct kube_container *copies = arena_alloc_array(v->arena, old->count, sizeof(*copies));

        if (!copies || new->count != old->count)
                return false;
        for (uint32_t i = 0; i < old->count; i++) {
                copies[i] = old->items[i];
                if (strcmp(copies[i].name ?: "", new->items[i].name ?: "") == 0)
                        copies[i].resources = new->items[i].resources;
        }
        old->items = copies;
        return true;
}

static void check_template_change(struct validation *v, const struct kube_batch_v1_job *new,
                                  const struct kube_batch_v1_job *old) {
        const struct place *at = FIELD(FIELD(NULL, "spec"), "template");
        struct kube_pod_template_spec allowed = old->spec.template;
        const struct kube_pod_template_spec *template = &new->spec.template;
        struct kube_affinity affinity = { 0 };

        if (!is_mutable(old)) {
                if (!validate_equal(&kube_pod_template_spec_type, template, &allowed))
                        validate_invalid_json(v, at, validate_go_template_json(v, template, false), VALIDATE_IMMUTABLE);
                return;
        }
        take_directions(&allowed, template, &affinity);
        if (allowed.spec.containers.count > 0)
                differ_in_resources(v, &template->spec.containers, &allowed.spec.containers);
        if (allowed.spec.init_containers.count > 0)
                differ_in_resources(v, &template->spec.init_containers, &allowed.spec.init_containers);
        if (!validate_equal(&kube_pod_spec_type, &template->spec, &allowed.spec))
                validate_invalid_json(v, FIELD(FIELD(NULL, "spec"), "template.spec"),
                                      validate_go_template_json(v, template, true), VALIDATE_IMMUTABLE);
}

static void check_immutable(struct validation *v, const struct kube_batch_v1_job *new,
                            const struct kube_batch_v1_job *old) {
        const struct kube_type *type = &kube_batch_v1_job_spec_type;
        const struct kube_batch_v1_job_spec *n = &new->spec, *o = &old->spec;
        const struct place *at = FIELD(NULL, "spec");

        validate_immutable(v, FIELD(at, "selector"), &kube_label_selector_type, n->selector, o->selector);
        check_template_change(v, new, old);
        validate_immutable_field(v, FIELD(at, "completionMode"), type, "completionMode", n, o);
        if (!validate_equal_field(type, "podFailurePolicy", n, o))
                validate_invalid_json(
                        v, FIELD(at, "podFailurePolicy"),
                        validate_go_json(v, &kube_batch_v1_pod_failure_policy_type, n->pod_failure_policy),
                        VALIDATE_IMMUTABLE);
        validate_immutable_field(v, FIELD(at, "backoffLimitPerIndex"), type, "backoffLimitPerIndex", n, o);
        validate_immutable_field(v, FIELD(at, "managedBy"), type, "managedBy", n, o);
        if (!validate_equal_field(type, "successPolicy", n, o))
                validate_invalid_json(v, FIELD(at, "successPolicy"),
                                      validate_go_json(v, &kube_batch_v1_success_policy_type, n->success_policy),
                                      VALIDATE_IMMUTABLE);
}

static void update_job(struct validation *v, const void *object, const void *before) {
        const struct kube_batch_v1_job *new = object, *old = before;
        const string_map *labels = &old->spec.template.metadata.labels;
        struct leniency lenient = {
                .past = &old->spec.template,
                .selector = { .any_value = validate_selector_has_bad_value(old->spec.selector) },
                .prefixed = string_map_get(labels, "batch.kubernetes.io/job-name") &&
                            string_map_get(labels, "batch.kubernetes.io/controller-uid"),
        };

        check_job(v, new, &lenient);
        validate_meta_update(v, &new->metadata, &old->metadata);
        check_whole_spec(v, &new->spec, &lenient);
        check_completions(v, FIELD(FIELD(NULL, "spec"), "completions"), &new->spec, &old->spec);
        check_immutable(v, new, old);
}

static const struct validate_sub subs[] = { { "status", validate_job_status }, { 0 } };

const struct validate_rules validate_job_rules[] = {
        { "batch", "Job", NAME_SUBDOMAIN, create_job, update_job, subs },
        { 0 },
};
