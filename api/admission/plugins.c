/* The table of plugins, and which of them are on. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "api/admission/admission.h"
#include "api/admission/builtin.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/nearest.h"

#define CREATE ADMISSION_CREATE
#define UPDATE ADMISSION_UPDATE
#define DELETE ADMISSION_DELETE

#define WORKLOADS                                                                                                      \
        "pods pods/ephemeralcontainers pods/resize replicationcontrollers podtemplates replicasets.apps "              \
        "deployments.apps statefulsets.apps daemonsets.apps jobs.batch cronjobs.batch"

const struct admission_plugin admission_plugins[] = {
        { "NamespaceLifecycle", false, CREATE | DELETE, NULL, admission_namespace, NULL },
        { "LimitRanger", false, CREATE | UPDATE, "pods pods/resize persistentvolumeclaims", admission_default_limits,
          admission_check_limits },
        { "ServiceAccount", false, CREATE | UPDATE, "pods pods/ephemeralcontainers", admission_give_account,
          admission_check_account },
        { "NodeRestriction", false, CREATE | UPDATE | DELETE, NULL, admission_node, NULL },
        { "TaintNodesByCondition", false, CREATE, "nodes", admission_taint_node, NULL },
        { "PodSecurity", false, CREATE | UPDATE, "namespaces " WORKLOADS, NULL, admission_pod_security },
        { "Priority", false, CREATE | UPDATE, "pods priorityclasses.scheduling.k8s.io", admission_give_priority,
          admission_check_priority },
        { "DefaultTolerationSeconds", false, CREATE | UPDATE, "pods", admission_tolerate, NULL },
        { "ExtendedResourceToleration", true, CREATE | UPDATE, "pods", admission_tolerate_extended, NULL },
        { "DefaultStorageClass", false, CREATE, "persistentvolumeclaims", admission_storage_class, NULL },
        { "StorageObjectInUseProtection", false, CREATE,
          "persistentvolumes persistentvolumeclaims volumeattributesclasses.storage.k8s.io", admission_protect, NULL },
        { "OwnerReferencesPermissionEnforcement", true, CREATE | UPDATE, NULL, NULL, admission_owners },
        { "PersistentVolumeClaimResize", false, UPDATE, "persistentvolumeclaims", NULL, admission_resize_claim },
        { "RuntimeClass", false, CREATE, "pods", admission_give_runtime, admission_check_runtime },
        { "CertificateApproval", false, UPDATE, "certificatesigningrequests.certificates.k8s.io/approval", NULL,
          admission_approve },
        { "CertificateSigning", false, UPDATE, "certificatesigningrequests.certificates.k8s.io/status", NULL,
          admission_sign },
        { "ClusterTrustBundleAttest", false, CREATE | UPDATE, "clustertrustbundles.certificates.k8s.io", NULL,
          admission_attest },
        { "CertificateSubjectRestriction", false, CREATE, "certificatesigningrequests.certificates.k8s.io", NULL,
          admission_subject },
        { "DefaultIngressClass", false, CREATE, "ingresses.networking.k8s.io", admission_ingress_class, NULL },
        { "DenyServiceExternalIPs", true, CREATE | UPDATE, "services", NULL, admission_external_ips },
        { "PodTopologyLabels", false, CREATE, "pods", admission_topology, NULL },
        { "PodResizeValidator", false, UPDATE, "pods/resize", NULL, admission_resize_pod },
        /* Webhooks and policies come here. */
        { "ResourceQuota", false, CREATE | UPDATE, NULL, NULL, admission_charge_quota },
};

const size_t admission_plugins_count = ELEMENTS(admission_plugins);
static_assert(ELEMENTS(admission_plugins) <= ADMISSION_PLUGINS_MAX, "a plugin has a bit of 64");

/* --- what a plugin looks at --- */

/* Whether the @length bytes at @word are @text; @rest is behind it. */
static bool takes(const char **word, const char *end, const char *text) {
        size_t n = strlen(text);

        if ((size_t)(end - *word) < n || memcmp(*word, text, n) != 0)
                return false;
        *word += n;
        return true;
}

