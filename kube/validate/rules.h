/* The rows of kinds. For kube/validate alone; a group's rows stand at the end of the file that has its rules, and in
 * the list of tables in validate.c.
 *
 * A rule is asked for its kind's struct, and says all that the kind's strategy says, metadata included
 * (validate_meta(), validate_meta_update() of common.h), in the same order. What is common to all kinds, and comes
 * before or behind it, validate.c adds.
 */
#pragma once

#include "kube/names.h"

struct validation;

/* @old is NULL when the object is made. */
typedef void (*validate_rule)(struct validation *v, const void *object, const void *old);

struct validate_sub {
        const char *name; /* "status" */
        validate_rule rule;
};

struct validate_rules {
        const char *group, *kind;
        enum name_rule name; /* where a rule is NULL, metadata is all that is looked at */
        validate_rule create, update;
        const struct validate_sub *subs; /* ends with a NULL name; what is not there is an update of metadata */
};

/* End with a row without a kind. */
extern const struct validate_rules validate_core_rules[];
extern const struct validate_rules validate_deployment_rules[], validate_stateful_set_rules[],
        validate_daemon_set_rules[];
extern const struct validate_rules validate_job_rules[], validate_cron_job_rules[];
extern const struct validate_rules validate_ingress_rules[], validate_network_policy_rules[],
        validate_endpoint_slice_rules[];
extern const struct validate_rules validate_policy_rules[], validate_rbac_rules[];
extern const struct validate_rules validate_storage_class_rules[], validate_volume_attachment_rules[],
        validate_csi_rules[];
extern const struct validate_rules validate_autoscaler_rules[], validate_small_group_rules[];
extern const struct validate_rules validate_flow_schema_rules[], validate_priority_level_rules[],
        validate_webhook_rules[], validate_admission_policy_rules[], validate_admission_binding_rules[],
        validate_api_service_rules[], validate_certificate_rules[];
extern const struct validate_rules validate_device_claim_rules[], validate_device_class_rules[],
        validate_device_slice_rules[];
