/* Nodes. */
#include <ctype.h>
#include <string.h>

#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"

static const struct place metadata = { .name = "metadata" }, spec_place = { .name = "spec" },
                          status_place = { .name = "status" };

/* --- taints --- */

static void check_taint(struct validation *v, const struct place *at, const struct kube_taint *t,
                        struct validate_set *seen) {
        const char *problems[NAME_PROBLEMS_MAX], *effect = t->effect ?: "";
        unsigned n = name_problems(NAME_LABEL_VALUE, t->value ?: "", problems);

        validate_name(v, FIELD(at, "key"), NAME_QUALIFIED, t->key);
        if (n > 0)
                validate_invalid(v, FIELD(at, "value"), t->value,
                                 validate_text(v, "%s%s%s", problems[0], n > 1 ? ";" : "", n > 1 ? problems[1] : ""));
        if (!*effect)
                validate_required(v, FIELD(at, "effect"), "");
        else
                validate_choice(v, FIELD(at, "effect"), effect,
                                POD_TEXTS("NoSchedule", "PreferNoSchedule", "NoExecute"));
        if (!validate_set_add(v, seen, validate_key(v, "%s\n%s", effect, t->key ?: "")))
                validate_duplicate_detail(v, at, validate_go_json(v, &kube_taint_type, t),
                                          "taints must be unique by key and effect pair");
}

static void check_taints(struct validation *v, const struct kube_node *node) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < node->spec.taints.count; i++)
                check_taint(v, ITEM(FIELD(&metadata, "taints"), i), &node->spec.taints.items[i], &seen);
}

/* --- status --- */

static void check_amounts(struct validation *v, const char *field, const resource_list *list) {
        list_for_each (r, list)
                validate_amount(v, FIELD(FIELD(&status_place, field), r->name), r->name, r->amount);
}

/* Segments of letters and digits that begin with a letter, the first with a capital. */
static bool is_feature(const char *name) {
        for (const char *p = name;; p++) {
                if (p == name ? !isupper((unsigned char)*p) : !isalpha((unsigned char)*p))
                        return false;
                while (isalnum((unsigned char)*p))
                        p++;
                if (*p != '/')
                        return *p == '\0';
        }
}

static void check_feature(struct validation *v, const struct place *at, const char *name) {
        const char *quoted = validate_quoted(v, name);

        if (strlen(name) > 253)
                validate_invalid(
                        v, at, name,
                        validate_text(v, "invalid feature name %s: must be no more than 253 characters", quoted));
        else if (!is_feature(name))
                validate_invalid(
                        v, at, name,
                        validate_text(v,
                                      "invalid feature name %s: must start with an UpperCamelCase segment, with "
                                      "subsequent segments separated by '/' (e.g., MyFeature or "
                                      "MyFeature/mySubFeature), and contain only alphanumeric characters and "
                                      "slashes",
                                      quoted));
}

static void check_features(struct validation *v, const string_list *list) {
        const struct place *at = FIELD(&status_place, "declaredFeatures");

        for (uint32_t i = 0; i < list->count; i++) {
                const char *name = list->items[i] ?: "", *next = i + 1 < list->count ? list->items[i + 1] ?: "" : NULL;

                check_feature(v, ITEM(at, i), name);
                if (next && strcmp(name, next) == 0)
                        validate_duplicate(v, ITEM(at, i + 1), next);
                else if (next && strcmp(name, next) > 0)
                        validate_invalid(v, ITEM(at, i + 1), next, "list must be sorted alphabetically");
        }
}

static void check_resources(struct validation *v, const struct kube_node *node) {
        check_amounts(v, "capacity", &node->status.capacity);
        check_amounts(v, "allocatable", &node->status.allocatable);
}

/* --- spec --- */

static void check_cidr_families(struct validation *v, const struct place *at, const string_list *list) {
        bool four = false, six = false, good = true;

        for (uint32_t i = 0; i < list->count && good; i++) {
                good = validate_is_cidr(list->items[i]);
                six |= validate_is_ipv6_cidr(list->items[i]);
                four |= good && !validate_is_ipv6_cidr(list->items[i]);
                if (!good)
                        validate_internal(v, at,
                                          validate_text(v,
                                                        "invalid PodCIDRs. failed to check with dual stack with "
                                                        "error:invalid CIDR[%u]: <nil> (invalid CIDR address: %s)",
                                                        i, list->items[i] ?: ""));
        }
        if (!good || !four || !six || list->count > 2)
                validate_invalid_json(v, at, validate_json_strings(v, list),
                                      "may specify no more than one CIDR for each IP family");
}

