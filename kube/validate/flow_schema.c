/* FlowSchemas (k8s.io/kubernetes/pkg/apis/flowcontrol/validation, pkg/registry/flowcontrol; those that are mandatory
 * are in k8s.io/apiserver's pkg/apis/flowcontrol/bootstrap). */
#include "kube/validate/flowcontrol.h"

#include <string.h>

#include "kube/flowcontrol_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"

#define PRECEDENCE_MAX 10000

static bool given(const char *text) {
        return text && *text;
}

/* --- subjects --- */

static void check_forbidden_others(struct validation *v, const struct place *at,
                                   const struct kube_flowcontrol_v1_subject *subject) {
        if (subject->service_account && !kube_is(subject->kind, "ServiceAccount"))
                validate_forbidden(v, FIELD(at, "serviceAccount"),
                                   "serviceAccount is forbidden when subject kind is not 'ServiceAccount'");
        if (subject->user && !kube_is(subject->kind, "User"))
                validate_forbidden(v, FIELD(at, "user"), "user is forbidden when subject kind is not 'User'");
        if (subject->group && !kube_is(subject->kind, "Group"))
                validate_forbidden(v, FIELD(at, "group"), "group is forbidden when subject kind is not 'Group'");
}

static void check_account(struct validation *v, const struct place *at,
                          const struct kube_flowcontrol_v1_service_account_subject *account) {
        if (!account) {
                validate_required(v, at, "serviceAccount is required when subject kind is 'ServiceAccount'");
                return;
        }
        if (!kube_is(account->name, "*"))
                validate_name_required(v, FIELD(at, "name"), NAME_SUBDOMAIN, account->name);
        if (given(account->namespace))
                validate_name(v, FIELD(at, "namespace"), NAME_LABEL, account->namespace);
        else
                validate_required(v, FIELD(at, "namespace"), "must specify namespace for service account");
}

/* A user or a group: @name NULL with @there false is one that is not given. */
static void check_named(struct validation *v, const struct place *at, bool there, const char *name,
                        const char *missing) {
        if (!there)
                validate_required(v, at, missing);
        else if (!given(name))
                validate_required(v, FIELD(at, "name"), "");
}

static void check_subject(struct validation *v, const struct place *at,
                          const struct kube_flowcontrol_v1_subject *subject) {
        static const char *const kinds[] = { "Group", "ServiceAccount", "User", NULL };

        if (kube_is(subject->kind, "ServiceAccount")) {
                check_account(v, FIELD(at, "serviceAccount"), subject->service_account);
        } else if (kube_is(subject->kind, "User")) {
                check_named(v, FIELD(at, "user"), subject->user, subject->user ? subject->user->name : NULL,
                            "user is required when subject kind is 'User'");
        } else if (kube_is(subject->kind, "Group")) {
                check_named(v, FIELD(at, "group"), subject->group, subject->group ? subject->group->name : NULL,
                            "group is required when subject kind is 'Group'");
        } else {
                validate_unsupported(v, FIELD(at, "kind"), subject->kind, kinds);
                return;
        }
        check_forbidden_others(v, at, subject);
}

/* --- rules --- */

static void check_verbs(struct validation *v, const struct place *at, const string_list *verbs) {
        static const char *const known[] = { "create", "delete", "deletecollection", "get",   "list",
                                             "patch",  "proxy",  "update",           "watch", NULL };
        bool all = kube_has(verbs, "*");

        if (verbs->count == 0) {
                validate_required(v, at, "verbs must contain at least one value");
                return;
        }
        if (all && verbs->count > 1)
                validate_invalid_json(v, at, validate_json_strings(v, verbs),
                                      "if '*' is present, must not specify other verbs");
        for (uint32_t i = 0; i < verbs->count && !all; i++)
                if (!validate_is_one(verbs->items[i], known)) {
                        validate_unsupported_json(v, at, validate_json_strings(v, verbs), known);
                        break;
                }
}

/* What has to be there, and alone where it is "*". */
static void check_list(struct validation *v, const struct place *at, const string_list *list, const char *missing,
                       const char *alone) {
        if (list->count == 0)
                validate_required(v, at, missing);
        else if (list->count > 1 && kube_has(list, "*"))
                validate_invalid_json(v, at, validate_json_strings(v, list), alone);
}

