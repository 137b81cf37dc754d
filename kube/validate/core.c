/* core/v1, and the events that are of another group as well: which kind has which rules, and those of the small ones.
 */
#include "kube/validate/core.h"

#include <string.h>

#include "kube/core_v1.h"
#include "kube/validate/common.h"
#include "kube/validate/pod.h"
#include "kube/validate/rules.h"

static const struct place spec = { .name = "spec" }, status = { .name = "status" };

/* --- ServiceAccount --- */

static void check_service_account(struct validation *v, const void *object, const void *old_object) {
        const struct kube_service_account *account = object, *old = old_object;

        if (old)
                validate_meta_update(v, &account->metadata, &old->metadata);
        validate_meta(v, &account->metadata, NAME_SUBDOMAIN);
}

/* --- Namespace --- */

static void check_finalizer(struct validation *v, const struct place *at, const char *name) {
        static const char *const standard[] = { "foregroundDeletion", "kubernetes", "orphan", NULL };

        validate_name(v, at, NAME_QUALIFIED, name);
        if (!strchr(name ?: "", '/') && !validate_is_one(name, standard))
                validate_invalid(v, at, name, "name is neither a standard finalizer name nor is it fully qualified");
}

static void check_namespace(struct validation *v, const void *object, const void *old) {
        const struct kube_namespace *namespace = object;

        validate_meta(v, &namespace->metadata, NAME_LABEL);
        list_for_each (finalizer, &namespace->spec.finalizers)
                check_finalizer(v, FIELD(&spec, "finalizers"), *finalizer);
}

static void check_namespace_update(struct validation *v, const void *object, const void *old_object) {
        const struct kube_namespace *namespace = object, *old = old_object;

        check_namespace(v, namespace, NULL);
        validate_meta_update(v, &namespace->metadata, &old->metadata);
}

static void check_namespace_status(struct validation *v, const void *object, const void *old_object) {
        const struct kube_namespace *namespace = object, *old = old_object;
        bool going = namespace->metadata.deletion_timestamp.set;

        validate_meta_update(v, &namespace->metadata, &old->metadata);
        if (!kube_is(namespace->status.phase, going ? "Terminating" : "Active"))
                validate_invalid_word(v, FIELD(&status, "Phase"), namespace->status.phase,
                                      going ? "may only be 'Terminating' if `deletionTimestamp` is not empty" :
                                              "may only be 'Active' if `deletionTimestamp` is empty");
}

static void check_namespace_finalize(struct validation *v, const void *object, const void *old_object) {
        const struct kube_namespace *namespace = object, *old = old_object;

        validate_meta_update(v, &namespace->metadata, &old->metadata);
        for (uint32_t i = 0; i < namespace->spec.finalizers.count; i++)
                check_finalizer(v, ITEM(FIELD(&spec, "finalizers"), i), namespace->spec.finalizers.items[i]);
}

static const struct validate_sub namespace_subs[] = {
        { "status", check_namespace_status },
        { "finalize", check_namespace_finalize },
        { 0 },
};

static const struct validate_sub service_subs[] = { { "status", validate_service_status }, { 0 } };

static const struct validate_sub pod_subs[] = {
        { "status", validate_pod_status },
        { "ephemeralcontainers", validate_pod_ephemeral },
        { "resize", validate_pod_resize },
        { 0 },
};

static const struct validate_sub claim_subs[] = { { "status", validate_claim_status }, { 0 } };
static const struct validate_sub volume_subs[] = { { "status", validate_volume_status }, { 0 } };
static const struct validate_sub node_subs[] = { { "status", validate_node_status }, { 0 } };
static const struct validate_sub controller_subs[] = { { "status", validate_controller_status }, { 0 } };
static const struct validate_sub quota_subs[] = { { "status", validate_quota_status }, { 0 } };

/* Rules that know by themselves whether there was something before. */
#define BOTH(rule) (rule), (rule)

const struct validate_rules validate_core_rules[] = {
        { "", "ConfigMap", NAME_SUBDOMAIN, BOTH(validate_config_map), NULL },
        { "", "Endpoints", NAME_SUBDOMAIN, BOTH(validate_endpoints), NULL },
        { "", "Event", NAME_SUBDOMAIN, BOTH(validate_event), NULL },
        { "", "LimitRange", NAME_SUBDOMAIN, BOTH(validate_limit_range), NULL },
        { "", "Namespace", NAME_LABEL, check_namespace, check_namespace_update, namespace_subs },
        { "", "Node", NAME_SUBDOMAIN, BOTH(validate_node), node_subs },
        { "", "PersistentVolume", NAME_SUBDOMAIN, BOTH(validate_volume), volume_subs },
        { "", "PersistentVolumeClaim", NAME_SUBDOMAIN, BOTH(validate_claim), claim_subs },
        { "", "Pod", NAME_SUBDOMAIN, validate_pod, validate_pod_update, pod_subs },
        { "", "PodTemplate", NAME_SUBDOMAIN, BOTH(validate_template_object), NULL },
        { "", "ReplicationController", NAME_SUBDOMAIN, BOTH(validate_controller), controller_subs },
        { "", "ResourceQuota", NAME_SUBDOMAIN, BOTH(validate_quota), quota_subs },
        { "", "Secret", NAME_SUBDOMAIN, BOTH(validate_secret), NULL },
        { "", "Service", NAME_LABEL, BOTH(validate_service), service_subs },
        { "", "ServiceAccount", NAME_SUBDOMAIN, BOTH(check_service_account), NULL },
        { "events.k8s.io", "Event", NAME_SUBDOMAIN, BOTH(validate_events_event), NULL },
        { 0 },
};
