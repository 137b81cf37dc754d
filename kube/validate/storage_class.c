/* StorageClasses and VolumeAttributesClasses (k8s.io/kubernetes/pkg/apis/storage/validation, pkg/registry/storage). */
#include <ctype.h>
#include <string.h>

#include "kube/storage_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"

#define PARAMETERS_MAX 512
#define PARAMETERS_BYTES_MAX (256 * 1024)

/* A qualified name, whatever its case. */
static void check_provisioner(struct validation *v, const struct place *at, const char *name) {
        char *lower = arena_strdup(v->arena, name);

        if (!name || !*name) {
                validate_required(v, at, "");
                return;
        }
        for (char *c = lower; c && *c; c++)
                *c = (char)tolower((unsigned char)*c);
        validate_name(v, at, NAME_QUALIFIED, lower ?: name);
}

static void check_parameters(struct validation *v, const string_map *parameters, bool required) {
        const struct place *at = FIELD(NULL, "parameters");

        if (parameters->count > PARAMETERS_MAX) {
                validate_too_long(v, at, PARAMETERS_MAX);
                return;
        }
        if (string_map_get(parameters, ""))
                validate_invalid(v, at, "", "field can not be empty.");
        if (validate_map_bytes(parameters) > PARAMETERS_BYTES_MAX)
                validate_too_long(v, at, PARAMETERS_BYTES_MAX);
        if (required && parameters->count == 0)
                validate_required(v, at, "must contain at least one key/value pair");
}

static void check_term(struct validation *v, const struct place *at, const struct kube_topology_selector_term *term) {
        uint32_t n = term->match_label_expressions.count;
        const char **keys = arena_alloc_array(v->arena, (size_t)n + 1, sizeof(*keys));
        const bool *again;

        for (uint32_t i = 0; keys && i < n; i++)
                keys[i] = term->match_label_expressions.items[i].key;
        again = keys ? validate_repeated(v, keys, n) : NULL;
        for (uint32_t i = 0; i < n; i++) {
                const string_list *values = &term->match_label_expressions.items[i].values;
                const struct place *item = ITEM(FIELD(at, "matchLabelExpressions"), i), *below = FIELD(item, "values");
                const bool *repeated = validate_repeated(v, values->items, values->count);

                if (values->count == 0)
                        validate_required(v, below, "");
                for (uint32_t j = 0; repeated && j < values->count; j++)
                        if (repeated[j])
                                validate_duplicate(v, ITEM(below, j), values->items[j]);
                validate_name(v, FIELD(item, "key"), NAME_QUALIFIED, term->match_label_expressions.items[i].key);
                if (again && again[i])
                        validate_duplicate(v, FIELD(item, "key"), term->match_label_expressions.items[i].key);
        }
}

typedef const struct kube_topology_selector_label_requirement *requirement_ref;

/* The last requirement of @key is the one that counts. */
static requirement_ref last_of(const struct kube_topology_selector_term *term, const char *key) {
        for (uint32_t i = term->match_label_expressions.count; i > 0; i--)
                if (strcmp(term->match_label_expressions.items[i - 1].key ?: "", key) == 0)
                        return &term->match_label_expressions.items[i - 1];
        return NULL;
}

/* Whether @b has all that is in @a. */
static bool covers(const struct kube_topology_selector_term *a, const struct kube_topology_selector_term *b) {
        list_for_each (requirement, &a->match_label_expressions) {
                requirement_ref one = last_of(a, requirement->key ?: ""), other = last_of(b, requirement->key ?: "");

                if (!other)
                        return false;
                for (uint32_t i = 0; i < one->values.count; i++)
                        if (!kube_has(&other->values, one->values.items[i] ?: ""))
                                return false;
        }
        return true;
}

#define TERMS_COMPARED 64 /* each with those before it */

static void check_topologies(struct validation *v, const kube_topology_selector_term_items *terms) {
        const struct place *at = FIELD(NULL, "allowedTopologies");

        for (uint32_t i = 0; i < terms->count; i++) {
                const struct kube_topology_selector_term *term = &terms->items[i];

                check_term(v, ITEM(at, i), term);
                /* One that is empty is told of as often as there are terms (kube-apiserver compares it with nothing).
                 */
                for (uint32_t j = 0; j < terms->count && j < TERMS_COMPARED && !term->match_label_expressions.count;
                     j++)
                        validate_duplicate(v, FIELD(ITEM(at, i), "matchLabelExpressions"), "");
                for (uint32_t j = 0; j < i && i < TERMS_COMPARED; j++)
                        if (covers(term, &terms->items[j]) && covers(&terms->items[j], term))
                                validate_duplicate(v, FIELD(ITEM(at, i), "matchLabelExpressions"), "");
        }
}

static void check_class_change(struct validation *v, const struct kube_storage_v1_storage_class *new,
                               const struct kube_storage_v1_storage_class *old) {
        const struct kube_type *type = &kube_storage_v1_storage_class_type;

        validate_meta_update(v, &new->metadata, &old->metadata);
        validate_immutable_field(v, FIELD(NULL, "parameters"), type, "parameters", new, old);
        validate_immutable_text(v, FIELD(NULL, "provisioner"), new->provisioner, old->provisioner);
        validate_immutable_field(v, FIELD(NULL, "reclaimPolicy"), type, "reclaimPolicy", new, old);
        validate_immutable_field(v, FIELD(NULL, "volumeBindingMode"), type, "volumeBindingMode", new, old);
}

static void check_storage_class(struct validation *v, const void *object, const void *before) {
        static const char *const policies[] = { "Delete", "Retain", NULL }, *const modes[] = { "Immediate",
                                                                                               "WaitForFirstConsumer",
                                                                                               NULL };
        const struct kube_storage_v1_storage_class *new = object, *old = before;

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_provisioner(v, FIELD(NULL, "provisioner"), new->provisioner);
        check_parameters(v, &new->parameters, false);
        if (new->reclaim_policy &&*new->reclaim_policy)
                validate_choice(v, FIELD(NULL, "reclaimPolicy"), new->reclaim_policy, policies);
        if (!new->volume_binding_mode)
                validate_required(v, FIELD(NULL, "volumeBindingMode"), "");
        else
                validate_choice(v, FIELD(NULL, "volumeBindingMode"), new->volume_binding_mode, modes);
        check_topologies(v, &new->allowed_topologies);
        if (old)
                check_class_change(v, new, old);
}

static void check_attributes_class(struct validation *v, const void *object, const void *before) {
        const struct kube_storage_v1_volume_attributes_class *new = object, *old = before;
        const struct kube_type *type = &kube_storage_v1_volume_attributes_class_type;

        if (old) {
                validate_meta_update(v, &new->metadata, &old->metadata);
                if (!validate_equal_field(type, "driverName", new, old))
                        validate_forbidden(v, FIELD(NULL, "driverName"), "updates to driverName are forbidden.");
                if (!validate_equal_field(type, "parameters", new, old))
                        validate_forbidden(v, FIELD(NULL, "parameters"), "updates to parameters are forbidden.");
        }
        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_provisioner(v, FIELD(NULL, "driverName"), new->driver_name);
        check_parameters(v, &new->parameters, true);
}

const struct validate_rules validate_storage_class_rules[] = {
        { "storage.k8s.io", "StorageClass", NAME_SUBDOMAIN, check_storage_class, check_storage_class, NULL },
        { "storage.k8s.io", "VolumeAttributesClass", NAME_SUBDOMAIN, check_attributes_class, check_attributes_class,
          NULL },
        { 0 },
};
