/* What the kinds of resource.k8s.io have in common: names of drivers, pools and devices, requests and references to
 * them, what is configured, taints (k8s.io/kubernetes/pkg/apis/resource/validation). For kube/validate's device files
 * alone.
 *
 * A bound that is exceeded is all that is said of a list: what is in it is not looked at. Expressions in CEL are
 * measured, not compiled.
 */
#pragma once

#include "kube/resource_v1.h"
#include "kube/validate/common.h"

#define DEVICE_REQUESTS_MAX 32 /* allocation results, too */
#define DEVICE_CONFIGS_MAX 32
#define DEVICE_SELECTORS_MAX 32
#define DEVICE_RAW_BYTES_MAX (10 * 1024) /* of what a driver is told, or tells */

/* Whether a list has no more than @max; an error where it has. */
bool validate_device_count(struct validation *v, const struct place *at, uint32_t count, int max);

/* The @n @keys, NULL being "": an error for each that stood there before. */
void validate_device_unique(struct validation *v, const struct place *at, const char *const *keys, uint32_t n);

/* The same of a list of texts. */
void validate_device_unique_texts(struct validation *v, const struct place *at, const string_list *texts);

/* The @n counters of a set, or of what a device takes of one: at least one. */
void validate_device_counters(struct validation *v, const struct place *at,
                              const struct kube_resource_v1_counter_entry *counters, uint32_t n);

void validate_pool_name(struct validation *v, const struct place *at, const char *name);

/* "name" or "example.com/name"; the second, which says so where it is the first. */
void validate_device_qualified(struct validation *v, const struct place *at, const char *name);
void validate_device_fully_qualified(struct validation *v, const struct place *at, const char *name);

/* A share's: RFC 4122, in lower case. */
void validate_device_uid(struct validation *v, const struct place *at, const char *uid);

/* A JSON object. @stored: as large as it was before. */
void validate_device_raw(struct validation *v, const struct place *at, const struct kube_raw *raw, bool stored);

void validate_device_selectors(struct validation *v, const struct place *at,
                               const kube_resource_v1_device_selector_items *selectors);
void validate_device_config(struct validation *v, const struct place *at,
                            const struct kube_resource_v1_opaque_device_configuration *opaque, bool stored);

void validate_device_tolerations(struct validation *v, const struct place *at,
                                 const kube_resource_v1_device_toleration_items *tolerations);
void validate_device_taint(struct validation *v, const struct place *at,
                           const struct kube_resource_v1_device_taint *taint);

/* What has to be true of a device before a pod is bound, and what forbids it; @at is what has both. */
void validate_device_conditions(struct validation *v, const struct place *at, const string_list *conditions,
                                const string_list *failures);

/* --- claims --- */

/* @spec's requests by name, "request" and "request/subrequest", for references to them. The set borrows the texts. */
void validate_device_requests(struct validation *v, const struct kube_resource_v1_resource_claim_spec *spec,
                              struct validate_set *ret_names);

/* Up to DEVICE_REQUESTS_MAX references to requests of @names, each once; and one. */
void validate_device_request_refs(struct validation *v, const struct place *at, const string_list *refs,
                                  const struct validate_set *names);
void validate_device_request_ref(struct validation *v, const struct place *at, const char *ref,
                                 const struct validate_set *names);

/* Whether devices may be had beside those who use them: what says that a namespace is for such (device_rights.c).
 * @asked is where it is asked for. */
void validate_device_admin(struct validation *v, const struct place *asked, const char *namespace);

/* Whether who asks may change that of a claim's status. */
void validate_device_rights(struct validation *v, const struct kube_resource_v1_resource_claim *new,
                            const struct kube_resource_v1_resource_claim *old);

/* What tells a device, or a share of it, from others: a key, in the arena. No part of a good one has a line feed. */
const char *validate_device_id(struct validation *v, const char *driver, const char *pool, const char *device,
                               const char *share);

/* A rule for the row of a claim's status. */
void validate_device_claim_status(struct validation *v, const void *object, const void *old);

/* --- slices --- */

/* @old NULL: no device of its name was in the slice. @selects: each device says on which nodes it is. */
void validate_device(struct validation *v, const struct place *at, const struct kube_resource_v1_device *device,
                     const struct kube_resource_v1_device *old, bool selects);

/* Maps of a device. @shared: it can be given to several at a time. */
void validate_device_attributes(struct validation *v, const struct place *at,
                                const struct kube_resource_v1_device *device);
void validate_device_capacity(struct validation *v, const struct place *at,
                              const struct kube_resource_v1_device *device, bool shared);
