/* Kinds of whose own fields nothing is asked yet: which names they may have. */
#include "kube/validate/rules.h"

#include <stddef.h>

#define NAMED(group, kind, rule)                                                                                       \
        { group, kind, rule, NULL, NULL, NULL }

const struct validate_rules validate_other_rules[] = {
        NAMED("rbac.authorization.k8s.io", "ClusterRole", NAME_SEGMENT),
        NAMED("rbac.authorization.k8s.io", "ClusterRoleBinding", NAME_SEGMENT),
        NAMED("rbac.authorization.k8s.io", "Role", NAME_SEGMENT),
        NAMED("rbac.authorization.k8s.io", "RoleBinding", NAME_SEGMENT),
        { 0 },
};