static void check_node(struct validation *v, const struct kube_node *node) {
        const struct kube_node_swap_status *swap = node->status.node_info.swap;
        const struct place *cidrs = FIELD(&spec_place, "podCIDRs");

        validate_meta(v, &node->metadata, NAME_SUBDOMAIN);
        check_taints(v, node);
        check_resources(v, node);
        if (swap && swap->capacity.set)
                validate_positive(v, FIELD(FIELD(&metadata, "nodeSwapStatus"), "capacity"), swap->capacity.value);
        check_features(v, &node->status.declared_features);
        for (uint32_t i = 0; i < node->spec.pod_cidrs.count; i++)
                validate_cidr(v, ITEM(cidrs, i), node->spec.pod_cidrs.items[i], NULL);
        if (node->spec.pod_cidrs.count > 1)
                check_cidr_families(v, cidrs, &node->spec.pod_cidrs);
}

/* --- configuration in the cluster, which kubelets no longer take --- */

static void check_config(struct validation *v, const struct place *at, const struct kube_node_config_source *source,
                         bool in_status) {
        const struct kube_config_map_node_config_source *s = source->config_map;
        const struct place *here = FIELD(at, "configMap"), *uid = FIELD(here, "uid"),
                           *version = FIELD(here, "resourceVersion");

        if (!s) {
                validate_invalid_json(v, at, validate_go_json(v, &kube_node_config_source_type, source),
                                      "exactly one reference subfield must be non-nil");
                return;
        }
        if (!in_status && s->uid && *s->uid)
                validate_forbidden(v, uid, "uid must not be set in spec");
        if (in_status && (!s->uid || !*s->uid))
                validate_required(v, uid, "");
        if (!in_status && s->resource_version && *s->resource_version)
                validate_forbidden(v, version, "resourceVersion must not be set in spec");
        if (in_status && (!s->resource_version || !*s->resource_version))
                validate_required(v, version, "");
        validate_name_required(v, FIELD(here, "namespace"), NAME_LABEL, s->namespace);
        validate_name_required(v, FIELD(here, "name"), NAME_SUBDOMAIN, s->name);
        validate_name_required(v, FIELD(here, "kubeletConfigKey"), NAME_KEY, s->kubelet_config_key);
}

static void check_configs(struct validation *v, const struct kube_node *node) {
        const struct kube_node_config_status *c = node->status.config;
        const struct place *at = FIELD(&status_place, "config");

        if (node->spec.config_source)
                check_config(v, FIELD(&spec_place, "configSource"), node->spec.config_source, false);
        if (c && c->assigned)
                check_config(v, FIELD(at, "assigned"), c->assigned, true);
        if (c && c->active)
                check_config(v, FIELD(at, "active"), c->active, true);
        if (c && c->last_known_good)
                check_config(v, FIELD(at, "lastKnownGood"), c->last_known_good, true);
}

/* --- changes --- */

static void check_addresses(struct validation *v, const struct kube_node *node) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < node->status.addresses.count; i++) {
                const struct kube_node_address *a = &node->status.addresses.items[i];

                if (!validate_set_add(v, &seen, validate_key(v, "%s\n%s", a->type ?: "", a->address ?: "")))
                        validate_duplicate_json(v, ITEM(FIELD(&status_place, "addresses"), i),
                                                validate_go_json(v, &kube_node_address_type, a));
        }
}

static void check_kept_cidrs(struct validation *v, const string_list *new, const string_list *old) {
        static const char text[] = "node updates may not change podCIDR except from \"\" to valid";
        const struct place *at = FIELD(&spec_place, "podCIDRs");

        if (old->count > 0 && old->count != new->count)
                validate_forbidden(v, at, text);
        for (uint32_t i = 0; i < old->count && old->count == new->count; i++)
                if (!kube_is(old->items[i] ?: "", new->items[i] ?: ""))
                        validate_forbidden(v, at, text);
}

void validate_node_status(struct validation *v, const void *object, const void *old_object) {
        const struct kube_node *node = object, *old = old_object;
        const char *provider = old->spec.provider_id;

        validate_meta_update(v, &node->metadata, &old->metadata);
        check_resources(v, node);
        check_features(v, &node->status.declared_features);
        check_addresses(v, node);
        check_kept_cidrs(v, &node->spec.pod_cidrs, &old->spec.pod_cidrs);
        if (provider && *provider && !kube_is(node->spec.provider_id, provider))
                validate_forbidden(v, FIELD(&spec_place, "providerID"),
                                   "node updates may not change providerID except from \"\" to valid");
        check_configs(v, node);
        check_taints(v, node);
        if (!kube_is(node->spec.external_id ?: "", old->spec.external_id ?: ""))
                validate_forbidden(v, FIELD(&spec_place, "externalID"), "may not be updated");
}

void validate_node(struct validation *v, const void *object, const void *old) {
        check_node(v, object);
        if (old)
                validate_node_status(v, object, old);
}
