/* ResourceClaims and their templates (k8s.io/kubernetes/pkg/apis/resource/validation, pkg/registry/resource). */
#include <string.h>

#include "kube/type.h"
#include "kube/validate/device.h"
#include "kube/validate/pod.h"
#include "kube/validate/pod_rules.h"
#include "kube/validate/rules.h"

#define CONSTRAINTS_MAX 32
#define FIRST_AVAILABLE_MAX 8

/* --- requests, and references to them --- */

void validate_device_requests(struct validation *v, const struct kube_resource_v1_resource_claim_spec *spec,
                              struct validate_set *ret_names) {
        list_for_each (request, &spec->devices.requests) {
                const char *name = request->name ?: "";

                if (strchr(name, '/'))
                        continue; /* nothing can refer to it */
                validate_set_add(v, ret_names, name);
                list_for_each (sub, &request->first_available)
                        if (!strchr(sub->name ?: "", '/'))
                                validate_set_add(v, ret_names, validate_key(v, "%s/%s", name, sub->name ?: ""));
        }
}

void validate_device_request_ref(struct validation *v, const struct place *at, const char *ref,
                                 const struct validate_set *names) {
        static const char unknown[] = "must be the name of a request in the claim or the name of a request and a "
                                      "subrequest separated by '/'";
        const char *text = ref ?: "", *slash = strchr(text, '/');

        if (slash && strchr(slash + 1, '/')) {
                validate_invalid(v, at, text, unknown);
                return;
        }
        validate_name(v, at, NAME_LABEL, slash ? validate_copy(v, text, (size_t)(slash - text)) : text);
        if (slash)
                validate_name(v, at, NAME_LABEL, slash + 1);
        if (!validate_set_has(names, text))
                validate_invalid(v, at, text, unknown);
}

void validate_device_request_refs(struct validation *v, const struct place *at, const string_list *refs,
                                  const struct validate_set *names) {
        if (!validate_device_count(v, at, refs->count, DEVICE_REQUESTS_MAX))
                return;
        for (uint32_t i = 0; i < refs->count; i++)
                validate_device_request_ref(v, ITEM(at, i), refs->items[i], names);
        validate_device_unique_texts(v, at, refs);
}

static void check_count(struct validation *v, const struct place *at, const char *mode, int64_t count) {
        const struct place *here = FIELD(at, "count");

        if (kube_is(mode, "All")) {
                if (count != 0)
                        validate_invalid_int(v, here, count, "must not be specified when allocationMode is 'All'");
        } else if (kube_is(mode, "ExactCount")) {
                if (count <= 0)
                        validate_invalid_int(v, here, count, VALIDATE_NOT_POSITIVE);
        } else {
                validate_unsupported(v, FIELD(at, "allocationMode"), mode, POD_TEXTS("All", "ExactCount"));
        }
}

/* What a request and each of its alternatives have in common. */
static void check_wanted(struct validation *v, const struct place *at,
                         const struct kube_resource_v1_exact_device_request *r) {
        validate_name_required(v, FIELD(at, "deviceClassName"), NAME_SUBDOMAIN, r->device_class_name);
        validate_device_selectors(v, FIELD(at, "selectors"), &r->selectors);
        check_count(v, at, r->allocation_mode, r->count);
        validate_device_tolerations(v, FIELD(at, "tolerations"), &r->tolerations);
}

static void check_sub_request(struct validation *v, const struct place *at,
                              const struct kube_resource_v1_device_sub_request *r) {
        const struct kube_resource_v1_exact_device_request wanted = { .device_class_name = r->device_class_name,
                                                                      .selectors = r->selectors,
                                                                      .allocation_mode = r->allocation_mode,
                                                                      .count = r->count,
                                                                      .tolerations = r->tolerations };

        validate_name(v, FIELD(at, "name"), NAME_LABEL, r->name);
        check_wanted(v, at, &wanted);
}

static void check_alternatives(struct validation *v, const struct place *at,
                               const kube_resource_v1_device_sub_request_items *subs) {
        const char *names[FIRST_AVAILABLE_MAX];

        if (!validate_device_count(v, at, subs->count, FIRST_AVAILABLE_MAX))
                return;
        for (uint32_t i = 0; i < subs->count; i++) {
                check_sub_request(v, ITEM(at, i), &subs->items[i]);
                names[i] = subs->items[i].name;
        }
        validate_device_unique(v, at, names, subs->count);
}

static void check_request(struct validation *v, const struct place *at,
                          const struct kube_resource_v1_device_request *r) {
        static const char one[] = "exactly one of `exactly` or `firstAvailable` is required";

        validate_name(v, FIELD(at, "name"), NAME_LABEL, r->name);
        if (r->exactly && r->first_available.count > 0)
                validate_invalid_json(v, at, "null", validate_text(v, "%s, but multiple fields are set", one));
        else if (r->exactly)
                check_wanted(v, FIELD(at, "exactly"), r->exactly);
        else if (r->first_available.count > 0)
                check_alternatives(v, FIELD(at, "firstAvailable"), &r->first_available);
        else
                validate_required(v, at, one);
}

