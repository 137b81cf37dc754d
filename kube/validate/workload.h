/* Rules that what makes pods has in common, and what else several groups ask for: numbers or percentages, selectors and
 * the labels they have to match. For kube/validate alone. */
#pragma once

#include "kube/core_v1.h"
#include "kube/validate/field.h"

/* --- a number or a percentage (appsvalidation.ValidatePositiveIntOrPercent, IsNotMoreThan100Percent) --- */

void validate_int_or_percent(struct validation *v, const struct place *at, const struct int_or_string *value);
void validate_percent_max(struct validation *v, const struct place *at, const struct int_or_string *value);

/* The number, or that of the percentage; 0 for any other text. */
int64_t validate_percent_number(const struct int_or_string *value);

void validate_invalid_int_or_string(struct validation *v, const struct place *at, const struct int_or_string *value,
                                    const char *detail);

/* Bytes of all keys and values. */
size_t validate_map_bytes(const string_map *map);

/* --- what stands twice --- */

/* For each of the @n @texts, NULL being "", whether it stood there before; in the arena, NULL without memory. */
const bool *validate_repeated(struct validation *v, const char *const *texts, uint32_t n);

/* --- selectors --- */

/* Whether metav1.LabelSelectorAsSelector() makes a selector of it; NULL is sound, and selects nothing. */
bool validate_selector_is_sound(const struct kube_label_selector *selector);
bool validate_selector_is_empty(const struct kube_label_selector *selector);
bool validate_selector_matches(const struct kube_label_selector *selector, const string_map *labels);

/* Whether a value in its expressions is none of a label: an object that has such may keep them. */
bool validate_selector_has_bad_value(const struct kube_label_selector *selector);

/* "`selector` does not match template `labels`". */
void validate_unmatched_labels(struct validation *v, const struct place *at,
                               const struct kube_pod_template_spec *template);

/* --- choices that are plain strings in Go, which are told as its %q --- */

void validate_text_choice(struct validation *v, const struct place *at, const char *value, const char *const *choices);

/* --- names of several parts --- */

/* "example.com/path" (IsDomainPrefixedPath). */
void validate_domain_path(struct validation *v, const struct place *at, const char *text);

/* --- numbers that live in annotations: fields of older versions --- */

/* 0: there is none. */
int64_t validate_annotated_number(const string_map *annotations, const char *key);

/* --- counters of a status --- */

/* What may not be less than it was: collisionCount. */
void validate_not_decremented(struct validation *v, const struct place *at, const struct opt_int *new,
                              const struct opt_int *old);
void validate_not_negative_if(struct validation *v, const struct place *at, const struct opt_int *value);

/* @part of what there are @whole of. */
void validate_not_more(struct validation *v, const struct place *at, int64_t part, int64_t whole, const char *detail);