static void check_namespaces(struct validation *v, const struct place *at,
                             const struct kube_flowcontrol_v1_resource_policy_rule *rule) {
        const string_list *list = &rule->namespaces;
        const char *problems[NAME_PROBLEMS_MAX];

        if (list->count == 0 && !rule->cluster_scope)
                validate_required(v, at,
                                  "resource rules that are not cluster scoped must supply at least one namespace");
        if (kube_has(list, "*")) {
                if (list->count > 1)
                        validate_invalid_json(v, at, validate_json_strings(v, list),
                                              "if '*' is present, must not specify other namespaces");
                return;
        }
        for (uint32_t i = 0; i < list->count; i++) {
                unsigned n = name_problems(NAME_LABEL, list->items[i] ?: "", problems);

                for (unsigned j = 0; j < n; j++)
                        validate_invalid(v, ITEM(at, i), list->items[i],
                                         validate_text(v,
                                                       "each member of this list must be '*' or a DNS-1123 label; %s",
                                                       problems[j]));
        }
}

static void check_resource_rule(struct validation *v, const struct place *at,
                                const struct kube_flowcontrol_v1_resource_policy_rule *rule) {
        check_verbs(v, FIELD(at, "verbs"), &rule->verbs);
        check_list(v, FIELD(at, "apiGroups"), &rule->api_groups, "resource rules must supply at least one api group",
                   "if '*' is present, must not specify other api groups");
        check_list(v, FIELD(at, "resources"), &rule->resources, "resource rules must supply at least one resource",
                   "if '*' is present, must not specify other resources");
        check_namespaces(v, FIELD(at, "namespaces"), rule);
}

static const char *url_problem(const char *url) {
        const char *star = strchr(url, '*');

        if (!*url)
                return "must not be empty";
        if (strcmp(url, "/") == 0)
                return NULL;
        if (*url != '/')
                return "must start with slash";
        if (strchr(url, ' '))
                return "must not contain white-space";
        if (strstr(url, "//"))
                return "must not contain double slash";
        return star && (star[1] || star[-1] != '/') ? "wildcard can only do suffix matching" : NULL;
}

static void check_url_rule(struct validation *v, const struct place *at,
                           const struct kube_flowcontrol_v1_non_resource_policy_rule *rule) {
        const struct place *urls = FIELD(at, "nonResourceURLs");
        const string_list *list = &rule->non_resource_urls;
        bool all = kube_has(list, "*");

        check_verbs(v, FIELD(at, "verbs"), &rule->verbs);
        check_list(v, urls, list, "nonResourceURLs must contain at least one value",
                   "if '*' is present, must not specify other non-resource URLs");
        for (uint32_t i = 0; i < list->count && !all; i++) {
                const char *problem = url_problem(list->items[i] ?: "");

                if (problem)
                        validate_invalid(v, ITEM(urls, i), list->items[i], problem);
        }
}

static void check_rules(struct validation *v, const struct place *at,
                        const struct kube_flowcontrol_v1_policy_rules_with_subjects *rules) {
        if (rules->subjects.count == 0)
                validate_required(v, FIELD(at, "subjects"), "subjects must contain at least one value");
        for (uint32_t i = 0; i < rules->subjects.count; i++)
                check_subject(v, ITEM(FIELD(at, "subjects"), i), &rules->subjects.items[i]);
        if (rules->resource_rules.count + rules->non_resource_rules.count == 0)
                validate_required(v, at, "at least one of resourceRules and nonResourceRules has to be non-empty");
        for (uint32_t i = 0; i < rules->resource_rules.count; i++)
                check_resource_rule(v, ITEM(FIELD(at, "resourceRules"), i), &rules->resource_rules.items[i]);
        for (uint32_t i = 0; i < rules->non_resource_rules.count; i++)
                check_url_rule(v, ITEM(FIELD(at, "nonResourceRules"), i), &rules->non_resource_rules.items[i]);
}

/* --- FlowSchema --- */

/* Those that kube-apiserver has to have, word for word: their subjects are groups. */
static bool is_mandatory(const struct kube_flowcontrol_v1_flow_schema_spec *spec, const char *level, int precedence,
                         const char *method, const string_list *groups) {
        const struct kube_flowcontrol_v1_policy_rules_with_subjects *rules = spec->rules.items;
        const struct kube_flowcontrol_v1_resource_policy_rule *r;
        const struct kube_flowcontrol_v1_non_resource_policy_rule *n;
        bool same = kube_is(spec->priority_level_configuration.name, level) &&
                    spec->matching_precedence == precedence && !spec->distinguisher_method == !method &&
                    spec->rules.count == 1 && (!method || kube_is(spec->distinguisher_method->type, method));

        if (!same || rules->subjects.count != groups->count || rules->resource_rules.count != 1 ||
            rules->non_resource_rules.count != 1)
                return false;
        for (uint32_t i = 0; i < groups->count; i++) {
                const struct kube_flowcontrol_v1_subject *subject = &rules->subjects.items[i];

                if (!kube_is(subject->kind, "Group") || subject->user || subject->service_account || !subject->group ||
                    !kube_is(subject->group->name, groups->items[i]))
                        return false;
        }
        r = rules->resource_rules.items;
        n = rules->non_resource_rules.items;
        return r->verbs.count == 1 && kube_has(&r->verbs, "*") && r->api_groups.count == 1 &&
               kube_has(&r->api_groups, "*") && r->resources.count == 1 && kube_has(&r->resources, "*") &&
               r->namespaces.count == 1 && kube_has(&r->namespaces, "*") && r->cluster_scope && n->verbs.count == 1 &&
               kube_has(&n->verbs, "*") && n->non_resource_urls.count == 1 && kube_has(&n->non_resource_urls, "*");
}

