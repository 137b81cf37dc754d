#include "kube/print/cells.h"
#include "lib/cleanup.h"

static const struct print_column role_binding_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Role", "string", 0, print_kind_and_name, "roleRef.kind roleRef.name", NULL,
                   "RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If "
                   "the RoleRef cannot be resolved, the Authorizer must return an error."),
        PRINT_AGE_COLUMN,
        PRINT_MADE("Users", "string", 1, print_subjects, "subjects", "User", "Users in the roleBinding"),
        PRINT_MADE("Groups", "string", 1, print_subjects, "subjects", "Group", "Groups in the roleBinding"),
        PRINT_MADE("ServiceAccounts", "string", 1, print_subjects, "subjects", "ServiceAccount",
                   "ServiceAccounts in the roleBinding"),
};

static const struct print_column cluster_role_binding_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Role", "string", 0, print_kind_and_name, "roleRef.kind roleRef.name", NULL,
                   "RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be "
                   "resolved, the Authorizer must return an error."),
        PRINT_AGE_COLUMN,
        PRINT_MADE("Users", "string", 1, print_subjects, "subjects", "User", "Users in the clusterRoleBinding"),
        PRINT_MADE("Groups", "string", 1, print_subjects, "subjects", "Group", "Groups in the clusterRoleBinding"),
        PRINT_MADE("ServiceAccounts", "string", 1, print_subjects, "subjects", "ServiceAccount",
                   "ServiceAccounts in the clusterRoleBinding"),
};

static const struct print_column certificate_signing_request_columns[] = {
        PRINT_NAME,
        PRINT_AGE_COLUMN,
        PRINT_FIELD("SignerName", "string", 0, PRINT_TEXT_SET, "spec.signerName", "<none>",
                    "Requested signer for the request. It is a qualified name in the form: `scope-hostname.io/name`. "
                    "If empty, it will be defaulted:\n 1. If it's a kubelet client certificate, it is assigned\n    "
                    "\"kubernetes.io/kube-apiserver-client-kubelet\".\n 2. If it's a kubelet serving certificate, it "
                    "is assigned\n    \"kubernetes.io/kubelet-serving\".\n 3. Otherwise, it is assigned "
                    "\"kubernetes.io/legacy-unknown\".\nDistribution of trust for signers happens out of band. You can "
                    "select on this field using `spec.signerName`."),
        PRINT_FIELD("Requestor", "string", 0, PRINT_TEXT, "spec.username", NULL, "Base64-encoded PKCS#10 CSR data"),
        PRINT_MADE(
                "RequestedDuration", "string", 0, print_request_duration, "spec.expirationSeconds", NULL,
                "expirationSeconds is the requested duration of validity of the issued certificate. The certificate "
                "signer may issue a certificate with a different validity duration so a client must check the delta "
                "between the notBefore and and notAfter fields in the issued certificate to determine the actual "
                "duration.\n\nThe v1.22+ in-tree implementations of the well-known Kubernetes signers will honor this "
                "field as long as the requested duration is not greater than the maximum duration they will honor per "
                "the --cluster-signing-duration CLI flag to the Kubernetes controller manager.\n\nCertificate signers "
                "may not honor this field for various reasons:\n\n  1. Old signer that is unaware of the field (such "
                "as the in-tree\n     implementations prior to v1.22)\n  2. Signer whose configured maximum is shorter "
                "than the requested duration\n  3. Signer whose configured minimum is longer than the requested "
                "duration\n\nThe minimum valid value for expirationSeconds is 600, i.e. 10 minutes."),
        PRINT_MADE("Condition", "string", 0, print_request_condition, "status.conditions.type status.certificate", NULL,
                   "Conditions applied to the request, such as approval or denial."),
};

static const struct print_column cluster_trust_bundle_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("SignerName", "string", 0, PRINT_TEXT_SET, "spec.signerName", "<none>",
                    "signerName indicates the associated signer, if any.\n\nIn order to create or update a "
                    "ClusterTrustBundle that sets signerName, you must have the following cluster-scoped permission: "
                    "group=certificates.k8s.io resource=signers resourceName=<the signer name> verb=attest.\n\nIf "
                    "signerName is not empty, then the ClusterTrustBundle object must be named with the signer name as "
                    "a prefix (translating slashes to colons). For example, for the signer name `example.com/foo`, "
                    "valid ClusterTrustBundle object names include `example.com:foo:abc` and "
                    "`example.com:foo:v1`.\n\nIf signerName is empty, then the ClusterTrustBundle object's name must "
                    "not have such a prefix.\n\nList/watch requests for ClusterTrustBundles can filter on this field "
                    "using a `spec.signerName=NAME` field selector."),
};

static const struct print_column pod_certificate_request_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("PodName", "string", 0, PRINT_TEXT, "spec.podName", NULL,
                    "podName is the name of the pod into which the certificate will be mounted."),
        PRINT_FIELD("ServiceAccountName", "string", 0, PRINT_TEXT, "spec.serviceAccountName", NULL,
                    "serviceAccountName is the name of the service account the pod is running as."),
        PRINT_FIELD("NodeName", "string", 0, PRINT_TEXT, "spec.nodeName", NULL,
                    "nodeName is the name of the node the pod is assigned to."),
        PRINT_FIELD("SignerName", "string", 0, PRINT_TEXT, "spec.signerName", NULL,
                    "signerName indicates the requested signer.\n\nAll signer names beginning with `kubernetes.io` are "
                    "reserved for use by the Kubernetes project.  There is currently one well-known signer documented "
                    "by the Kubernetes project, `kubernetes.io/kube-apiserver-client-pod`, which will issue client "
                    "certificates understood by kube-apiserver.  It is currently unimplemented."),
        PRINT_MADE("State", "string", 0, print_pod_certificate_state, "status.conditions.type", NULL,
                   "Is the request Pending, Issued, Denied, or Failed?"),
        PRINT_FIELD("UnverifiedUserAnnotations", "string", 0, PRINT_MAP, "spec.unverifiedUserAnnotations", NULL,
                    "unverifiedUserAnnotations allow pod authors to pass additional information to the signer "
                    "implementation.  Kubernetes does not restrict or validate this metadata in any way.\n\nEntries "
                    "are subject to the same validation as object metadata annotations, with the addition that all "
                    "keys must be domain-prefixed. No restrictions are placed on values, except an overall size "
                    "limitation on the entire field.\n\nSigners should document the keys and values they support.  "
                    "Signers should deny requests that contain keys they do not recognize."),
};

const struct print_kind print_access_kinds[] = {
        PRINT_KIND("rbac.authorization.k8s.io", "RoleBinding", role_binding_columns),
        PRINT_KIND("rbac.authorization.k8s.io", "ClusterRoleBinding", cluster_role_binding_columns),
        PRINT_KIND("certificates.k8s.io", "CertificateSigningRequest", certificate_signing_request_columns),
        PRINT_KIND("certificates.k8s.io", "ClusterTrustBundle", cluster_trust_bundle_columns),
        PRINT_KIND("certificates.k8s.io", "PodCertificateRequest", pod_certificate_request_columns),
        { .kind = NULL },
};
