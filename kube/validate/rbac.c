/* Roles and bindings (k8s.io/kubernetes/pkg/apis/rbac/validation, pkg/registry/rbac). */

#include "kube/rbac_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"

#define GROUP "rbac.authorization.k8s.io"

static bool given(const char *text) {
        return text && *text;
}

/* --- roles --- */

static void check_rule(struct validation *v, const struct place *at, const struct kube_rbac_v1_policy_rule *rule) {
        const struct place *urls = FIELD(at, "nonResourceURLs");

        if (rule->verbs.count == 0)
                validate_required(v, FIELD(at, "verbs"), "verbs must contain at least one value");
        if (rule->non_resource_urls.count > 0) {
                if (v->namespaced)
                        validate_invalid_json(v, urls, validate_json_strings(v, &rule->non_resource_urls),
                                              "namespaced rules cannot apply to non-resource URLs");
                if (rule->api_groups.count + rule->resources.count + rule->resource_names.count > 0)
                        validate_invalid_json(v, urls, validate_json_strings(v, &rule->non_resource_urls),
                                              "rules cannot apply to both regular resources and non-resource URLs");
                return;
        }
        if (rule->api_groups.count == 0)
                validate_required(v, FIELD(at, "apiGroups"), "resource rules must supply at least one api group");
        if (rule->resources.count == 0)
                validate_required(v, FIELD(at, "resources"), "resource rules must supply at least one resource");
}

static void check_rules(struct validation *v, const kube_rbac_v1_policy_rule_items *rules) {
        for (uint32_t i = 0; i < rules->count; i++)
                check_rule(v, ITEM(FIELD(NULL, "rules"), i), &rules->items[i]);
}

static void check_role(struct validation *v, const void *object, const void *before) {
        const struct kube_rbac_v1_role *new = object, *old = before;

        validate_meta(v, &new->metadata, NAME_SEGMENT);
        check_rules(v, &new->rules);
        if (old)
                validate_meta_update(v, &new->metadata, &old->metadata);
}

static bool has_bad_value(const struct kube_rbac_v1_cluster_role *role) {
        for (uint32_t i = 0; role->aggregation_rule && i < role->aggregation_rule->cluster_role_selectors.count; i++)
                if (!validate_selector_is_sound(&role->aggregation_rule->cluster_role_selectors.items[i]))
                        return true;
        return false;
}

static void check_aggregation(struct validation *v, const struct kube_rbac_v1_aggregation_rule *rule, bool any_value) {
        const struct place *at = FIELD(FIELD(NULL, "aggregationRule"), "clusterRoleSelectors");
        struct validate_selector_options lenient = { .any_value = any_value };

        if (rule->cluster_role_selectors.count == 0)
                validate_required(v, at, "at least one clusterRoleSelector required if aggregationRule is non-nil");
        for (uint32_t i = 0; i < rule->cluster_role_selectors.count; i++) {
                const struct kube_label_selector *selector = &rule->cluster_role_selectors.items[i];

                validate_selector(v, ITEM(at, i), selector, &lenient);
                if (!validate_selector_is_sound(selector))
                        validate_invalid_json(v, ITEM(at, i), "null", "invalid label selector.");
        }
}

static void check_cluster_role(struct validation *v, const void *object, const void *before) {
        const struct kube_rbac_v1_cluster_role *new = object, *old = before;

        validate_meta(v, &new->metadata, NAME_SEGMENT);
        check_rules(v, &new->rules);
        if (new->aggregation_rule)
                check_aggregation(v, new->aggregation_rule, old && has_bad_value(old));
        if (old)
                validate_meta_update(v, &new->metadata, &old->metadata);
}

/* --- bindings --- */

static void check_subject(struct validation *v, const struct place *at, const struct kube_rbac_v1_subject *subject) {
        static const char *const kinds[] = { "ServiceAccount", "User", "Group", NULL },
                                 *const groups[] = { GROUP, NULL }, *const none[] = { "", NULL };

        if (!given(subject->name))
                validate_required(v, FIELD(at, "name"), "");
        if (kube_is(subject->kind, "ServiceAccount")) {
                if (given(subject->name))
                        validate_name(v, FIELD(at, "name"), NAME_SUBDOMAIN, subject->name);
                validate_text_choice(v, FIELD(at, "apiGroup"), subject->api_group, none);
                if (!v->namespaced && !given(subject->namespace))
                        validate_required(v, FIELD(at, "namespace"), "");
        } else if (kube_is(subject->kind, "User") || kube_is(subject->kind, "Group")) {
                validate_text_choice(v, FIELD(at, "apiGroup"), subject->api_group, groups);
        } else {
                validate_text_choice(v, FIELD(at, "kind"), subject->kind, kinds);
        }
}

/* What is common to a RoleBinding and a ClusterRoleBinding. */
struct binding {
        const struct kube_object_meta *meta;
        const struct kube_rbac_v1_role_ref *ref;
        const kube_rbac_v1_subject_items *subjects;
};

#define BINDING_OF(object)                                                                                             \
        (struct binding) {                                                                                             \
                &(object)->metadata, &(object)->role_ref, &(object)->subjects                                          \
        }

static void check_ref(struct validation *v, const struct kube_rbac_v1_role_ref *ref) {
        static const char *const groups[] = { GROUP, NULL }, *const kinds[] = { "Role", "ClusterRole", NULL };
        const struct place *at = FIELD(NULL, "roleRef");

        validate_text_choice(v, FIELD(at, "apiGroup"), ref->api_group, groups);
        validate_text_choice(v, FIELD(at, "kind"), ref->kind, v->namespaced ? kinds : kinds + 1);
        validate_name_required(v, FIELD(at, "name"), NAME_SEGMENT, ref->name);
}

/* @old: NULL for a new one. */
static void check_binding(struct validation *v, const struct binding *new, const struct binding *old) {
        validate_meta(v, new->meta, NAME_SEGMENT);
        check_ref(v, new->ref);
        for (uint32_t i = 0; i < new->subjects->count; i++)
                check_subject(v, ITEM(FIELD(NULL, "subjects"), i), &new->subjects->items[i]);
        if (!old)
                return;
        validate_meta_update(v, new->meta, old->meta);
        if (!validate_equal(&kube_rbac_v1_role_ref_type, new->ref, old->ref))
                validate_invalid_json(v, FIELD(NULL, "roleRef"),
                                      validate_go_json(v, &kube_rbac_v1_role_ref_type, new->ref),
                                      "cannot change roleRef");
}

static void check_role_binding(struct validation *v, const void *object, const void *before) {
        const struct kube_rbac_v1_role_binding *new = object, *old = before;

        check_binding(v, &BINDING_OF(new), old ? &BINDING_OF(old) : NULL);
}

static void check_cluster_role_binding(struct validation *v, const void *object, const void *before) {
        const struct kube_rbac_v1_cluster_role_binding *new = object, *old = before;

        check_binding(v, &BINDING_OF(new), old ? &BINDING_OF(old) : NULL);
}

const struct validate_rules validate_rbac_rules[] = {
        { GROUP, "ClusterRole", NAME_SEGMENT, check_cluster_role, check_cluster_role, NULL },
        { GROUP, "ClusterRoleBinding", NAME_SEGMENT, check_cluster_role_binding, check_cluster_role_binding, NULL },
        { GROUP, "Role", NAME_SEGMENT, check_role, check_role, NULL },
        { GROUP, "RoleBinding", NAME_SEGMENT, check_role_binding, check_role_binding, NULL },
        { 0 },
};
