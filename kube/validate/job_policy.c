/* When a job has failed or succeeded by its policies (k8s.io/kubernetes/pkg/apis/batch/validation). */
#include <string.h>

#include "kube/validate/common.h"
#include "kube/validate/job.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define RULES_MAX 20
#define PATTERNS_MAX 20
#define VALUES_MAX 255
#define VALUES_LOOKED_AT 1024 /* for what stands twice: there are too many in any case */
#define INDEXES_BYTES_MAX (64 * 1024)

/* --- podFailurePolicy --- */

static bool has_container(const struct kube_pod_spec *pod, const char *name) {
        list_for_each (container, &pod->containers)
                if (strcmp(container->name ?: "", name) == 0)
                        return true;
        list_for_each (container, &pod->init_containers)
                if (strcmp(container->name ?: "", name) == 0)
                        return true;
        return false;
}

/* A choice that has to be made; Go lists the @words. */
static void check_word(struct validation *v, const struct place *at, const char *value, const char *const *choices,
                       const char *words) {
        if (!value || !*value)
                validate_required(v, at, validate_text(v, "valid values: %s", words));
        else
                validate_choice(v, at, value, choices);
}

typedef const struct kube_batch_v1_pod_failure_policy_on_exit_codes_requirement *exit_codes;

/* Numbers as a JSON list. */
static const char *number_list(struct validation *v, exit_codes codes) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;

        if (!codes->values.items)
                return "null";
        json_begin_list(&w);
        for (uint32_t i = 0; i < codes->values.count; i++)
                json_int(&w, codes->values.items[i]);
        json_end_list(&w);
        return json_writer_finish(&w, &text, NULL) < 0 ? "null" : validate_text(v, "%s", text);
}

static void check_code_values(struct validation *v, const struct place *at, exit_codes codes) {
        bool ordered = true, in = kube_is(codes->operator, "In");

        for (uint32_t i = 0; i < codes->values.count && i < VALUES_LOOKED_AT; i++) {
                const int32_t *values = codes->values.items;
                uint32_t same = 0;

                while (same < i && values[same] != values[i])
                        same++;
                if (in && values[i] == 0)
                        validate_invalid_int(v, ITEM(at, i), 0, "must not be 0 for the In operator");
                if (same < i)
                        validate_duplicate_json(v, ITEM(at, i), validate_text(v, "%d", values[i]));
                ordered = ordered && (i == 0 || values[i - 1] <= values[i]);
        }
        if (!ordered)
                validate_invalid_json(v, at, number_list(v, codes), "must be ordered");
}

static void check_exit_codes(struct validation *v, const struct place *at, exit_codes codes,
                             const struct kube_pod_spec *pod) {
        static const char *const operators[] = { "In", "NotIn", NULL };
        const struct place *values = FIELD(at, "values");

        check_word(v, FIELD(at, "operator"), codes->operator, operators, "[\"In\" \"NotIn\"]");
        if (codes->container_name && !has_container(pod, codes->container_name))
                validate_invalid(v, FIELD(at, "containerName"), codes->container_name,
                                 "must be one of the container or initContainer names in the pod template");
        if (codes->values.count == 0)
                validate_invalid_json(v, values, number_list(v, codes), "at least one value is required");
        else if (codes->values.count > VALUES_MAX)
                validate_too_many(v, values, (int)codes->values.count, VALUES_MAX);
        check_code_values(v, values, codes);
}

static void check_conditions(struct validation *v, const struct place *at,
                             const struct kube_batch_v1_pod_failure_policy_rule *rule) {
        static const char *const statuses[] = { "False", "True", "Unknown", NULL };

        if (rule->on_pod_conditions.count > PATTERNS_MAX)
                validate_too_many(v, at, (int)rule->on_pod_conditions.count, PATTERNS_MAX);
        for (uint32_t i = 0; i < rule->on_pod_conditions.count; i++) {
                const struct place *item = ITEM(at, i);

                validate_name(v, FIELD(item, "type"), NAME_QUALIFIED, rule->on_pod_conditions.items[i].type);
                check_word(v, FIELD(item, "status"), rule->on_pod_conditions.items[i].status, statuses,
                           "[\"False\" \"True\" \"Unknown\"]");
        }
}

