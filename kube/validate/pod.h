/* Rules of pods and of what makes them, for kube/validate and for who reads pods from files (kube/check): it links none
 * of the tables of kinds. */
#pragma once

#include "kube/core_v1.h"
#include "kube/validate/common.h"

/* A template at @at ("spec.template"). @old is what stood there before, NULL: nothing did; what was taken then is taken
 * on. */
void validate_pod_template(struct validation *v, const struct place *at, const struct kube_pod_template_spec *template,
                           const struct kube_pod_template_spec *old);

/* A pod that is made: metadata and spec. */
void validate_new_pod(struct validation *v, const struct kube_object_meta *meta, const struct kube_pod_spec *spec);

/* Rules for the rows of kind Pod. */
void validate_pod(struct validation *v, const void *object, const void *old);
void validate_pod_update(struct validation *v, const void *object, const void *old);
void validate_pod_status(struct validation *v, const void *object, const void *old);
void validate_pod_ephemeral(struct validation *v, const void *object, const void *old);
void validate_pod_resize(struct validation *v, const void *object, const void *old);

/* A claim's spec; @old NULL: none was there. The same of a template for claims, metadata included. */
void validate_claim_spec(struct validation *v, const struct place *at,
                         const struct kube_persistent_volume_claim_spec *spec,
                         const struct kube_persistent_volume_claim_spec *old);
void validate_claim_template(struct validation *v, const struct place *at,
                             const struct kube_persistent_volume_claim_template *template);

/* Parts that other kinds have as well. */
void validate_tolerations(struct validation *v, const struct place *at, const kube_toleration_items *tolerations);
void validate_node_selector(struct validation *v, const struct place *at, const struct kube_node_selector *selector,
                            bool any_value);
void validate_preemption_policy(struct validation *v, const struct place *at, const char *policy);
void validate_driver_name(struct validation *v, const struct place *at, const char *name);
void validate_signer_name(struct validation *v, const struct place *at, const char *name);
void validate_port_or_name(struct validation *v, const struct place *at, const struct int_or_string *port);
