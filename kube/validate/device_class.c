/* DeviceClasses (k8s.io/kubernetes/pkg/apis/resource/validation, pkg/registry/resource/deviceclass). */
#include "kube/type.h"
#include "kube/validate/device.h"
#include "kube/validate/rules.h"
#include "kube/validate/validate.h"

static void check_class(struct validation *v, const void *object, const void *before) {
        const struct kube_resource_v1_device_class *new = object, *old = before;
        const struct place *at = FIELD(NULL, "spec"), *config = FIELD(at, "config");
        const char *name = new->spec.extended_resource_name;
        bool stored =
                old && validate_equal_field(&kube_resource_v1_device_class_spec_type, "config", &new->spec, &old->spec);

        validate_named_meta(v, &new->metadata, NAME_SUBDOMAIN_LONG);
        if (old)
                validate_meta_update(v, &new->metadata, &old->metadata);
        validate_device_selectors(v, FIELD(at, "selectors"), &new->spec.selectors);
        if (validate_device_count(v, config, new->spec.config.count, DEVICE_CONFIGS_MAX))
                for (uint32_t i = 0; i < new->spec.config.count; i++)
                        validate_device_config(v, ITEM(config, i), new->spec.config.items[i].opaque, stored);
        if (name && !validate_is_extended(name))
                validate_invalid(v, FIELD(at, "extendedResourceName"), name, "must be a valid extended resource name");
}

const struct validate_rules validate_device_class_rules[] = {
        { "resource.k8s.io", "DeviceClass", NAME_SUBDOMAIN, check_class, check_class, NULL },
        { 0 },
};
