/* What the rules of a pod's parts go by. For kube/validate's pod files alone. */
#pragma once

#include "kube/validate/pod.h"
#include "kube/validate/resources.h"

/* What was taken before is taken on, though it is refused today (PodValidationOptions). */
struct pod_options {
        bool any_deletion_cost;
        bool any_affinity_value;      /* of label selectors in pod affinity */
        bool any_node_affinity_value; /* of required node affinity */
        bool any_spread_selector;
        bool any_spread_keys;
        bool any_token_path; /* of a projected token */
        bool host_sysctls;
        bool indivisible_pages;
        bool init_restarts; /* init containers that a resize restarts */
        bool user_namespace_devices;
        bool user_namespace_network;
        bool compared_tolerations; /* Lt, Gt */
        bool any_label_change;     /* of SELinux: MountOption too */
};

struct pod_case {
        const struct kube_pod_spec *spec;
        const struct kube_object_meta *meta; /* NULL: of a template, which names no pod */
        struct pod_options options;
        bool is_pod;
        bool host_users;
        struct validate_set volumes, claims; /* the names of those that are as they should be */
        const struct kube_volume **known;    /* the volumes of @volumes, by their number there */
};

/* The options for what comes after @old and @old_meta; NULL: nothing was there. */
struct pod_options validate_pod_options(struct validation *v, const struct kube_pod_spec *old,
                                        const struct kube_object_meta *old_meta);

/* Metadata and spec of a pod, new or not. */
void validate_pod_whole(struct validation *v, const struct kube_object_meta *meta, const struct kube_pod_spec *spec,
                        const struct pod_options *options);

/* Annotations of a pod, and how they may change. */
void validate_annotation_changes(struct validation *v, const struct kube_pod *pod, const struct kube_pod *old,
                                 const struct pod_options *options);

/* What Go's json.Unmarshal() into a list says of @text. */
const char *validate_list_problem(struct validation *v, const char *text);

/* The volume of that name that is as it should be; NULL when there is none. */
const struct kube_volume *validate_known_volume(const struct pod_case *c, const char *name);

void validate_pod_spec(struct validation *v, const struct place *at, struct pod_case *c);
void validate_volumes(struct validation *v, const struct place *at, struct pod_case *c);
void validate_other_source(struct validation *v, const struct place *at, const struct kube_volume *volume,
                           const char *name);
void validate_projected(struct validation *v, const struct place *at, const struct kube_projected_volume_source *source,
                        const struct pod_case *c);
void validate_containers(struct validation *v, const struct place *at, struct pod_case *c);
void validate_init_containers(struct validation *v, const struct place *at, struct pod_case *c);
void validate_ephemeral_containers(struct validation *v, const struct place *at, struct pod_case *c);
void validate_image_blanks(struct validation *v, const struct place *at, const struct kube_container *container);
void validate_env(struct validation *v, const struct place *at, const struct kube_container *container);
void validate_field_ref(struct validation *v, const struct place *at, const struct kube_object_field_selector *ref,
                        bool volume);
void validate_resource_ref(struct validation *v, const struct place *at, const struct kube_resource_field_selector *ref,
                           bool volume);
void validate_mounts(struct validation *v, const struct place *at, const struct kube_container *container,
                     const struct pod_case *c);
void validate_probes(struct validation *v, const struct place *at, const struct kube_container *container,
                     const struct pod_case *c);
void validate_mode(struct validation *v, const struct place *at, const struct opt_int *mode);
void validate_file_path(struct validation *v, const struct place *at, const char *path);
void validate_key_path(struct validation *v, const struct place *at, const struct kube_key_to_path *item);
void validate_downward_file(struct validation *v, const struct place *at,
                            const struct kube_downward_api_volume_file *file);
void validate_pull_policy(struct validation *v, const struct place *at, const char *policy);
void validate_security(struct validation *v, const struct place *at, const struct kube_security_context *s,
                       bool host_users);
void validate_pod_security(struct validation *v, const struct place *at, const struct pod_case *c);
void validate_os(struct validation *v, const struct place *at, const struct kube_pod_spec *spec);
void validate_host_process(struct validation *v, const struct place *at, const struct kube_pod_spec *spec);
bool validate_is_host_sysctl(const struct kube_pod_spec *spec, const char *name);
void validate_affinity(struct validation *v, const struct place *at, const struct pod_case *c);
void validate_spread(struct validation *v, const struct place *at, const struct pod_case *c);
void validate_match_keys(struct validation *v, const struct place *at, const string_list *match,
                         const string_list *mismatch, const struct kube_label_selector *selector);
void validate_pod_resources(struct validation *v, const struct place *at, const struct pod_case *c);
void validate_pod_annotations(struct validation *v, const struct place *at, const string_map *annotations,
                              const struct pod_case *c);
void validate_profiles_agree(struct validation *v, const struct place *at, const string_map *annotations,
                             const struct kube_pod_spec *spec);
bool validate_is_token_path(const char *path);
bool validate_is_deletion_cost(const string_map *annotations);

/* @none is what is said when there are none. */
void validate_access_modes(struct validation *v, const struct place *at, const string_list *modes, const char *none);

/* Calls @visit with each container: init ones, then the others, then ephemeral ones. */
struct container_visit {
        const char *list; /* "initContainers" */
        uint32_t index;
        const struct kube_container *container;
};
bool validate_next_container(const struct kube_pod_spec *spec, struct container_visit *visit);
#define VISIT_PLACE(at, visit) ITEM(FIELD(at, (visit)->list), (visit)->index)

#define POD_TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })
