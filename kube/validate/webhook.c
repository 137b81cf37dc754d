/* Webhooks of admission (k8s.io/kubernetes/pkg/apis/admissionregistration/validation,
 * pkg/registry/admissionregistration; k8s.io/apiserver/pkg/util/webhook). Expressions in CEL are not compiled: what is
 * asked of them is that they are there. */
#include "kube/validate/admission.h"

#include <string.h>

#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define TIMEOUT_MAX_S 30
#define PORT_MAX 65535

static const char *const review_versions[] = { "v1", "v1beta1", NULL };

/* --- who is called --- */

static void check_path(struct validation *v, const struct place *at, const char *path) {
        const char *problems[NAME_PROBLEMS_MAX];
        char *copy = arena_strdup(v->arena, *path ? path + 1 : "");
        size_t n = copy ? strlen(copy) : 0;
        unsigned segment = 0;

        if (!*path || strcmp(path, "/") == 0)
                return;
        if (strcmp(path, "//") == 0) {
                validate_invalid(v, at, path, "segment[0] may not be empty");
                return;
        }
        if (*path != '/')
                validate_invalid(v, at, path, "must start with a '/'");
        if (n > 0 && copy[n - 1] == '/')
                copy[n - 1] = '\0';
        for (char *step = copy, *next; step; step = next, segment++) {
                unsigned wrong;

                next = strchr(step, '/');
                if (next)
                        *next++ = '\0';
                wrong = *step ? name_problems(NAME_SUBDOMAIN, step, problems) : 0;
                if (!*step)
                        validate_invalid(v, at, path, validate_text(v, "segment[%u] may not be empty", segment));
                for (unsigned i = 0; i < wrong; i++)
                        validate_invalid(v, at, path, validate_text(v, "segment[%u]: %s", segment, problems[i]));
        }
}

/* kube-apiserver has the two names the wrong way round. */
static void check_service(struct validation *v, const struct place *at,
                          const struct kube_admissionregistration_v1_service_reference *service) {
        if (!service->namespace || !*service->namespace)
                validate_required(v, FIELD(at, "name"), "");
        if (!service->name || !*service->name)
                validate_required(v, FIELD(at, "namespace"), "");
        if (service->port.value < 1 || service->port.value > PORT_MAX)
                validate_invalid_int(v, FIELD(at, "port"), service->port.value,
                                     "port is not valid: must be between 1 and 65535, inclusive");
        if (service->path)
                check_path(v, FIELD(at, "path"), service->path);
}

static void check_client(struct validation *v, const struct place *at,
                         const struct kube_admissionregistration_v1_webhook_client_config *client) {
        if (!client->url == !client->service)
                validate_required(v, at, "exactly one of url or service is required");
        else if (client->url)
                validate_webhook_url(v, FIELD(at, "url"), client->url);
        else
                check_service(v, FIELD(at, "service"), client->service);
}

/* --- a hook --- */

typedef const struct kube_admissionregistration_v1_validating_webhook *hook_ref;

/* What an update still takes because the object had it before. */
struct leniency {
        bool conditions, side_effects, versions, names;
        struct validate_selector_options selector;
};

static void check_effects(struct validation *v, const struct place *at, const char *effects, bool any) {
        static const char *const none[] = { "None", "NoneOnDryRun", NULL }, *const all[] = { "None", "NoneOnDryRun",
                                                                                             "Some", "Unknown", NULL };

        if (!effects)
                validate_required(v, at,
                                  any ? "must specify one of None, NoneOnDryRun, Some, Unknown" :
                                        "must specify one of None, NoneOnDryRun");
        else
                validate_choice(v, at, effects, any ? all : none);
}

static void check_selectors(struct validation *v, const struct place *at, hook_ref hook,
                            const struct leniency *lenient) {
        validate_selector(v, FIELD(at, "namespaceSelector"), hook->namespace_selector, &lenient->selector);
        validate_selector(v, FIELD(at, "objectSelector"), hook->object_selector, &lenient->selector);
}

/* "name.of.domain" (IsFullyQualifiedName). */
static void check_name(struct validation *v, const struct place *at, const char *name) {
        const char *problems[NAME_PROBLEMS_MAX], *dot = strchr(name ?: "", '.'), *detail = "";
        unsigned n = name_problems(NAME_SUBDOMAIN, name ?: "", problems);

        for (unsigned i = 0; i < n; i++)
                detail = validate_text(v, "%s%s%s", detail, i > 0 ? "," : "", problems[i]);
        if (!name || !*name)
                validate_required(v, at, "");
        else if (n > 0)
                validate_invalid(v, at, name, detail);
        else if (!dot || !strchr(dot + 1, '.'))
                validate_invalid(v, at, name, "should be a domain with at least three segments separated by dots");
}

/* Of a hook that is no mutating one, @reinvocation is NULL. */
static void check_hook(struct validation *v, const struct place *at, hook_ref hook, const char *reinvocation,
                       const struct leniency *lenient) {
        static const char *const failures[] = { "Fail", "Ignore", NULL },
                                 *const matches[] = { "Equivalent", "Exact", NULL },
                                 *const again[] = { "IfNeeded", "Never", NULL };
        const struct opt_int *timeout = &hook->timeout_seconds;

        check_name(v, FIELD(at, "name"), hook->name);
        for (uint32_t i = 0; i < hook->rules.count; i++)
                validate_operation_rule(v, ITEM(FIELD(at, "rules"), i), &hook->rules.items[i]);
        if (hook->failure_policy)
                validate_choice(v, FIELD(at, "failurePolicy"), hook->failure_policy, failures);
        if (hook->match_policy)
                validate_choice(v, FIELD(at, "matchPolicy"), hook->match_policy, matches);
        check_effects(v, FIELD(at, "sideEffects"), hook->side_effects, lenient->side_effects);
        if (timeout->set && (timeout->value > TIMEOUT_MAX_S || timeout->value < 1))
                validate_invalid_int(v, FIELD(at, "timeoutSeconds"), timeout->value,
                                     "the timeout value must be between 1 and 30 seconds");
        check_selectors(v, at, hook, lenient);
        if (reinvocation)
                validate_choice(v, FIELD(at, "reinvocationPolicy"), reinvocation, again);
        check_client(v, FIELD(at, "clientConfig"), &hook->client_config);
        if (!lenient->conditions)
                validate_match_conditions(v, FIELD(at, "matchConditions"), &hook->match_conditions);
}

static bool has_review_version(const string_list *versions) {
        for (uint32_t i = 0; i < versions->count; i++)
                if (validate_is_one(versions->items[i], review_versions))
                        return true;
        return false;
}

static void check_versions(struct validation *v, const struct place *at, const string_list *versions, bool any) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        if (versions->count == 0) {
                validate_required(v, at, "must specify one of v1, v1beta1");
                return;
        }
        for (uint32_t i = 0; i < versions->count; i++) {
                if (validate_set_add(v, &seen, versions->items[i]))
                        validate_name(v, ITEM(at, i), NAME_LABEL_1035, versions->items[i]);
                else
                        validate_invalid(v, ITEM(at, i), versions->items[i], "duplicate version");
        }
        if (!any && !has_review_version(versions))
                validate_invalid_json(v, at, validate_json_strings(v, versions),
                                      "must include at least one of v1, v1beta1");
}

/* --- the configurations: a mutating hook is looked at as one that validates, and has one policy more --- */

static struct kube_admissionregistration_v1_validating_webhook
as_validating(const struct kube_admissionregistration_v1_mutating_webhook *hook) {
        return (struct kube_admissionregistration_v1_validating_webhook){
                .name = hook->name,
                .client_config = hook->client_config,
                .rules = hook->rules,
                .failure_policy = hook->failure_policy,
                .match_policy = hook->match_policy,
                .namespace_selector = hook->namespace_selector,
                .object_selector = hook->object_selector,
                .side_effects = hook->side_effects,
                .timeout_seconds = hook->timeout_seconds,
                .admission_review_versions = hook->admission_review_versions,
                .match_conditions = hook->match_conditions,
        };
}