static void check_rule(struct validation *v, const struct place *at,
                       const struct kube_batch_v1_pod_failure_policy_rule *rule,
                       const struct kube_batch_v1_job_spec *spec) {
        static const char *const actions[] = { "Count", "FailIndex", "FailJob", "Ignore", NULL };
        bool conditions = rule->on_pod_conditions.count > 0;

        check_word(v, FIELD(at, "action"), rule->action, actions, "[\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
        if (kube_is(rule->action, "FailIndex") && !spec->backoff_limit_per_index.set)
                validate_invalid_word(v, FIELD(at, "action"), rule->action,
                                      "requires the backoffLimitPerIndex to be set");
        if (rule->on_exit_codes)
                check_exit_codes(v, FIELD(at, "onExitCodes"), rule->on_exit_codes, &spec->template.spec);
        if (conditions)
                check_conditions(v, FIELD(at, "onPodConditions"), rule);
        if (rule->on_exit_codes && conditions)
                validate_invalid_json(v, at, NULL, "specifying both OnExitCodes and OnPodConditions is not supported");
        if (!rule->on_exit_codes && !conditions)
                validate_invalid_json(v, at, NULL, "specifying one of OnExitCodes and OnPodConditions is required");
}

void validate_failure_policy(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec) {
        const struct place *rules = FIELD(at, "rules");

        if (spec->pod_failure_policy->rules.count > RULES_MAX)
                validate_too_many(v, rules, (int)spec->pod_failure_policy->rules.count, RULES_MAX);
        for (uint32_t i = 0; i < spec->pod_failure_policy->rules.count; i++)
                check_rule(v, ITEM(rules, i), &spec->pod_failure_policy->rules.items[i], spec);
}

/* --- successPolicy --- */

static void check_count(struct validation *v, const struct place *at,
                        const struct kube_batch_v1_success_policy_rule *rule, int64_t completions, int64_t indexes) {
        int64_t count = rule->succeeded_count.value;

        validate_not_negative(v, at, count);
        if (count > completions)
                validate_invalid_int(
                        v, at, count,
                        validate_text(v, "must be less than or equal to %lld (the number of specified completions)",
                                      (long long)completions));
        if (rule->succeeded_indexes && count > indexes)
                validate_invalid_int(v, at, count,
                                     validate_text(v,
                                                   "must be less than or equal to %lld (the number of indexes in the "
                                                   "specified succeededIndexes field)",
                                                   (long long)indexes));
}

static void check_success(struct validation *v, const struct place *at,
                          const struct kube_batch_v1_success_policy_rule *rule, int64_t completions) {
        const struct place *indexes = FIELD(at, "succeededIndexes");
        const char *problem = NULL;
        int64_t total = 0;

        if (!rule->succeeded_count.set && !rule->succeeded_indexes)
                validate_required(v, at, "at least one of succeededCount or succeededIndexes must be specified");
        if (rule->succeeded_indexes) {
                if (strlen(rule->succeeded_indexes) > INDEXES_BYTES_MAX)
                        validate_too_long(v, indexes, INDEXES_BYTES_MAX);
                problem = validate_indexes(v, rule->succeeded_indexes, completions, &total);
        }
        if (problem)
                validate_invalid(v, indexes, rule->succeeded_indexes,
                                 validate_text(v, "error parsing succeededIndexes: %s", problem));
        if (rule->succeeded_count.set)
                check_count(v, FIELD(at, "succeededCount"), rule, completions, total);
}

void validate_success_policy(struct validation *v, const struct place *at, const struct kube_batch_v1_job_spec *spec) {
        const struct place *rules = FIELD(at, "rules");
        uint32_t count = spec->success_policy->rules.count;

        if (count == 0)
                validate_required(v, rules, "at least one rules must be specified when the successPolicy is specified");
        if (count > RULES_MAX)
                validate_too_many(v, rules, (int)count, RULES_MAX);
        for (uint32_t i = 0; i < count; i++)
                check_success(v, ITEM(rules, i), &spec->success_policy->rules.items[i], spec->completions.value);
}
