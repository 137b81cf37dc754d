/* Rules that many kinds have: metadata, names, labels, selectors, numbers, choices, addresses, what may not change. For
 * kube/validate alone. */
#pragma once

#include "kube/meta_v1.h"
#include "kube/names.h"
#include "kube/validate/field.h"
#include "lib/table.h"

/* --- metadata (ValidateObjectMeta, ValidateObjectMetaUpdate of k8s.io/kubernetes/pkg/apis/core/validation) --- */

void validate_meta(struct validation *v, const struct kube_object_meta *meta, enum name_rule rule);
void validate_meta_update(struct validation *v, const struct kube_object_meta *meta,
                          const struct kube_object_meta *old);

/* Theirs without what core adds (k8s.io/apimachinery/pkg/api/validation), which some groups use. */
void validate_plain_meta(struct validation *v, const struct kube_object_meta *meta, enum name_rule rule);
void validate_plain_meta_update(struct validation *v, const struct kube_object_meta *meta,
                                const struct kube_object_meta *old);

/* ValidateObjectMetaWithOpts: generateName is not looked at. */
void validate_named_meta(struct validation *v, const struct kube_object_meta *meta, enum name_rule rule);

/* Of a template for objects: labels and annotations are all that it may have (ValidateTemplateObjectMeta). */
void validate_template_meta(struct validation *v, const struct place *at, const struct kube_object_meta *meta);

void validate_labels(struct validation *v, const struct place *at, const string_map *labels);
void validate_annotations(struct validation *v, const struct place *at, const string_map *annotations);
void validate_conditions(struct validation *v, const struct place *at, const kube_condition_items *conditions);

/* --- names: each thing that is wrong is an error of its own --- */

void validate_name(struct validation *v, const struct place *at, enum name_rule rule, const char *name);

/* "" is a required value that is missing. */
void validate_name_required(struct validation *v, const struct place *at, enum name_rule rule, const char *name);

/* As of metadata.generateName: a "-" at the end is what is made longer. */
void validate_name_prefix(struct validation *v, const struct place *at, enum name_rule rule, const char *name);

/* --- label selectors --- */

struct validate_selector_options {
        bool any_value;    /* AllowInvalidLabelValueInSelector */
        bool any_operator; /* AllowUnknownOperatorInRequirement */
};

/* @options NULL: none. A @selector that is NULL has nothing wrong. */
void validate_selector(struct validation *v, const struct place *at, const struct kube_label_selector *selector,
                       const struct validate_selector_options *options);

void validate_requirement(struct validation *v, const struct place *at,
                          const struct kube_label_selector_requirement *requirement,
                          const struct validate_selector_options *options);

/* --- numbers, quantities, choices --- */

void validate_not_negative(struct validation *v, const struct place *at, int64_t value);
void validate_positive(struct validation *v, const struct place *at, int64_t value);
void validate_range(struct validation *v, const struct place *at, int64_t value, int64_t min, int64_t max);
void validate_port(struct validation *v, const struct place *at, int64_t port); /* 1 to 65535 */
void validate_quantity_not_negative(struct validation *v, const struct place *at, struct quantity value);
void validate_quantity_positive(struct validation *v, const struct place *at, struct quantity value);

/* Whether @value, NULL being "", is one of @choices, which end with NULL. */
bool validate_is_one(const char *value, const char *const *choices);

/* An error where it is not. */
void validate_choice(struct validation *v, const struct place *at, const char *value, const char *const *choices);

/* --- addresses: IP and CIDR as netutils.ParseIPSloppy() and ParseCIDRSloppy() read them --- */

bool validate_is_ip(const char *text);
bool validate_is_ipv6(const char *text);
bool validate_is_cidr(const char *text);
bool validate_is_ipv6_cidr(const char *text);

/* IsValidIPForLegacyField, IsValidCIDRForLegacyField, strict: a text of @old's, which may be NULL, is as good as ever.
 */
void validate_ip(struct validation *v, const struct place *at, const char *ip, const string_list *old);
void validate_cidr(struct validation *v, const struct place *at, const char *cidr, const string_list *old);

/* IsValidIP, IsValidCIDR: in the form in which they are written as well. */
void validate_canonical_ip(struct validation *v, const struct place *at, const char *ip);
void validate_canonical_cidr(struct validation *v, const struct place *at, const char *cidr);

/* An address with the length of its network's prefix: "10.9.8.7/24" (IsValidInterfaceAddress). */
void validate_interface_address(struct validation *v, const struct place *at, const char *address);

/* --- paths in a file system --- */

/* No part of it is "..". */
void validate_no_backsteps(struct validation *v, const struct place *at, const char *path);

/* It does not begin with "/" either. */
void validate_relative(struct validation *v, const struct place *at, const char *path);

/* --- texts that are there once --- */

/* Zeroed is empty. It borrows the texts. */
struct validate_set {
        struct table table;
        uint32_t n;
};

/* False when it was there. @text NULL is "". */
bool validate_set_add(struct validation *v, struct validate_set *set, const char *text);
bool validate_set_has(const struct validate_set *set, const char *text);

/* Which it was, counted from 0 as they were added; -1 when it is not there. */
int64_t validate_set_find(const struct validate_set *set, const char *text);
void validate_set_clear(struct validate_set *set);
#define _cleanup_validate_set_ __attribute__((cleanup(validate_set_clear)))

/* --- what is the same (apiequality.Semantic.DeepEqual: nil is empty, 1 is 1000m) --- */

bool validate_equal(const struct kube_type *type, const void *a, const void *b);
bool validate_equal_bytes(const struct kube_bytes *a, const struct kube_bytes *b);

/* The value of the field called @name of two objects of @type. */
bool validate_equal_field(const struct kube_type *type, const char *name, const void *a, const void *b);

/* @new is what @old was; "field is immutable" and its JSON where not. Both of @type, NULL: null. */
void validate_immutable(struct validation *v, const struct place *at, const struct kube_type *type, const void *new,
                        const void *old);
void validate_immutable_text(struct validation *v, const struct place *at, const char *new, const char *old);

/* The field called @name of two objects of @type, its JSON from its row. */
void validate_immutable_field(struct validation *v, const struct place *at, const struct kube_type *type,
                              const char *name, const void *new, const void *old);

/* The JSON of that field. In the arena. */
const char *validate_field_json(struct validation *v, const struct kube_type *type, const char *name,
                                const void *object);

/* @object, and its field called @name, as Go writes Kubernetes' internal types, which have no names of their own for
 * JSON ("HostIP"); NULL: null. In the arena. */
const char *validate_go_json(struct validation *v, const struct kube_type *type, const void *object);
const char *validate_go_json_field(struct validation *v, const struct kube_type *type, const char *name,
                                   const void *object);

/* How two objects differ of which this is the JSON: a unified difference, of a line for each value. "" when they are
 * too large for it. In the arena. */
const char *validate_difference(struct validation *v, const char *old, const char *new);

/* The same of a pod's template, or of the spec in it. */
struct kube_pod_template_spec;
const char *validate_go_template_json(struct validation *v, const struct kube_pod_template_spec *template,
                                      bool spec_alone);

#define VALIDATE_IMMUTABLE "field is immutable"
#define VALIDATE_NOT_NEGATIVE "must be greater than or equal to 0"
#define VALIDATE_NOT_POSITIVE "must be greater than zero"
