/* Amounts of resources: which names and which values they may have. For kube/validate alone. */
#pragma once

#include "kube/core_v1.h"
#include "kube/validate/common.h"

bool validate_is_native(const char *name);
bool validate_is_huge_page(const char *name);

/* An amount of it may be shared out more than once. */
bool validate_is_overcommit(const char *name);

/* The amount is a number of whole pages. */
bool validate_is_divisible(const char *name, struct quantity amount);

typedef void (*validate_resource_name_rule)(struct validation *v, const struct place *at, const char *name);

/* Of anything; of a container; of a whole pod; of a quota. */
void validate_resource_name(struct validation *v, const struct place *at, const char *name);
void validate_container_resource(struct validation *v, const struct place *at, const char *name);
void validate_pod_resource(struct validation *v, const struct place *at, const char *name);
void validate_quota_resource(struct validation *v, const struct place *at, const char *name);
bool validate_is_quota_resource(const char *name);

/* Not negative, and whole where only whole ones are. */
void validate_amount(struct validation *v, const struct place *at, const char *name, struct quantity amount);

struct validate_requirements {
        validate_resource_name_rule name;
        const struct validate_set *claims; /* the pod's; NULL: none */
        bool indivisible;                  /* huge pages may be anything */
};

void validate_requirements(struct validation *v, const struct place *at, const struct kube_resource_requirements *r,
                           const struct validate_requirements *rules);