static bool is_as_fixed(const struct kube_flowcontrol_v1_flow_schema *schema) {
        static const char *masters[] = { "system:masters" },
                          *everybody[] = { "system:unauthenticated", "system:authenticated" };

        if (kube_is(schema->metadata.name, "exempt"))
                return is_mandatory(&schema->spec, "exempt", 1, NULL, &(string_list){ masters, 1 });
        if (kube_is(schema->metadata.name, "catch-all"))
                return is_mandatory(&schema->spec, "catch-all", PRECEDENCE_MAX, "ByUser",
                                    &(string_list){ everybody, 2 });
        return true;
}

static void check_precedence(struct validation *v, const struct place *at,
                             const struct kube_flowcontrol_v1_flow_schema *schema) {
        int32_t precedence = schema->spec.matching_precedence;

        if (precedence <= 0)
                validate_invalid_int(v, at, precedence, "must be a positive value");
        if (precedence > PRECEDENCE_MAX)
                validate_invalid_int(v, at, precedence, "must not be greater than 10000");
        if (precedence == 1 && !kube_is(schema->metadata.name, "exempt"))
                validate_invalid_int(v, at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
}

void validate_condition_types(struct validation *v, const char *const *types, uint32_t n) {
        const struct place *at = FIELD(FIELD(NULL, "status"), "conditions");
        const bool *repeated = types ? validate_repeated(v, types, n) : NULL;

        for (uint32_t i = 0; repeated && i < n; i++) {
                if (repeated[i])
                        validate_duplicate(v, FIELD(ITEM(at, i), "type"), types[i]);
                if (!given(types[i]))
                        validate_required(v, FIELD(ITEM(at, i), "type"), "");
        }
}

static void check_schema_status(struct validation *v, const void *object, const void *old) {
        const kube_flowcontrol_v1_flow_schema_condition_items *all =
                &((const struct kube_flowcontrol_v1_flow_schema *)object)->status.conditions;
        const char **types = arena_alloc_array(v->arena, (size_t)all->count + 1, sizeof(*types));

        for (uint32_t i = 0; types && i < all->count; i++)
                types[i] = all->items[i].type;
        validate_condition_types(v, types, all->count);
}

static void check_schema(struct validation *v, const void *object, const void *old) {
        static const char *const methods[] = { "ByNamespace", "ByUser", NULL };
        const struct kube_flowcontrol_v1_flow_schema *new = object;
        const struct kube_flowcontrol_v1_flow_schema_spec *spec = &new->spec;
        const struct place *at = FIELD(NULL, "spec"), *level = FIELD(FIELD(at, "priorityLevelConfiguration"), "name");
        const struct kube_flowcontrol_v1_flow_distinguisher_method *method = spec->distinguisher_method;

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_precedence(v, FIELD(at, "matchingPrecedence"), new);
        if (method && !validate_is_one(method->type, methods))
                validate_unsupported_json(
                        v, FIELD(FIELD(at, "distinguisherMethod"), "type"),
                        validate_go_json(v, &kube_flowcontrol_v1_flow_distinguisher_method_type, method), methods);
        if (given(spec->priority_level_configuration.name))
                validate_name(v, level, NAME_SUBDOMAIN, spec->priority_level_configuration.name);
        else
                validate_required(v, level, "must reference a priority level");
        for (uint32_t i = 0; i < spec->rules.count; i++)
                check_rules(v, ITEM(FIELD(at, "rules"), i), &spec->rules.items[i]);
        if (!is_as_fixed(new))
                validate_invalid_json(v, at, validate_go_json(v, &kube_flowcontrol_v1_flow_schema_spec_type, spec),
                                      validate_text(v, "spec of '%s' must equal the fixed value", new->metadata.name));
        check_schema_status(v, object, old);
}

static const struct validate_sub subs[] = { { "status", check_schema_status }, { 0 } };

const struct validate_rules validate_flow_schema_rules[] = {
        { "flowcontrol.apiserver.k8s.io", "FlowSchema", NAME_SUBDOMAIN, check_schema, check_schema, subs },
        { 0 },
};
