/* Validation's own tools: where in the object one is, and the API's kinds of error. */
#pragma once

#include "kube/names.h"
#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "lib/trail.h"

/* Goes down to a child (".name", "[0]") by TRAIL_ENTER(). */
struct check {
        const struct pod *pod;
        struct problems *problems;
        char path[FIELD_PATH_MAX];
        size_t length;
};

/* Errors at @child of where one is (".image"; "" for the place itself). @detail may be empty. */
void check_required(struct check *c, const char *child, const char *detail);
void check_forbidden(struct check *c, const char *child, const char *detail);
void check_invalid(struct check *c, const char *child, const char *value, const char *detail);
void check_invalid_int(struct check *c, const char *child, int64_t value, const char *detail);
void check_duplicate(struct check *c, const char *child, const char *value);
void check_not_found(struct check *c, const char *child, const char *value);
void check_unsupported(struct check *c, const char *child, const char *value, const char *const *supported);

/* @value is one of @supported, in the order of the alphabet, or NULL. */
void check_choice(struct check *c, const char *child, const char *value, const char *const *supported);

/* A warning where a field that has no effect here is @given. */
void check_no_effect(struct check *c, const char *child, const void *given);

/* @name is there and follows @rule. */
void check_name(struct check *c, const char *child, enum name_rule rule, const char *name);

/* @name, if there, follows @rule. */
void check_name_if(struct check *c, const char *child, enum name_rule rule, const char *name);

void check_labels(struct check *c, const char *child, const string_map *labels);
void check_not_negative(struct check *c, const char *child, int64_t value);
void check_id(struct check *c, const char *child, const struct opt_int *id);
void check_ip(struct check *c, const char *child, const char *address);

/* The path has no ".." among its parts; relative: it does not begin with "/" either. */
void check_no_backsteps(struct check *c, const char *child, const char *path);
void check_relative(struct check *c, const char *child, const char *path);

/* The parts of a pod, each in its own file. */
void check_volumes(struct check *c);
void check_other_volume(struct check *c, const struct kube_volume *volume, const struct kube_field *kind);
void check_affinity(struct check *c);
void check_metadata(struct check *c);
void check_containers(struct check *c);
void check_env(struct check *c, const struct kube_container *container);
void check_field_ref(struct check *c, const struct kube_object_field_selector *ref, bool volume);
void check_resource_ref(struct check *c, const struct kube_resource_field_selector *ref, bool volume);
void check_resources(struct check *c, const struct kube_resource_requirements *resources, bool pod_level);
void check_pod_resources(struct check *c);
void check_container_security(struct check *c, const struct kube_security_context *security);
void check_pod_security(struct check *c);

/* "Always" and so on; they end with NULL. */
extern const char *const check_pull_policies[], *const check_restart_policies[];

/* The pod has a volume of that name. */
bool check_has_volume(const struct check *c, const char *name);
