/* What is told to who makes or changes an object that is taken (rest strategies' WarningsOnCreate and
 * WarningsOnUpdate): what is old, what nobody heeds, what is not what it looks like. For kube/validate alone.
 *
 * Rules are those of rules.h in form; they are asked when nothing is wrong. A row for each kind that has any, in
 * warnings.c.
 */
#pragma once

#include "kube/core_v1.h"
#include "kube/validate/common.h"

/* Rules that compare each with each stop behind so many comparisons. */
#define WARN_COMPARISONS_MAX (1u << 20)

/* utilvalidation.GetWarningsForIP, GetWarningsForCIDR: @text is not in the form in which it should be. */
void validate_warn_ip(struct validation *v, const struct place *at, const char *text);
void validate_warn_cidr(struct validation *v, const struct place *at, const char *text);

/* What a node's label is called today; NULL: it is not old. */
const char *validate_old_label(const char *key);
void validate_warn_selector(struct validation *v, const struct place *at, const struct kube_label_selector *selector);

/* @values: theirs are looked at as well. */
void validate_warn_term(struct validation *v, const struct place *at, const struct kube_node_selector_term *term,
                        bool values);

/* An amount of bytes that is not whole. */
void validate_warn_fraction(struct validation *v, const struct place *at, const resource_list *amounts,
                            const char *name);
void validate_warn_claim_spec(struct validation *v, const struct place *at,
                              const struct kube_persistent_volume_claim_spec *spec);

/* Sources of @volume, of @type, that are gone or going. */
void validate_warn_old_sources(struct validation *v, const struct place *at, const struct kube_type *type,
                               const void *volume);
void validate_warn_paths(struct validation *v, const struct kube_volume *volume);
void validate_warn_ports(struct validation *v, const struct place *at, const struct kube_pod_spec *spec);

/* A pod (@at NULL), or a template at @at. */
void validate_warn_pod(struct validation *v, const struct place *at, const struct kube_object_meta *meta,
                       const struct kube_pod_spec *spec);

/* Names of pods are made of it, @what says. */
void validate_warn_name(struct validation *v, const struct kube_object_meta *meta, const char *what);

/* For the table. */
void validate_warn_new_pod(struct validation *v, const void *object, const void *old);
void validate_warn_pod_status(struct validation *v, const void *object, const void *old);
void validate_warn_node(struct validation *v, const void *object, const void *old);
void validate_warn_volume(struct validation *v, const void *object, const void *old);
void validate_warn_claim(struct validation *v, const void *object, const void *old);
void validate_warn_quota(struct validation *v, const void *object, const void *old);
void validate_warn_secret(struct validation *v, const void *object, const void *old);
void validate_warn_account(struct validation *v, const void *object, const void *old);
void validate_warn_endpoints(struct validation *v, const void *object, const void *old);
void validate_warn_service(struct validation *v, const void *object, const void *old);
void validate_warn_service_status(struct validation *v, const void *object, const void *old);
void validate_warn_template_object(struct validation *v, const void *object, const void *old);
void validate_warn_controller(struct validation *v, const void *object, const void *old);
void validate_warn_deployment(struct validation *v, const void *object, const void *old);
void validate_warn_replica_set(struct validation *v, const void *object, const void *old);
void validate_warn_daemon_set(struct validation *v, const void *object, const void *old);
void validate_warn_stateful_set(struct validation *v, const void *object, const void *old);
void validate_warn_job(struct validation *v, const void *object, const void *old);
void validate_warn_cron_job(struct validation *v, const void *object, const void *old);
void validate_warn_slice(struct validation *v, const void *object, const void *old);
void validate_warn_ingress(struct validation *v, const void *object, const void *old);
void validate_warn_ingress_status(struct validation *v, const void *object, const void *old);
void validate_warn_network_policy(struct validation *v, const void *object, const void *old);
void validate_warn_runtime_class(struct validation *v, const void *object, const void *old);
void validate_warn_csi_driver(struct validation *v, const void *object, const void *old);
void validate_warn_capacity(struct validation *v, const void *object, const void *old);
void validate_warn_storage_class(struct validation *v, const void *object, const void *old);
void validate_warn_resource_slice(struct validation *v, const void *object, const void *old);

/* Asks what the kind's row says; @sub NULL: the object itself. */
struct kube_kind;
void validate_warn_of(struct validation *v, const struct kube_kind *kind, const char *sub, const void *object,
                      const void *old);
