#include "api/audit/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/user.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/members.h"
#include "lib/value.h"
#include "lib/yaml.h"

struct resources {
        const char *group;
        struct member_list resources, names;
};

struct rule {
        const char *level_text;
        enum audit_level level;
        struct member_list users, groups, verbs, resources, namespaces, paths, omit_stages;
        const struct value *omit_managed_fields; /* NULL: as the policy has it */
        unsigned omitted;
};

struct document {
        const char *version, *kind;
        struct member_list rules, omit_stages;
        bool omit_managed_fields;
};

struct audit_policy {
        struct arena *arena;
        struct document document;
        struct rule *rules;
        size_t n;
        unsigned omitted;
};

static const struct member_row resources_rows[] = {
        MEMBER_ROW("group", STRING, 0, resources, group),
        MEMBER_ROW("resources", STRINGS, 0, resources, resources),
        MEMBER_ROW("resourceNames", STRINGS, 0, resources, names),
};
static const struct member_type resources_type = MEMBER_TYPE(resources, resources_rows);

static const struct member_row rule_rows[] = {
        MEMBER_ROW("level", STRING, MEMBER_REQUIRED, rule, level_text),
        MEMBER_ROW("users", STRINGS, 0, rule, users),
        MEMBER_ROW("userGroups", STRINGS, 0, rule, groups),
        MEMBER_ROW("verbs", STRINGS, 0, rule, verbs),
        MEMBER_ROW_OF("resources", OBJECTS, 0, rule, resources, resources_type),
        MEMBER_ROW("namespaces", STRINGS, 0, rule, namespaces),
        MEMBER_ROW("nonResourceURLs", STRINGS, 0, rule, paths),
        MEMBER_ROW("omitStages", STRINGS, 0, rule, omit_stages),
        MEMBER_ROW("omitManagedFields", VALUE, 0, rule, omit_managed_fields),
};
static const struct member_type rule_type = MEMBER_TYPE(rule, rule_rows);

static const struct member_row document_rows[] = {
        MEMBER_ROW("apiVersion", STRING, MEMBER_REQUIRED, document, version),
        MEMBER_ROW("kind", STRING, MEMBER_REQUIRED, document, kind),
        MEMBER_ROW_OF("rules", OBJECTS, 0, document, rules, rule_type),
        MEMBER_ROW("omitStages", STRINGS, 0, document, omit_stages),
        MEMBER_ROW("omitManagedFields", BOOL, 0, document, omit_managed_fields),
};
static const struct member_type document_type = MEMBER_TYPE(document, document_rows);

static const char *const levels[] = { "None", "Metadata", "Request", "RequestResponse" };
static const char *const stages[] = { "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic" };

const char *audit_level_name(enum audit_level level) {
        return levels[level];
}

const char *audit_stage_name(enum audit_stage stage) {
        return stages[stage];
}

/* --- reading --- */

static bool is_known(const char *name, const struct member_type *type) {
        for (size_t i = 0; i < type->n_members; i++)
                if (strcmp(type->members[i].name, name) == 0)
                        return true;
        return false;
}

/* A rule that is misspelt must not be passed over: it would hide what it was to show. */
static int check_names(const char *file, const struct value *map, const struct member_type *type, struct err **err) {
        for (uint32_t i = 0; value_is(map, VALUE_MAP) && i < map->count; i++)
                if (!is_known(map->members[i].key, type) && strcmp(map->members[i].key, "metadata") != 0)
                        return err_set(err, EINVAL, "%s:%u: unknown field \"%s\"", file, map->members[i].line,
                                       map->members[i].key);
        return 0;
}

static int check_all_names(const char *file, const struct value *root, struct err **err) {
        const struct value *rules = value_get(root, "rules"), *resources;
        int r = check_names(file, root, &document_type, err);

        for (uint32_t i = 0; r == 0 && i < value_count(rules); i++) {
                resources = value_get(value_at(rules, i), "resources");
                r = check_names(file, value_at(rules, i), &rule_type, err);
                for (uint32_t k = 0; r == 0 && k < value_count(resources); k++)
                        r = check_names(file, value_at(resources, k), &resources_type, err);
        }
        return r;
}

static int find_word(const char *word, const char *const *words, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                if (strcmp(words[i], word) == 0)
                        return (int)i;
        return -1;
}

