/* What webhooks and policies of admission have in common. For kube/validate alone. */
#pragma once

#include "kube/admissionregistration_v1.h"
#include "kube/validate/field.h"

void validate_operation_rule(struct validation *v, const struct place *at,
                             const struct kube_admissionregistration_v1_rule_with_operations *rule);

void validate_match_resources(struct validation *v, const struct place *at,
                              const struct kube_admissionregistration_v1_match_resources *match);

/* One that mutates sees no deletions. @match may be NULL. */
void validate_mutating_operations(struct validation *v, const struct place *at,
                                  const struct kube_admissionregistration_v1_match_resources *match);

/* Expressions in CEL are not compiled: that they are there is all that is asked of them. */
void validate_match_conditions(struct validation *v, const struct place *at,
                               const kube_admissionregistration_v1_match_condition_items *conditions);

/* A webhook's URL as Go's url.Parse() reads it: https, a host, and a path at most (ValidateWebhookURL of
 * k8s.io/apiserver). */
void validate_webhook_url(struct validation *v, const struct place *at, const char *url);

/* Whether there is nothing but blanks. */
bool validate_is_blank(const char *text);
