/* Texts that are choices: what a field of a type may say. Kubernetes 1.36's, from the documents of kube-apiserver
 * (+enum in the types' comments); texts that an API may be given beyond them are not there. */
#include <stdlib.h>
#include <string.h>

#include "kube/openapi/internal.h"
#include "kube/type.h"
#include "lib/cleanup.h"

#define API "io.k8s.api."

/* By type, then by field. */
static const struct choice {
        const char *type, *field;
        const char *texts; /* commas between them; the first may be empty */
} choices[] = {
        { API "admissionregistration.v1.MatchResources", "matchPolicy", "Equivalent,Exact" },
        { API "admissionregistration.v1.MutatingAdmissionPolicySpec", "failurePolicy", "Fail,Ignore" },
        { API "admissionregistration.v1.MutatingAdmissionPolicySpec", "reinvocationPolicy", "IfNeeded,Never" },
        { API "admissionregistration.v1.MutatingWebhook", "failurePolicy", "Fail,Ignore" },
        { API "admissionregistration.v1.MutatingWebhook", "matchPolicy", "Equivalent,Exact" },
        { API "admissionregistration.v1.MutatingWebhook", "reinvocationPolicy", "IfNeeded,Never" },
        { API "admissionregistration.v1.MutatingWebhook", "sideEffects", "None,NoneOnDryRun,Some,Unknown" },
        { API "admissionregistration.v1.Mutation", "patchType", "ApplyConfiguration,JSONPatch" },
        { API "admissionregistration.v1.NamedRuleWithOperations", "operations", "*,CONNECT,CREATE,DELETE,UPDATE" },
        { API "admissionregistration.v1.NamedRuleWithOperations", "scope", "*,Cluster,Namespaced" },
        { API "admissionregistration.v1.RuleWithOperations", "operations", "*,CONNECT,CREATE,DELETE,UPDATE" },
        { API "admissionregistration.v1.RuleWithOperations", "scope", "*,Cluster,Namespaced" },
        { API "admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec", "validationActions", "Audit,Deny,Warn" },
        { API "admissionregistration.v1.ValidatingAdmissionPolicySpec", "failurePolicy", "Fail,Ignore" },
        { API "admissionregistration.v1.ValidatingWebhook", "failurePolicy", "Fail,Ignore" },
        { API "admissionregistration.v1.ValidatingWebhook", "matchPolicy", "Equivalent,Exact" },
        { API "admissionregistration.v1.ValidatingWebhook", "sideEffects", "None,NoneOnDryRun,Some,Unknown" },
        { API "apps.v1.DaemonSetUpdateStrategy", "type", "OnDelete,RollingUpdate" },
        { API "apps.v1.DeploymentStrategy", "type", "Recreate,RollingUpdate" },
        { API "apps.v1.StatefulSetSpec", "podManagementPolicy", "OrderedReady,Parallel" },
        { API "apps.v1.StatefulSetUpdateStrategy", "type", "OnDelete,RollingUpdate" },
        { API "batch.v1.CronJobSpec", "concurrencyPolicy", "Allow,Forbid,Replace" },
        { API "batch.v1.JobSpec", "completionMode", "Indexed,NonIndexed" },
        { API "batch.v1.JobSpec", "podReplacementPolicy", "Failed,TerminatingOrFailed" },
        { API "batch.v1.PodFailurePolicyOnExitCodesRequirement", "operator", "In,NotIn" },
        { API "batch.v1.PodFailurePolicyRule", "action", "Count,FailIndex,FailJob,Ignore" },
        { API "certificates.v1.CertificateSigningRequestSpec", "usages",
          "any,cert sign,client auth,code signing,content commitment,crl sign,data encipherment,decipher only,digital "
          "signature,email protection,encipher only,ipsec end system,ipsec tunnel,ipsec user,key agreement,key "
          "encipherment,microsoft sgc,netscape sgc,ocsp signing,s/mime,server auth,signing,timestamping" },
        { API "core.v1.AppArmorProfile", "type", "Localhost,RuntimeDefault,Unconfined" },
        { API "core.v1.AzureDiskVolumeSource", "cachingMode", "None,ReadOnly,ReadWrite" },
        { API "core.v1.AzureDiskVolumeSource", "kind", "Dedicated,Managed,Shared" },
        { API "core.v1.Container", "imagePullPolicy", "Always,IfNotPresent,Never" },
        { API "core.v1.Container", "terminationMessagePolicy", "FallbackToLogsOnError,File" },
        { API "core.v1.ContainerPort", "protocol", "SCTP,TCP,UDP" },
        { API "core.v1.ContainerStatus", "stopSignal",
          "SIGABRT,SIGALRM,SIGBUS,SIGCHLD,SIGCLD,SIGCONT,SIGFPE,SIGHUP,SIGILL,SIGINT,SIGIO,SIGIOT,SIGKILL,SIGPIPE,"
          "SIGPOLL,SIGPROF,SIGPWR,SIGQUIT,SIGRTMAX,SIGRTMAX-1,SIGRTMAX-10,SIGRTMAX-11,SIGRTMAX-12,SIGRTMAX-13,SIGRTMAX-"
          "14,SIGRTMAX-2,SIGRTMAX-3,SIGRTMAX-4,SIGRTMAX-5,SIGRTMAX-6,SIGRTMAX-7,SIGRTMAX-8,SIGRTMAX-9,SIGRTMIN,"
          "SIGRTMIN+1,SIGRTMIN+10,SIGRTMIN+11,SIGRTMIN+12,SIGRTMIN+13,SIGRTMIN+14,SIGRTMIN+15,SIGRTMIN+2,SIGRTMIN+3,"
          "SIGRTMIN+4,SIGRTMIN+5,SIGRTMIN+6,SIGRTMIN+7,SIGRTMIN+8,SIGRTMIN+9,SIGSEGV,SIGSTKFLT,SIGSTOP,SIGSYS,SIGTERM,"
          "SIGTRAP,SIGTSTP,SIGTTIN,SIGTTOU,SIGURG,SIGUSR1,SIGUSR2,SIGVTALRM,SIGWINCH,SIGXCPU,SIGXFSZ" },
        { API "core.v1.EndpointPort", "protocol", "SCTP,TCP,UDP" },
        { API "core.v1.EphemeralContainer", "imagePullPolicy", "Always,IfNotPresent,Never" },
        { API "core.v1.EphemeralContainer", "terminationMessagePolicy", "FallbackToLogsOnError,File" },
        { API "core.v1.HTTPGetAction", "scheme", "HTTP,HTTPS" },
        { API "core.v1.HostPathVolumeSource", "type",
          ",BlockDevice,CharDevice,Directory,DirectoryOrCreate,File,FileOrCreate,Socket" },
        { API "core.v1.ImageVolumeSource", "pullPolicy", "Always,IfNotPresent,Never" },
        { API "core.v1.Lifecycle", "stopSignal",
          "SIGABRT,SIGALRM,SIGBUS,SIGCHLD,SIGCLD,SIGCONT,SIGFPE,SIGHUP,SIGILL,SIGINT,SIGIO,SIGIOT,SIGKILL,SIGPIPE,"
          "SIGPOLL,SIGPROF,SIGPWR,SIGQUIT,SIGRTMAX,SIGRTMAX-1,SIGRTMAX-10,SIGRTMAX-11,SIGRTMAX-12,SIGRTMAX-13,SIGRTMAX-"
          "14,SIGRTMAX-2,SIGRTMAX-3,SIGRTMAX-4,SIGRTMAX-5,SIGRTMAX-6,SIGRTMAX-7,SIGRTMAX-8,SIGRTMAX-9,SIGRTMIN,"
          "SIGRTMIN+1,SIGRTMIN+10,SIGRTMIN+11,SIGRTMIN+12,SIGRTMIN+13,SIGRTMIN+14,SIGRTMIN+15,SIGRTMIN+2,SIGRTMIN+3,"
          "SIGRTMIN+4,SIGRTMIN+5,SIGRTMIN+6,SIGRTMIN+7,SIGRTMIN+8,SIGRTMIN+9,SIGSEGV,SIGSTKFLT,SIGSTOP,SIGSYS,SIGTERM,"
          "SIGTRAP,SIGTSTP,SIGTTIN,SIGTTOU,SIGURG,SIGUSR1,SIGUSR2,SIGVTALRM,SIGWINCH,SIGXCPU,SIGXFSZ" },
        { API "core.v1.ModifyVolumeStatus", "status", "InProgress,Infeasible,Pending" },
        { API "core.v1.NamespaceStatus", "phase", "Active,Terminating" },
        { API "core.v1.NodeSelectorRequirement", "operator", "DoesNotExist,Exists,Gt,In,Lt,NotIn" },
        { API "core.v1.NodeStatus", "phase", "Pending,Running,Terminated" },
        { API "core.v1.PersistentVolumeClaimSpec", "accessModes",
          "ReadOnlyMany,ReadWriteMany,ReadWriteOnce,ReadWriteOncePod" },
        { API "core.v1.PersistentVolumeClaimSpec", "volumeMode", "Block,Filesystem" },
        { API "core.v1.PersistentVolumeClaimStatus", "accessModes",
          "ReadOnlyMany,ReadWriteMany,ReadWriteOnce,ReadWriteOncePod" },
        { API "core.v1.PersistentVolumeClaimStatus", "allocatedResourceStatuses",
          "ControllerResizeInProgress,ControllerResizeInfeasible,NodeResizeInProgress,NodeResizeInfeasible,"
          "NodeResizePending" },
        { API "core.v1.PersistentVolumeClaimStatus", "phase", "Bound,Lost,Pending" },
        { API "core.v1.PersistentVolumeSpec", "accessModes",
          "ReadOnlyMany,ReadWriteMany,ReadWriteOnce,ReadWriteOncePod" },
        { API "core.v1.PersistentVolumeSpec", "persistentVolumeReclaimPolicy", "Delete,Recycle,Retain" },
        { API "core.v1.PersistentVolumeSpec", "volumeMode", "Block,Filesystem" },
        { API "core.v1.PersistentVolumeStatus", "phase", "Available,Bound,Failed,Pending,Released" },
        { API "core.v1.PodSecurityContext", "fsGroupChangePolicy", "Always,OnRootMismatch" },
        { API "core.v1.PodSecurityContext", "supplementalGroupsPolicy", "Merge,Strict" },
        { API "core.v1.PodSpec", "dnsPolicy", "ClusterFirst,ClusterFirstWithHostNet,Default,None" },
        { API "core.v1.PodSpec", "preemptionPolicy", "Never,PreemptLowerPriority" },
        { API "core.v1.PodSpec", "restartPolicy", "Always,Never,OnFailure" },
        { API "core.v1.PodStatus", "phase", "Failed,Pending,Running,Succeeded,Unknown" },
        { API "core.v1.PodStatus", "qosClass", "BestEffort,Burstable,Guaranteed" },
        { API "core.v1.PortStatus", "protocol", "SCTP,TCP,UDP" },
        { API "core.v1.ResourceQuotaSpec", "scopes",
          "BestEffort,CrossNamespacePodAffinity,NotBestEffort,NotTerminating,PriorityClass,Terminating,"
          "VolumeAttributesClass" },
        { API "core.v1.ScopedResourceSelectorRequirement", "operator", "DoesNotExist,Exists,In,NotIn" },
        { API "core.v1.ScopedResourceSelectorRequirement", "scopeName",
          "BestEffort,CrossNamespacePodAffinity,NotBestEffort,NotTerminating,PriorityClass,Terminating,"
          "VolumeAttributesClass" },
        { API "core.v1.SeccompProfile", "type", "Localhost,RuntimeDefault,Unconfined" },
        { API "core.v1.SecurityContext", "procMount", "Default,Unmasked" },
        { API "core.v1.ServicePort", "protocol", "SCTP,TCP,UDP" },
        { API "core.v1.ServiceSpec", "externalTrafficPolicy", "Cluster,Local" },
        { API "core.v1.ServiceSpec", "internalTrafficPolicy", "Cluster,Local" },
        { API "core.v1.ServiceSpec", "ipFamilies", ",IPv4,IPv6" },
        { API "core.v1.ServiceSpec", "ipFamilyPolicy", "PreferDualStack,RequireDualStack,SingleStack" },
        { API "core.v1.ServiceSpec", "sessionAffinity", "ClientIP,None" },
        { API "core.v1.ServiceSpec", "type", "ClusterIP,ExternalName,LoadBalancer,NodePort" },
        { API "core.v1.Taint", "effect", "NoExecute,NoSchedule,PreferNoSchedule" },
        { API "core.v1.Toleration", "effect", "NoExecute,NoSchedule,PreferNoSchedule" },
        { API "core.v1.Toleration", "operator", "Equal,Exists,Gt,Lt" },
        { API "core.v1.TopologySpreadConstraint", "nodeAffinityPolicy", "Honor,Ignore" },
        { API "core.v1.TopologySpreadConstraint", "nodeTaintsPolicy", "Honor,Ignore" },
        { API "core.v1.TopologySpreadConstraint", "whenUnsatisfiable", "DoNotSchedule,ScheduleAnyway" },
        { API "core.v1.VolumeMount", "mountPropagation", "Bidirectional,HostToContainer,None" },
        { API "discovery.v1.EndpointPort", "protocol", "SCTP,TCP,UDP" },
        { API "discovery.v1.EndpointSlice", "addressType", "FQDN,IPv4,IPv6" },
        { API "networking.v1.HTTPIngressPath", "pathType", "Exact,ImplementationSpecific,Prefix" },
        { API "networking.v1.IngressPortStatus", "protocol", "SCTP,TCP,UDP" },
        { API "networking.v1.NetworkPolicyPort", "protocol", "SCTP,TCP,UDP" },
        { API "networking.v1.NetworkPolicySpec", "policyTypes", "Egress,Ingress" },
        { API "policy.v1.PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy", "AlwaysAllow,IfHealthyBudget" },
        { API "resource.v1.DeviceAllocationConfiguration", "source", "FromClaim,FromClass" },
        { API "resource.v1.DeviceSubRequest", "allocationMode", "All,ExactCount" },
        { API "resource.v1.DeviceTaint", "effect", "NoExecute,NoSchedule,None" },
        { API "resource.v1.DeviceToleration", "effect", "NoExecute,NoSchedule,None" },
        { API "resource.v1.DeviceToleration", "operator", "Equal,Exists" },
        { API "resource.v1.ExactDeviceRequest", "allocationMode", "All,ExactCount" },
        { API "scheduling.v1.PriorityClass", "preemptionPolicy", "Never,PreemptLowerPriority" },
        { API "storage.v1.StorageClass", "reclaimPolicy", "Delete,Recycle,Retain" },
        { API "storage.v1.StorageClass", "volumeBindingMode", "Immediate,WaitForFirstConsumer" },
        { "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule", "reason",
          "FieldValueDuplicate,FieldValueForbidden,FieldValueInvalid,FieldValueRequired" },
};

static int order(const void *key, const void *row) {
        const struct choice *a = key, *b = row;

        return strcmp(a->type, b->type) ?: strcmp(a->field, b->field);
}

const char *openapi_choices(const struct kube_type *type, const struct kube_field *field) {
        const struct choice key = { .type = type->name, .field = field->name }, *found;

        if (field->element != KUBE_STRING)
                return NULL;
        found = bsearch(&key, choices, ELEMENTS(choices), sizeof(choices[0]), order);
        return found ? found->texts : NULL;
}