static int read_stages(const char *file, const struct member_list *list, unsigned *omitted, struct err **err) {
        for (size_t i = 0; i < list->n; i++) {
                const char *name = ((const char *const *)list->items)[i];
                int stage = find_word(name, stages, ELEMENTS(stages));

                if (stage < 0)
                        return err_set(
                                err, EINVAL,
                                "%s: omitStages: \"%s\" is no stage; there are RequestReceived, ResponseStarted, "
                                "ResponseComplete, Panic",
                                file, name);
                *omitted |= 1u << stage;
        }
        return 0;
}

static int check_paths(const char *file, size_t number, const struct rule *rule, struct err **err) {
        for (size_t i = 0; i < rule->paths.n; i++) {
                const char *path = ((const char *const *)rule->paths.items)[i], *star = strchr(path, '*');

                if (strcmp(path, "*") != 0 && *path != '/')
                        return err_set(err, EINVAL, "%s: rules[%zu].nonResourceURLs: \"%s\" does not begin with a /",
                                       file, number, path);
                if (star && star[1])
                        return err_set(err, EINVAL,
                                       "%s: rules[%zu].nonResourceURLs: \"%s\": a * may only be the last character",
                                       file, number, path);
        }
        if (rule->paths.n > 0 && (rule->resources.n > 0 || rule->namespaces.n > 0))
                return err_set(err, EINVAL,
                               "%s: rules[%zu]: a rule is of resources or of nonResourceURLs, not of both: make it two",
                               file, number);
        return 0;
}

static int settle_rule(const char *file, size_t number, struct audit_policy *policy, struct rule *rule,
                       struct err **err) {
        int level = find_word(rule->level_text, levels, ELEMENTS(levels)), r;

        if (level < 0)
                return err_set(
                        err, EINVAL,
                        "%s: rules[%zu].level: \"%s\" is none; there are None, Metadata, Request, RequestResponse",
                        file, number, rule->level_text);
        rule->level = (enum audit_level)level;
        rule->omitted = policy->omitted;
        for (size_t i = 0; i < rule->resources.n; i++) {
                const struct resources *one = MEMBER_AT(rule->resources, struct resources, i);

                if (one->names.n > 0 && one->resources.n == 0)
                        return err_set(err, EINVAL, "%s: rules[%zu].resources: resourceNames need resources", file,
                                       number);
        }
        r = read_stages(file, &rule->omit_stages, &rule->omitted, err);
        return r < 0 ? r : check_paths(file, number, rule, err);
}

static int settle(const char *file, struct audit_policy *policy, struct err **err) {
        const struct document *document = &policy->document;
        int r;

        if (strcmp(document->version, "audit.k8s.io/v1") != 0 || strcmp(document->kind, "Policy") != 0)
                return err_set(err, EINVAL, "%s: it is a %s of %s; give a Policy of audit.k8s.io/v1", file,
                               document->kind, document->version);
        policy->n = document->rules.n;
        policy->rules = arena_alloc_array(policy->arena, policy->n + 1, sizeof(struct rule));
        if (!policy->rules)
                return -ENOMEM;
        r = read_stages(file, &document->omit_stages, &policy->omitted, err);
        for (size_t i = 0; r == 0 && i < policy->n; i++) {
                policy->rules[i] = *MEMBER_AT(document->rules, struct rule, i);
                r = settle_rule(file, i, policy, &policy->rules[i], err);
        }
        return r;
}

static int read_document(struct audit_policy *policy, const char *name, const char *text, size_t length,
                         struct err **err) {
        const struct value_options options = { .name = name };
        struct members_source source = { .document = name, .path = "" };
        int r = yaml_parse(policy->arena, text, length, &options, &source.value, err);

        if (r < 0)
                return r;
        if (!value_is(source.value, VALUE_MAP))
                return err_set(err, EINVAL, "%s: it is no map; give a Policy of audit.k8s.io/v1", name);
        if ((r = check_all_names(name, source.value, err)) < 0 ||
            (r = members_read(policy->arena, &source, &document_type, &policy->document, err)) < 0)
                return r;
        return settle(name, policy, err);
}

