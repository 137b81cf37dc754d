/* Which requests a webhook or a policy of admission is there for
 * (k8s.io/kubernetes/pkg/apis/admissionregistration/validation). */
#include <string.h>

#include "kube/validate/admission.h"
#include "kube/validate/common.h"
#include "lib/cleanup.h"

#define CONDITIONS_MAX 64

/* --- rules --- */

static void check_alone(struct validation *v, const struct place *at, const string_list *list, const char *what) {
        if (list->count > 1 && kube_has(list, "*"))
                validate_invalid_json(v, at, validate_json_strings(v, list),
                                      validate_text(v, "if '*' is present, must not specify other %s", what));
}

#define RESOURCES_LOOKED_AT 256 /* each with those before it */

/* "pods/status": what names before it in the list cover. */
static void check_covered(struct validation *v, const struct place *at, const string_list *resources, uint32_t i) {
        const char *name = resources->items[i], *slash = strchr(name, '/');
        bool by_resource = false, by_sub = false;

        for (uint32_t j = 0; j < i; j++) {
                const char *other = resources->items[j] ?: "", *its = strchr(other, '/');

                if (!its)
                        continue;
                by_resource = by_resource || (strcmp(its, "/*") == 0 && its - other == slash - name &&
                                              strncmp(other, name, (size_t)(slash - name)) == 0);
                by_sub = by_sub || (strncmp(other, "*/", 2) == 0 && strcmp(its, slash) == 0);
        }
        if (by_resource)
                validate_invalid(v, ITEM(at, i), name,
                                 validate_text(v, "if '%.*s/*' is present, must not specify %s", (int)(slash - name),
                                               name, name));
        if (by_sub)
                validate_invalid(v, ITEM(at, i), name,
                                 validate_text(v, "if '*/%s' is present, must not specify %s", slash + 1, name));
}

static void check_resources(struct validation *v, const struct place *at, const string_list *resources) {
        bool all = false, both = false, whole = false;

        if (resources->count == 0)
                validate_required(v, at, "");
        for (uint32_t i = 0; i < resources->count; i++) {
                const char *name = resources->items[i];

                if (!name || !*name) {
                        validate_required(v, ITEM(at, i), "");
                        continue;
                }
                both = both || strcmp(name, "*/*") == 0;
                all = all || strcmp(name, "*") == 0;
                if (!strchr(name, '/'))
                        whole = strcmp(name, "*") != 0; /* the last one counts */
                else if (i < RESOURCES_LOOKED_AT)
                        check_covered(v, at, resources, i);
        }
        if (resources->count > 1 && both)
                validate_invalid_json(v, at, validate_json_strings(v, resources),
                                      "if '*/*' is present, must not specify other resources");
        if (all && whole)
                validate_invalid_json(v, at, validate_json_strings(v, resources),
                                      "if '*' is present, must not specify other resources without subresources");
}

void validate_operation_rule(struct validation *v, const struct place *at,
                             const struct kube_admissionregistration_v1_rule_with_operations *rule) {
        static const char *const operations[] = { "*", "CONNECT", "CREATE", "DELETE", "UPDATE", NULL },
                                 *const scopes[] = { "*", "Cluster", "Namespaced", NULL };
        const struct place *ops = FIELD(at, "operations"), *versions = FIELD(at, "apiVersions");

        if (rule->operations.count == 0)
                validate_required(v, ops, "");
        check_alone(v, ops, &rule->operations, "operations");
        for (uint32_t i = 0; i < rule->operations.count; i++)
                validate_choice(v, ITEM(ops, i), rule->operations.items[i], operations);
        if (rule->api_groups.count == 0)
                validate_required(v, FIELD(at, "apiGroups"), "");
        check_alone(v, FIELD(at, "apiGroups"), &rule->api_groups, "API groups");
        if (rule->api_versions.count == 0)
                validate_required(v, versions, "");
        check_alone(v, versions, &rule->api_versions, "API versions");
        for (uint32_t i = 0; i < rule->api_versions.count; i++)
                if (!rule->api_versions.items[i] || !*rule->api_versions.items[i])
                        validate_required(v, ITEM(versions, i), "");
        check_resources(v, FIELD(at, "resources"), &rule->resources);
        if (rule->scope)
                validate_choice(v, FIELD(at, "scope"), rule->scope, scopes);
}

/* --- conditions --- */

bool validate_is_blank(const char *text) {
        return !text || text[strspn(text, " \t\n\v\f\r")] == '\0';
}

void validate_match_conditions(struct validation *v, const struct place *at,
                               const kube_admissionregistration_v1_match_condition_items *conditions) {
        _cleanup_validate_set_ struct validate_set names = { 0 };

        if (conditions->count > CONDITIONS_MAX)
                validate_too_many(v, at, (int)conditions->count, CONDITIONS_MAX);
        for (uint32_t i = 0; i < conditions->count; i++) {
                const struct place *item = ITEM(at, i), *name = FIELD(item, "name");
                const char *text = conditions->items[i].name;

                if (validate_is_blank(conditions->items[i].expression))
                        validate_required(v, FIELD(item, "expression"), "");
                validate_name_required(v, name, NAME_QUALIFIED, text);
                if (text && *text && !validate_set_add(v, &names, text))
                        validate_duplicate(v, name, text);
        }
}