static void check_requests(struct validation *v, const struct place *at,
                           const kube_resource_v1_device_request_items *requests) {
        const char *names[DEVICE_REQUESTS_MAX];

        if (!validate_device_count(v, at, requests->count, DEVICE_REQUESTS_MAX))
                return;
        for (uint32_t i = 0; i < requests->count; i++) {
                check_request(v, ITEM(at, i), &requests->items[i]);
                names[i] = requests->items[i].name;
        }
        validate_device_unique(v, at, names, requests->count);
}

/* --- what holds for several of them --- */

static void check_constraints(struct validation *v, const struct place *at,
                              const kube_resource_v1_device_constraint_items *constraints,
                              const struct validate_set *names) {
        if (!validate_device_count(v, at, constraints->count, CONSTRAINTS_MAX))
                return;
        for (uint32_t i = 0; i < constraints->count; i++) {
                const struct kube_resource_v1_device_constraint *c = &constraints->items[i];
                const struct place *here = ITEM(at, i);

                validate_device_request_refs(v, FIELD(here, "requests"), &c->requests, names);
                if (c->match_attribute)
                        validate_device_fully_qualified(v, FIELD(here, "matchAttribute"), c->match_attribute);
                else if (c->distinct_attribute)
                        validate_device_fully_qualified(v, FIELD(here, "distinctAttribute"), c->distinct_attribute);
                else
                        validate_required(v, here,
                                          "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, but "
                                          "multiple fields are set");
        }
}

static void check_spec(struct validation *v, const struct place *at,
                       const struct kube_resource_v1_resource_claim_spec *spec) {
        const struct place *devices = FIELD(at, "devices"), *config = FIELD(devices, "config");
        _cleanup_validate_set_ struct validate_set names = { 0 };

        validate_device_requests(v, spec, &names);
        check_requests(v, FIELD(devices, "requests"), &spec->devices.requests);
        check_constraints(v, FIELD(devices, "constraints"), &spec->devices.constraints, &names);
        if (!validate_device_count(v, config, spec->devices.config.count, DEVICE_CONFIGS_MAX))
                return;
        for (uint32_t i = 0; i < spec->devices.config.count; i++) {
                const struct kube_resource_v1_device_claim_configuration *c = &spec->devices.config.items[i];

                validate_device_request_refs(v, FIELD(ITEM(config, i), "requests"), &c->requests, &names);
                validate_device_config(v, ITEM(config, i), c->opaque, false);
        }
}

/* --- the kinds --- */

static void check_immutable(struct validation *v, const struct kube_type *type, const void *new, const void *old) {
        if (!validate_equal(type, new, old))
                validate_invalid_json(v, FIELD(NULL, "spec"), validate_go_json(v, type, new), VALIDATE_IMMUTABLE);
}

/* The first that wants it; alternatives cannot. The place is the same in a template. */
static void check_admin(struct validation *v, const kube_resource_v1_device_request_items *requests,
                        const char *namespace) {
        const struct place *at = FIELD(FIELD(FIELD(NULL, "spec"), "devices"), "requests");

        for (uint32_t i = 0; i < requests->count; i++)
                if (requests->items[i].exactly && requests->items[i].exactly->admin_access == TRI_TRUE) {
                        validate_device_admin(v, FIELD(ITEM(at, i), "adminAccess"), namespace);
                        return;
                }
}

/* Of one that changes the spec is not looked at: it is what it was. */
static void check_claim(struct validation *v, const void *object, const void *before) {
        const struct kube_resource_v1_resource_claim *new = object, *old = before;

        if (!old)
                check_admin(v, &new->spec.devices.requests, new->metadata.namespace);
        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        if (!old) {
                check_spec(v, FIELD(NULL, "spec"), &new->spec);
                return;
        }
        validate_meta_update(v, &new->metadata, &old->metadata);
        check_immutable(v, &kube_resource_v1_resource_claim_spec_type, &new->spec, &old->spec);
}

static void check_template(struct validation *v, const void *object, const void *before) {
        const struct kube_resource_v1_resource_claim_template *new = object, *old = before;
        const struct place *at = FIELD(NULL, "spec");

        if (!old)
                check_admin(v, &new->spec.spec.devices.requests, new->metadata.namespace);
        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        validate_template_meta(v, FIELD(at, "metadata"), &new->spec.metadata);
        check_spec(v, FIELD(at, "spec"), &new->spec.spec);
        if (!old)
                return;
        validate_meta_update(v, &new->metadata, &old->metadata);
        check_immutable(v, &kube_resource_v1_resource_claim_template_spec_type, &new->spec, &old->spec);
}

static const struct validate_sub claim_subs[] = { { "status", validate_device_claim_status }, { 0 } };

const struct validate_rules validate_device_claim_rules[] = {
        { "resource.k8s.io", "ResourceClaim", NAME_SUBDOMAIN, check_claim, check_claim, claim_subs },
        { "resource.k8s.io", "ResourceClaimTemplate", NAME_SUBDOMAIN, check_template, check_template, NULL },
        { 0 },
};
