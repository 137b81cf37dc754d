/* Services: their addresses, and those of whoever reaches them. */
#include "kube/validate/service.h"

#include <ctype.h>

#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"

#define SOURCE_RANGES "service.beta.kubernetes.io/load-balancer-source-ranges"

void validate_service_pointer(struct validation *v, const struct place *at, const char *text, const char *detail) {
        if (text)
                validate_invalid_word(v, at, text, detail);
        else
                validate_invalid_json(v, at, "null", detail);
}

/* --- cluster addresses --- */

static void invalid_ips(struct validation *v, const struct place *at, const struct kube_service *s,
                        const char *detail) {
        validate_invalid_json(v, at, validate_json_strings(v, &s->spec.cluster_ips), detail);
}

static void check_families(struct validation *v, const struct kube_service *s) {
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < s->spec.ip_families.count; i++) {
                const char *family = s->spec.ip_families.items[i];
                const struct place *at = ITEM(SPEC("ipFamilies"), i);

                validate_choice(v, at, family, POD_TEXTS("IPv4", "IPv6"));
                if (!validate_set_add(v, &seen, family))
                        validate_duplicate(v, at, family);
        }
        if (s->spec.ip_family_policy)
                validate_choice(v, SPEC("ipFamilyPolicy"), s->spec.ip_family_policy,
                                POD_TEXTS("PreferDualStack", "RequireDualStack", "SingleStack"));
}

/* False when one is no address: they are compared no further. */
static bool check_cluster_ips(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const string_list *ips = &s->spec.cluster_ips;
        unsigned before = validate_errors(v);
        bool good;

        for (uint32_t i = 0; i < ips->count; i++) {
                if (i > 0 || !kube_is(ips->items[i], "None"))
                        validate_ip(v, ITEM(SPEC("clusterIPs"), i), ips->items[i], old ? &old->spec.cluster_ips : NULL);
                else if (ips->count > 1)
                        invalid_ips(v, SPEC("clusterIPs"), s, "'None' must be the first and only value");
        }
        good = validate_errors(v) == before;
        if (ips->count > 2)
                invalid_ips(v, SPEC("clusterIPs"), s, "may only hold up to 2 values");
        return good;
}

static bool is_dual(struct validation *v, const string_list *ips) {
        bool four = false, six = false;

        for (uint32_t i = 0; i < ips->count; i++) {
                if (!validate_is_ip(ips->items[i])) {
                        validate_internal(v, SPEC("clusterIPs"),
                                          validate_text(v,
                                                        "failed to check for dual stack with error:invalid IP[%u]: %s",
                                                        i, ips->items[i] ?: ""));
                        return false;
                }
                six |= validate_is_ipv6(ips->items[i]);
                four |= !validate_is_ipv6(ips->items[i]);
        }
        return four && six;
}

static void check_ip_families(struct validation *v, const struct kube_service *s) {
        const string_list *ips = &s->spec.cluster_ips, *families = &s->spec.ip_families;

        if (ips->count > 1 && !is_dual(v, ips))
                invalid_ips(v, SPEC("clusterIPs"), s, "may specify no more than one IP for each IP family");
        for (uint32_t i = 0; i < ips->count && i < families->count && !service_is_headless(s); i++) {
                bool six = validate_is_ipv6(ips->items[i]);

                if (kube_is(families->items[i], six ? "IPv4" : "IPv6"))
                        validate_invalid(v, ITEM(SPEC("clusterIPs"), i), ips->items[i],
                                         validate_text(v, "expected an IPv%c value as indicated by `ipFamilies[%u]`",
                                                       six ? '4' : '6', i));
        }
}

void validate_service_addresses(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const char *ip = s->spec.cluster_ip ?: "";

        if (service_is_type(s, "ExternalName"))
                return;
        if (*ip && s->spec.cluster_ips.count == 0)
                validate_required(v, SPEC("clusterIPs"), "");
        else if (*ip && !service_same_text(s->spec.cluster_ips.items[0], ip))
                invalid_ips(v, SPEC("clusterIPs"), s, "first value must match `clusterIP`");
        else if (!*ip && s->spec.cluster_ips.count > 0)
                invalid_ips(v, SPEC("clusterIPs"), s, "must be empty when `clusterIP` is not specified");
        check_families(v, s);
        if (check_cluster_ips(v, s, old))
                check_ip_families(v, s);
}

/* --- other addresses --- */

void validate_service_external_ips(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        for (uint32_t i = 0; i < s->spec.external_ips.count; i++) {
                const struct place *at = ITEM(SPEC("externalIPs"), i);
                unsigned before = validate_errors(v);

                validate_ip(v, at, s->spec.external_ips.items[i], old ? &old->spec.external_ips : NULL);
                if (validate_errors(v) == before)
                        validate_endpoint_ip(v, at, s->spec.external_ips.items[i]);
        }
}

static const char *trimmed(struct validation *v, const char *text, size_t n) {
        while (n > 0 && isspace((unsigned char)*text)) {
                text++;
                n--;
        }
        while (n > 0 && isspace((unsigned char)text[n - 1]))
                n--;
        return validate_copy(v, text, n);
}