static void learn(struct validation *v, hook_ref hook, struct validate_set *names, struct leniency *lenient) {
        bool none = kube_is(hook->side_effects, "None") || kube_is(hook->side_effects, "NoneOnDryRun");
        const string_list *versions = &hook->admission_review_versions;

        lenient->side_effects |= !none;
        lenient->versions |= versions->count > 0 && !has_review_version(versions);
        lenient->names |= !validate_set_add(v, names, hook->name);
        lenient->selector.any_value |= !validate_selector_is_sound(hook->namespace_selector) ||
                                       !validate_selector_is_sound(hook->object_selector);
}

static void check_in_turn(struct validation *v, uint32_t i, hook_ref hook, const char *reinvocation,
                          struct validate_set *names, const struct leniency *lenient) {
        const struct place *at = ITEM(FIELD(NULL, "webhooks"), i);

        check_hook(v, at, hook, reinvocation, lenient);
        check_versions(v, FIELD(at, "admissionReviewVersions"), &hook->admission_review_versions, lenient->versions);
        if (!lenient->names && hook->name && *hook->name && !validate_set_add(v, names, hook->name))
                validate_duplicate(v, FIELD(at, "name"), hook->name);
}

static bool same_conditions(hook_ref a, hook_ref b) {
        return validate_equal_field(&kube_admissionregistration_v1_validating_webhook_type, "matchConditions", a, b);
}

static void check_validating(struct validation *v, const void *object, const void *before) {
        const struct kube_admissionregistration_v1_validating_webhook_configuration *new = object, *old = before;
        _cleanup_validate_set_ struct validate_set names = { 0 }, past = { 0 };
        struct leniency lenient = { .conditions = old && new->webhooks.count == old->webhooks.count };

        validate_plain_meta(v, &new->metadata, NAME_SUBDOMAIN);
        for (uint32_t i = 0; old && i < old->webhooks.count; i++) {
                learn(v, &old->webhooks.items[i], &past, &lenient);
                lenient.conditions =
                        lenient.conditions && same_conditions(&new->webhooks.items[i], &old->webhooks.items[i]);
        }
        for (uint32_t i = 0; i < new->webhooks.count; i++)
                check_in_turn(v, i, &new->webhooks.items[i], NULL, &names, &lenient);
}

static void check_mutating(struct validation *v, const void *object, const void *before) {
        const struct kube_admissionregistration_v1_mutating_webhook_configuration *new = object, *old = before;
        _cleanup_validate_set_ struct validate_set names = { 0 }, past = { 0 };
        struct leniency lenient = { .conditions = old && new->webhooks.count == old->webhooks.count };
        struct kube_admissionregistration_v1_validating_webhook hook, other;

        validate_plain_meta(v, &new->metadata, NAME_SUBDOMAIN);
        for (uint32_t i = 0; old && i < old->webhooks.count; i++) {
                hook = as_validating(&old->webhooks.items[i]);
                learn(v, &hook, &past, &lenient);
                if (lenient.conditions) {
                        other = as_validating(&new->webhooks.items[i]);
                        lenient.conditions = same_conditions(&other, &hook);
                }
        }
        for (uint32_t i = 0; i < new->webhooks.count; i++) {
                hook = as_validating(&new->webhooks.items[i]);
                check_in_turn(v, i, &hook, new->webhooks.items[i].reinvocation_policy, &names, &lenient);
        }
}

#define GROUP "admissionregistration.k8s.io"

const struct validate_rules validate_webhook_rules[] = {
        { GROUP, "MutatingWebhookConfiguration", NAME_SUBDOMAIN, check_mutating, check_mutating, NULL },
        { GROUP, "ValidatingWebhookConfiguration", NAME_SUBDOMAIN, check_validating, check_validating, NULL },
        { 0 },
};
