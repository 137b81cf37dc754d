/* The Roles of kube-system and kube-public. */
#include "api/rbac/default_rows.h"

const struct rbac_default_row rbac_default_local_roles[] = {
        RBAC_ROLE("kube-public", "system:controller:bootstrap-signer", "", ""),
        RBAC_RULE("get list watch", "core", "configmaps"),
        RBAC_NAMED("update", "core", "configmaps", "cluster-info"),
        RBAC_RULE("create patch update", "core events.k8s.io", "events"),
        RBAC_ROLE("kube-system", "extension-apiserver-authentication-reader", "", ""),
        RBAC_NAMED("get list watch", "core", "configmaps", "extension-apiserver-authentication"),
        RBAC_ROLE("kube-system", "system::leader-locking-kube-controller-manager", "", ""),
        RBAC_RULE("create get list update watch", "coordination.k8s.io", "leases"),
        RBAC_RULE("create get list update watch", "coordination.k8s.io", "leasecandidates"),
        RBAC_ROLE("kube-system", "system::leader-locking-kube-scheduler", "", ""),
        RBAC_RULE("create get list update watch", "coordination.k8s.io", "leases"),
        RBAC_RULE("create get list update watch", "coordination.k8s.io", "leasecandidates"),
        RBAC_ROLE("kube-system", "system:controller:bootstrap-signer", "", ""),
        RBAC_RULE("get list watch", "core", "secrets"),
        RBAC_ROLE("kube-system", "system:controller:cloud-provider", "", ""),
        RBAC_RULE("create get list watch", "core", "configmaps"),
        RBAC_ROLE("kube-system", "system:controller:token-cleaner", "", ""),
        RBAC_RULE("delete get list watch", "core", "secrets"),
        RBAC_RULE("create patch update", "core events.k8s.io", "events"),
};
const unsigned rbac_default_local_roles_count = sizeof(rbac_default_local_roles) / sizeof(rbac_default_local_roles[0]);
