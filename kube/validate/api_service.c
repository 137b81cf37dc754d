/* APIServices (k8s.io/kube-aggregator/pkg/apis/apiregistration/validation, pkg/registry/apiservice). */
#include <string.h>

#include "kube/apiregistration_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"

#define GROUP_PRIORITY_MAX 20000
#define VERSION_PRIORITY_MAX 1000
#define PORT_MAX 65535

typedef const struct kube_apiregistration_v1_api_service *service_ref;

/* It is called "version.group", and nothing else. */
static void check_name(struct validation *v, const struct place *at, const char *name, service_ref service) {
        const char *wanted = validate_text(v, "%s.%s", service->spec.version ?: "", service->spec.group ?: "");

        if (!name || !*name)
                return;
        if (name_problem(NAME_SEGMENT, name))
                validate_name(v, at, NAME_SEGMENT, name);
        else if (strcmp(name, wanted) != 0)
                validate_invalid(
                        v, at, name,
                        validate_text(v, "must be `spec.version+\".\"+spec.group`: %s", validate_quoted(v, wanted)));
}

static void check_priority(struct validation *v, const struct place *at, int32_t priority, int32_t max) {
        if (priority <= 0 || priority > max)
                validate_invalid_int(v, at, priority, validate_text(v, "must be positive and less than %d", max));
}

static void check_remote(struct validation *v, const struct place *at, service_ref service) {
        const struct kube_apiregistration_v1_service_reference *ref = service->spec.service;
        const struct place *below = FIELD(at, "service");

        if (!ref->namespace || !*ref->namespace)
                validate_required(v, FIELD(below, "namespace"), "");
        if (!ref->name || !*ref->name)
                validate_required(v, FIELD(below, "name"), "");
        if (ref->port.value < 1 || ref->port.value > PORT_MAX)
                validate_invalid_int(v, FIELD(below, "port"), ref->port.value,
                                     "port is not valid: must be between 1 and 65535, inclusive");
        if (service->spec.insecure_skip_tls_verify && service->spec.ca_bundle.length > 0)
                validate_invalid_bool(v, FIELD(at, "insecureSkipTLSVerify"), true,
                                      "may not be true if caBundle is present");
}

static void check_local(struct validation *v, const struct place *at, service_ref service) {
        if (service->spec.ca_bundle.length > 0)
                validate_invalid(v, FIELD(at, "caBundle"), validate_text(v, "%u bytes", service->spec.ca_bundle.length),
                                 "local APIServices may not have a caBundle");
        if (service->spec.insecure_skip_tls_verify)
                validate_invalid_bool(v, FIELD(at, "insecureSkipTLSVerify"), true,
                                      "local APIServices may not have insecureSkipTLSVerify");
}

static void check_service(struct validation *v, const void *object, const void *before) {
        service_ref new = object, old = before;
        const struct place *metadata = FIELD(NULL, "metadata"), *at = FIELD(NULL, "spec");
        bool core = !new->spec.group || !*new->spec.group;

        if (old)
                validate_plain_meta_update(v, &new->metadata, &old->metadata);
        check_name(v, FIELD(metadata, "generateName"), new->metadata.generate_name, new);
        check_name(v, FIELD(metadata, "name"), new->metadata.name, new);
        validate_plain_meta(v, &new->metadata, NAME_ANY);
        if (core && !kube_is(new->spec.version, "v1"))
                validate_required(v, FIELD(at, "group"),
                                  "only v1 may have an empty group and it better be legacy kube");
        if (!core)
                validate_name(v, FIELD(at, "group"), NAME_SUBDOMAIN, new->spec.group);
        validate_name(v, FIELD(at, "version"), NAME_LABEL_1035, new->spec.version);
        check_priority(v, FIELD(at, "groupPriorityMinimum"), new->spec.group_priority_minimum, GROUP_PRIORITY_MAX);
        check_priority(v, FIELD(at, "versionPriority"), new->spec.version_priority, VERSION_PRIORITY_MAX);
        if (new->spec.service)
                check_remote(v, at, new);
        else
                check_local(v, at, new);
}

static void check_status(struct validation *v, const void *object, const void *before) {
        static const char *const statuses[] = { "True", "False", "Unknown", NULL };
        service_ref new = object, old = before;
        const struct place *at = FIELD(FIELD(NULL, "status"), "conditions");

        validate_plain_meta_update(v, &new->metadata, &old->metadata);
        for (uint32_t i = 0; i < new->status.conditions.count; i++)
                validate_choice(v, FIELD(ITEM(at, i), "status"), new->status.conditions.items[i].status, statuses);
}

static const struct validate_sub subs[] = { { "status", check_status }, { 0 } };

const struct validate_rules validate_api_service_rules[] = {
        { "apiregistration.k8s.io", "APIService", NAME_ANY, check_service, check_service, subs },
        { 0 },
};