static int parse(const char *name, const char *text, size_t length, struct audit_policy **ret_policy,
                 struct err **err) {
        struct arena *arena = arena_new();
        struct audit_policy *policy = arena ? arena_new_of(arena, struct audit_policy) : NULL;
        int r = -ENOMEM;

        if (policy) {
                policy->arena = arena;
                r = read_document(policy, name, text, length, err);
        }
        if (r == -ENOMEM)
                err_set(err, ENOMEM, "%s: no memory for the policy", name);
        if (r < 0) {
                arena_free(arena);
                return r;
        }
        *ret_policy = policy;
        return 0;
}

int audit_policy_load(const char *path, struct audit_policy **ret_policy, struct err **err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = files_read(path, AUDIT_POLICY_MAX, &text, &length, err);

        return r < 0 ? r : parse(path, text, length, ret_policy, err);
}

struct audit_policy *audit_policy_free(struct audit_policy *policy) {
        if (policy)
                arena_free(policy->arena);
        return NULL;
}

/* --- choosing --- */

static bool has(const struct member_list *list, const char *text) {
        for (size_t i = 0; i < list->n; i++)
                if (strcmp(((const char *const *)list->items)[i], text) == 0)
                        return true;
        return false;
}

static bool has_group(const struct member_list *list, const struct auth_user *user) {
        for (uint32_t i = 0; user && i < user->groups.count; i++)
                if (has(list, user->groups.items[i]))
                        return true;
        return false;
}

static bool fits_path(const struct member_list *list, const char *path) {
        for (size_t i = 0; i < list->n; i++) {
                const char *spec = ((const char *const *)list->items)[i];
                size_t n = strcspn(spec, "*");

                if (strncmp(path, spec, n) == 0 && (spec[n] == '*' || !path[n]))
                        return true;
        }
        return false;
}

/* "pods", "pods/log", all of a resource (pods/ and a star), a subresource of all (a star and /log), and a star alone.
 */
static bool is_resource(const char *spec, const struct auth_attributes *a) {
        const char *slash = strchr(spec, '/');
        size_t n = slash ? (size_t)(slash - spec) : strlen(spec);
        bool any = n == 1 && *spec == '*', same = strlen(a->resource) == n && memcmp(spec, a->resource, n) == 0;

        if (!slash)
                return any || (same && !*a->subresource);
        if (any)
                return *a->subresource && strcmp(slash + 1, a->subresource) == 0;
        return same && (strcmp(slash + 1, "*") == 0 || (*a->subresource && strcmp(slash + 1, a->subresource) == 0));
}

static bool fits_resource(const struct resources *r, const struct auth_attributes *a) {
        const char *group = r->group ?: "";

        if (strcmp(group, "*") != 0 && strcmp(group, a->group) != 0)
                return false;
        if (r->resources.n == 0)
                return true;
        if (r->names.n > 0 && !has(&r->names, a->name))
                return false;
        for (size_t i = 0; i < r->resources.n; i++)
                if (is_resource(((const char *const *)r->resources.items)[i], a))
                        return true;
        return false;
}

static bool fits_resources(const struct rule *rule, const struct auth_attributes *a) {
        if (!a->is_resource || (rule->namespaces.n > 0 && !has(&rule->namespaces, a->namespace)))
                return false;
        for (size_t i = 0; i < rule->resources.n; i++)
                if (fits_resource(MEMBER_AT(rule->resources, struct resources, i), a))
                        return true;
        return rule->resources.n == 0;
}

static bool fits(const struct rule *rule, const struct auth_attributes *a) {
        if (rule->users.n > 0 && !(a->user && has(&rule->users, a->user->name)))
                return false;
        if (rule->groups.n > 0 && !has_group(&rule->groups, a->user))
                return false;
        if (rule->verbs.n > 0 && !has(&rule->verbs, a->verb))
                return false;
        if (rule->namespaces.n > 0 || rule->resources.n > 0)
                return fits_resources(rule, a);
        return rule->paths.n == 0 || (!a->is_resource && fits_path(&rule->paths, a->path));
}

struct audit_choice audit_policy_choose(const struct audit_policy *policy, const struct auth_attributes *attributes) {
        for (size_t i = 0; i < policy->n; i++) {
                const struct rule *rule = &policy->rules[i];

                if (fits(rule, attributes))
                        return (struct audit_choice){ rule->level, rule->omitted,
                                                      value_bool_or(rule->omit_managed_fields,
                                                                    policy->document.omit_managed_fields) };
        }
        return (struct audit_choice){ AUDIT_NONE, policy->omitted, policy->document.omit_managed_fields };
}
