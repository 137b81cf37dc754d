/* Whether a request is of a FlowSchema (flowcontrol.apiserver.k8s.io/v1, PolicyRulesWithSubjects). */
#pragma once

#include <stdbool.h>

struct auth_attributes;
struct kube_flowcontrol_v1_flow_schema;

bool priority_matches(const struct kube_flowcontrol_v1_flow_schema *schema, const struct auth_attributes *asked);