static void check_source_list(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const struct place *at = SPEC("LoadBalancerSourceRanges");
        string_list before = { 0 };

        if (!service_is_type(s, "LoadBalancer"))
                validate_forbidden(v, at, "may only be used when `type` is 'LoadBalancer'");
        if (old && old->spec.load_balancer_source_ranges.count > 0)
                before.items = validate_alloc(v, old->spec.load_balancer_source_ranges.count, sizeof(char *));
        for (uint32_t i = 0; before.items && i < old->spec.load_balancer_source_ranges.count; i++) {
                const char *text = old->spec.load_balancer_source_ranges.items[i] ?: "";

                before.items[before.count++] = trimmed(v, text, strlen(text));
        }
        for (uint32_t i = 0; i < s->spec.load_balancer_source_ranges.count; i++) {
                const char *text = s->spec.load_balancer_source_ranges.items[i] ?: "";

                validate_cidr(v, ITEM(at, i), trimmed(v, text, strlen(text)), &before);
        }
}

static void check_source_annotation(struct validation *v, const struct kube_service *s, const struct kube_service *old,
                                    const char *value) {
        const struct place *at = ENTRY(FIELD(FIELD(NULL, "metadata"), "annotations"), SOURCE_RANGES);
        const char *before = old ? string_map_get(&old->metadata.annotations, SOURCE_RANGES) : NULL;

        if (!service_is_type(s, "LoadBalancer"))
                validate_forbidden(v, at, "may only be used when `type` is 'LoadBalancer'");
        if (old && service_same_text(before, value))
                return;
        if (!*trimmed(v, value, strlen(value)))
                return;
        for (const char *p = value;; p++) {
                size_t n = strcspn(p, ",");

                validate_cidr(v, at, trimmed(v, p, n), NULL);
                p += n;
                if (*p == '\0')
                        break;
        }
}

void validate_service_sources(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const char *annotation = string_map_get(&s->metadata.annotations, SOURCE_RANGES);

        if (s->spec.load_balancer_source_ranges.count > 0)
                check_source_list(v, s, old);
        else if (annotation)
                check_source_annotation(v, s, old, annotation);
}

/* --- changes --- */

#define ONCE "may not change once set"

static bool is_named(const struct kube_service *s, const struct kube_service *old) {
        return service_is_type(s, "ExternalName") || service_is_type(old, "ExternalName");
}

static void check_single(struct validation *v, const struct kube_service *s, const char *what) {
        const char *policy = s->spec.ip_family_policy;

        if (!kube_is(policy, "SingleStack"))
                validate_service_pointer(
                        v, SPEC("ipFamilyPolicy"), policy,
                        validate_text(v, "must be set to 'SingleStack' when releasing the secondary %s", what));
}

static void check_ip_changes(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const string_list *new_ips = &s->spec.cluster_ips, *old_ips = &old->spec.cluster_ips;
        const struct place *at = SPEC("clusterIPs");

        if (is_named(s, old) || (service_is_headless(s) && service_is_headless(old)))
                return;
        if (old_ips->count == new_ips->count) {
                for (uint32_t i = 0; i < old_ips->count; i++)
                        if (!service_same_text(old_ips->items[i], new_ips->items[i]))
                                invalid_ips(v, ITEM(at, i), s, ONCE);
                return;
        }
        if (new_ips->count == 0)
                invalid_ips(v, ITEM(at, 0), s, "primary clusterIP can not be unset");
        if (old_ips->count > 0 && new_ips->count > 0 && !service_same_text(new_ips->items[0], old_ips->items[0]))
                invalid_ips(v, ITEM(at, 0), s, ONCE);
        if (old_ips->count > 1 && new_ips->count == 1)
                check_single(v, s, "clusterIP");
}

static void check_family_changes(struct validation *v, const struct kube_service *s, const struct kube_service *old) {
        const string_list *new_families = &s->spec.ip_families, *old_families = &old->spec.ip_families;
        const struct place *first = ITEM(SPEC("ipFamilies"), 0);
        const char *json = validate_json_strings(v, new_families);

        if (is_named(s, old) || service_is_headless(s) || service_is_headless(old))
                return;
        if (old_families->count == new_families->count) {
                for (uint32_t i = 0; i < old_families->count; i++)
                        if (!service_same_text(old_families->items[i], new_families->items[i]))
                                validate_invalid_json(v, first, json, ONCE);
                return;
        }
        if (old_families->count > new_families->count && s->spec.cluster_ips.count == 0)
                validate_invalid_json(v, first, json, "primary ipFamily can not be unset");
        /* The addresses are what kube-apiserver shows. */
        if (old_families->count > 0 && new_families->count > 0 &&
            !service_same_text(new_families->items[0], old_families->items[0]))
                invalid_ips(v, first, s, ONCE);
        if (old_families->count > 1 && new_families->count == 1)
                check_single(v, s, "ipFamily");
}

void validate_service_address_changes(struct validation *v, const struct kube_service *s,
                                      const struct kube_service *old) {
        check_ip_changes(v, s, old);
        check_family_changes(v, s, old);
}
