/* The default roles and bindings as rows of words: facts, in the order in which kube-apiserver lists them. A blank
 * divides words; the core group is "core".
 */
#pragma once

/* A role begins with its RBAC_ROLE; its rules follow. */
struct rbac_default_row {
        const char *name; /* of an RBAC_ROLE; NULL: a rule of the one above */
        const char *namespace;
        const char *label;      /* rbac.authorization.k8s.io/LABEL is "true": it goes into others; "": none */
        const char *aggregates; /* the label of those that go into it; "": none, it has rules of its own */
        const char *verbs, *groups, *resources, *names, *paths;
};

#define RBAC_ROLE(namespace_, name_, label_, aggregates_)                                                              \
        { .namespace = (namespace_), .name = (name_), .label = (label_), .aggregates = (aggregates_) }
#define RBAC_RULE(verbs_, groups_, resources_)                                                                         \
        { .verbs = (verbs_), .groups = (groups_), .resources = (resources_) }
#define RBAC_NAMED(verbs_, groups_, resources_, names_)                                                                \
        { .verbs = (verbs_), .groups = (groups_), .resources = (resources_), .names = (names_) }
#define RBAC_PATHS(verbs_, paths_)                                                                                     \
        { .verbs = (verbs_), .paths = (paths_) }

struct rbac_default_binding {
        const char *namespace, *name;
        const char *kind, *role;
        const char *subjects; /* "Group/system:masters", "ServiceAccount/kube-system/job-controller" */
};

extern const struct rbac_default_row rbac_default_roles[], rbac_default_controllers[], rbac_default_local_roles[];
extern const unsigned rbac_default_roles_count, rbac_default_controllers_count, rbac_default_local_roles_count;
extern const struct rbac_default_binding rbac_default_bindings[];
extern const unsigned rbac_default_bindings_count;