/* "RESOURCE[.GROUP][/SUBRESOURCE]" */
static bool is_word(const char *word, const char *end, const char *group, const char *resource, const char *sub) {
        if (!takes(&word, end, resource) || (*group && (!takes(&word, end, ".") || !takes(&word, end, group))))
                return false;
        if (sub && (!takes(&word, end, "/") || !takes(&word, end, sub)))
                return false;
        return word == end;
}

bool admission_covers(const char *resources, const char *group, const char *resource, const char *sub) {
        const char *word = resources, *end;

        if (!resources)
                return true;
        for (; *word; word = *end ? end + 1 : end) {
                end = strchrnul(word, ' ');
                if (is_word(word, end, group, resource, sub))
                        return true;
        }
        return false;
}

/* --- which are on --- */

/* What kube-apiserver has beside these; to name them changes nothing. */
static const char *const others[] = {
        "AlwaysAdmit",
        "AlwaysDeny",
        "AlwaysPullImages",
        "EventRateLimit",
        "ImagePolicyWebhook",
        "JobValidation",
        "LimitPodHardAntiAffinityTopology",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionWebhook",
        "NamespaceAutoProvision",
        "NamespaceExists",
        "NodeDeclaredFeatureValidator",
        "PodGroupProtection",
        "PodGroupWorkloadExists",
        "PodNodeSelector",
        "PodTolerationRestriction",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionWebhook",
};

static bool is_other(const char *name, size_t length) {
        for (size_t i = 0; i < ELEMENTS(others); i++)
                if (strlen(others[i]) == length && memcmp(others[i], name, length) == 0)
                        return true;
        return false;
}

static int find(const char *name, size_t length) {
        for (size_t i = 0; i < ELEMENTS(admission_plugins); i++)
                if (strlen(admission_plugins[i].name) == length && memcmp(admission_plugins[i].name, name, length) == 0)
                        return (int)i;
        return -ENOENT;
}

bool admission_is_on(uint64_t on, const char *name) {
        int i = find(name, strlen(name));

        return i >= 0 && on >> i & 1;
}

static int unknown(const char *flag, const char *name, size_t length, struct err **err) {
        char text[128];
        struct nearest nearest;

        snprintf(text, sizeof(text), "%.*s", (int)length, name);
        nearest = nearest_to(text);
        for (size_t i = 0; i < ELEMENTS(admission_plugins); i++)
                nearest_try(&nearest, admission_plugins[i].name);
        return err_set(err, EINVAL, "--%s: there is no plugin %s%s%s%s", flag, text,
                       nearest.name ? "; did you mean " : "", nearest.name ?: "", nearest.name ? "?" : "");
}

/* The bits of the plugins in @list, names divided by commas. A name that kube-apiserver alone has can be switched off,
 * which it is, and not on. */
static int read_names(const char *flag, const char *list, bool others_too, uint64_t *ret_bits, struct err **err) {
        uint64_t bits = 0;

        for (const char *name = list ?: "", *end; *name; name = *end ? end + 1 : end) {
                size_t length = (size_t)((end = strchrnul(name, ',')) - name);
                int i = find(name, length);

                if (i < 0 && !(others_too && is_other(name, length)))
                        return is_other(name, length) ? err_set(err, EINVAL, "--%s: %.*s is not supported yet", flag,
                                                                (int)length, name) :
                                                        unknown(flag, name, length, err);
                if (i >= 0)
                        bits |= (uint64_t)1 << i;
        }
        *ret_bits = bits;
        return 0;
}

int admission_choose(const struct api_admission_config *config, uint64_t *ret_on, struct err **err) {
        uint64_t on = 0, more, less;
        int r;

        for (size_t i = 0; i < ELEMENTS(admission_plugins); i++)
                on |= (uint64_t)!admission_plugins[i].off << i;
        if ((r = read_names("enable-admission-plugins", config->enable, false, &more, err)) < 0 ||
            (r = read_names("disable-admission-plugins", config->disable, true, &less, err)) < 0)
                return r;
        if (more & less)
                return err_set(err, EINVAL,
                               "--enable-admission-plugins and --disable-admission-plugins name the same plugin");
        *ret_on = (on | more) & ~less;
        return 0;
}
