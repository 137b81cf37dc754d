#include "api/priority/match.h"

#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/user.h"
#include "kube/flowcontrol_v1.h"

/* "*" stands for all only where it is alone. */
static bool has(const string_list *list, const char *text) {
        if (list->count == 1 && strcmp(list->items[0], "*") == 0)
                return true;
        for (uint32_t i = 0; i < list->count; i++)
                if (strcmp(list->items[i], text) == 0)
                        return true;
        return false;
}

static const char *behind(const char *text, const char *prefix) {
        size_t n = strlen(prefix);

        return text && strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static bool is_account(const struct kube_flowcontrol_v1_service_account_subject *account, const char *user) {
        const char *name = behind(behind(user, AUTH_ACCOUNT_PREFIX), account->namespace);

        return name && *name == ':' && (strcmp(account->name, "*") == 0 || strcmp(account->name, name + 1) == 0);
}

static bool is_subject(const struct kube_flowcontrol_v1_subject *subject, const struct auth_user *user) {
        if (strcmp(subject->kind, "User") == 0)
                return subject->user &&
                       (strcmp(subject->user->name, "*") == 0 || strcmp(subject->user->name, user->name) == 0);
        if (strcmp(subject->kind, "Group") == 0)
                return subject->group &&
                       (strcmp(subject->group->name, "*") == 0 || auth_user_in(user, subject->group->name));
        return strcmp(subject->kind, "ServiceAccount") == 0 && subject->service_account &&
               is_account(subject->service_account, user->name);
}

static bool has_resource(const string_list *list, const struct auth_attributes *asked) {
        size_t n = strlen(asked->resource);

        if (!*asked->subresource || (list->count == 1 && strcmp(list->items[0], "*") == 0))
                return has(list, asked->resource);
        for (uint32_t i = 0; i < list->count; i++)
                if (strncmp(list->items[i], asked->resource, n) == 0 && list->items[i][n] == '/' &&
                    strcmp(list->items[i] + n + 1, asked->subresource) == 0)
                        return true;
        return false;
}

static bool is_of_resources(const struct kube_flowcontrol_v1_resource_policy_rule *rule,
                            const struct auth_attributes *asked) {
        return has(&rule->verbs, asked->verb) && has_resource(&rule->resources, asked) &&
               has(&rule->api_groups, asked->group) &&
               (*asked->namespace ? has(&rule->namespaces, asked->namespace) : rule->cluster_scope);
}

/* A rule with a star behind a path, and one without, are of all that is below it. */
static bool is_below(const char *rule, const char *path) {
        size_t n = strlen(rule);

        if (strcmp(rule, "*") == 0 || strcmp(rule, path) == 0)
                return true;
        n -= n > 0 && rule[n - 1] == '*';
        n -= n > 0 && rule[n - 1] == '/';
        return strncmp(rule, path, n) == 0 && path[n] == '/';
}

static bool is_of_paths(const struct kube_flowcontrol_v1_non_resource_policy_rule *rule,
                        const struct auth_attributes *asked) {
        if (!has(&rule->verbs, asked->verb))
                return false;
        for (uint32_t i = 0; i < rule->non_resource_urls.count; i++)
                if (is_below(rule->non_resource_urls.items[i], asked->path))
                        return true;
        return false;
}

static bool is_of_rules(const struct kube_flowcontrol_v1_policy_rules_with_subjects *rules,
                        const struct auth_attributes *asked) {
        bool any = false;

        list_for_each (subject, &rules->subjects)
                any = any || is_subject(subject, asked->user);
        if (!any)
                return false;
        if (asked->is_resource) {
                list_for_each (rule, &rules->resource_rules)
                        if (is_of_resources(rule, asked))
                                return true;
                return false;
        }
        list_for_each (rule, &rules->non_resource_rules)
                if (is_of_paths(rule, asked))
                        return true;
        return false;
}

bool priority_matches(const struct kube_flowcontrol_v1_flow_schema *schema, const struct auth_attributes *asked) {
        list_for_each (rules, &schema->spec.rules)
                if (is_of_rules(rules, asked))
                        return true;
        return false;
}
