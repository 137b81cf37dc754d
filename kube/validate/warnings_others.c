/* Nodes, quotas, accounts, classes. */
#include <string.h>

#include "kube/node_v1.h"
#include "kube/resource_v1.h"
#include "kube/storage_v1.h"
#include "kube/validate/warnings.h"
#include "lib/cleanup.h"
#include "lib/x509_pem.h"

#define MOUNTABLE "kubernetes.io/enforce-mountable-secrets"

void validate_warn_node(struct validation *v, const void *object, const void *old) {
        const struct kube_node_spec *spec = &((const struct kube_node *)object)->spec;

        (void)old;
        if (spec->config_source)
                validate_warn(v, NULL, "spec.configSource: the feature is removed");
        if (spec->external_id && *spec->external_id)
                validate_warn(v, NULL, "spec.externalID: this field is deprecated, and is unused by Kubernetes");
        for (uint32_t i = 0; i < spec->pod_cidrs.count; i++)
                validate_warn_cidr(v, ITEM(FIELD(FIELD(NULL, "spec"), "podCIDRs"), i), spec->pod_cidrs.items[i]);
}

static void warn_order(struct validation *v, const resource_list *hard, const char *request, const char *limit) {
        const struct quantity *a = resource_get(hard, request), *b = resource_get(hard, limit);
        char texts[2][QUANTITY_TEXT_MAX];

        if (a && b && quantity_compare(*a, *b) > 0)
                validate_warn(v, NULL, "ResourceQuota %s (%s) should be less than %s (%s)", request,
                              quantity_format(*a, texts[0]), limit, quantity_format(*b, texts[1]));
}

/* Of CPU and memory a request's name may be the bare one. */
void validate_warn_quota(struct validation *v, const void *object, const void *old) {
        static const struct {
                const char *request, *bare, *limit;
        } names[] = {
                { "requests.cpu", "cpu", "limits.cpu" },
                { "requests.memory", "memory", "limits.memory" },
                { "requests.storage", NULL, "limits.storage" },
                { "requests.ephemeral-storage", NULL, "limits.ephemeral-storage" },
        };
        const resource_list *hard = &((const struct kube_resource_quota *)object)->spec.hard;

        (void)old;
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                bool bare = names[i].bare && !resource_get(hard, names[i].request);

                warn_order(v, hard, bare ? names[i].bare : names[i].request, names[i].limit);
        }
}

void validate_warn_account(struct validation *v, const void *object, const void *old) {
        const struct kube_service_account *new = object, *before = old;

        if (before && string_map_get(&before->metadata.annotations, MOUNTABLE))
                return;
        if (string_map_get(&new->metadata.annotations, MOUNTABLE))
                validate_warn(
                        v, NULL,
                        "metadata.annotations[" MOUNTABLE
                        "]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets");
}

static struct x509_text text_of(const struct kube_secret *secret, const char *key) {
        list_for_each (entry, &secret->data)
                if (strcmp(entry->key, key) == 0)
                        return (struct x509_text){ entry->value.data, entry->value.length };
        return (struct x509_text){ 0 };
}

void validate_warn_secret(struct validation *v, const void *object, const void *old) {
        const struct kube_secret *secret = object;
        const struct x509_text certificate = text_of(secret, "tls.crt"), key = text_of(secret, "tls.key");
        const char *problem =
                kube_is(secret->type, "kubernetes.io/tls") ? x509_pair_problem(v->arena, &certificate, &key) : NULL;

        (void)old;
        if (problem)
                validate_warn(v, NULL, "%s", problem);
}

void validate_warn_runtime_class(struct validation *v, const void *object, const void *old) {
        const struct kube_node_v1_runtime_class *class = object;

        (void)old;
        for (uint32_t i = 0; class->scheduling && i < class->scheduling->node_selector.count; i++) {
                const char *text = validate_old_label(class->scheduling->node_selector.items[i].key);

                if (text)
                        validate_warn(v, NULL, "scheduling.nodeSelector: %s", text);
        }
}

/* Of a change where it changes what tokens there are. */
void validate_warn_csi_driver(struct validation *v, const void *object, const void *old) {
        const struct kube_storage_v1_csi_driver *new = object, *before = old;

        if (new->spec.token_requests.count == 0 || new->spec.service_account_token_in_secrets != TRI_UNSET)
                return;
        if (!before ||
            !validate_equal_field(&kube_storage_v1_csi_driver_spec_type, "tokenRequests", &new->spec, &before->spec))
                validate_warn(
                        v, NULL,
                        "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true "
                        "to prevent possible logging of tokens in volume attributes");
}

void validate_warn_capacity(struct validation *v, const void *object, const void *old) {
        const struct kube_storage_v1_csi_storage_capacity *capacity = object;

        (void)old;
        validate_warn_selector(v, FIELD(NULL, "nodeTopology"), capacity->node_topology);
}

static void warn_topology(struct validation *v, const struct place *at,
                          const struct kube_topology_selector_term *term) {
        for (uint32_t i = 0; i < term->match_label_expressions.count; i++) {
                const char *text = validate_old_label(term->match_label_expressions.items[i].key);

                if (text)
                        validate_warn(v, FIELD(ITEM(FIELD(at, "matchLabelExpressions"), i), "key"), "%s", text);
        }
}

void validate_warn_storage_class(struct validation *v, const void *object, const void *old) {
        const struct kube_storage_v1_storage_class *class = object;

        (void)old;
        for (uint32_t i = 0; i < class->allowed_topologies.count; i++)
                warn_topology(v, ITEM(FIELD(NULL, "allowedTopologies"), i), &class->allowed_topologies.items[i]);
}

void validate_warn_resource_slice(struct validation *v, const void *object, const void *old) {
        const char *driver = ((const struct kube_resource_v1_resource_slice *)object)->spec.driver;

        (void)old;
        if (driver && driver[strcspn(driver, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
                validate_warn(v, NULL,
                              "spec.driver: driver names should be lowercase; %s contains uppercase characters",
                              validate_quoted(v, driver));
}
