/* Cells that are no form: what kube-apiserver works out of several fields. Each writes one string, unless it says
 * otherwise; column->other is what each row gives its function. For the tables of kinds. */
#pragma once

#include "kube/print/column.h"

void print_access_modes(struct print_row *row, const struct print_column *column);
void print_address_parent(struct print_row *row, const struct print_column *column);
void print_bool_text(struct print_row *row, const struct print_column *column);
void print_claim_capacity(struct print_row *row, const struct print_column *column);
void print_claim_modes(struct print_row *row, const struct print_column *column);
void print_claim_state(struct print_row *row, const struct print_column *column);
void print_component_status(struct print_row *row, const struct print_column *column);
void print_component_text(struct print_row *row,
                          const struct print_column *column); /* @other of the condition Healthy */
void print_default_name(struct print_row *row,
                        const struct print_column *column); /* @other: annotations, one of which is "true" */
void print_deployment_selector(struct print_row *row, const struct print_column *column);
void print_endpoints(struct print_row *row, const struct print_column *column);
void print_event_count(struct print_row *row, const struct print_column *column); /* a number */
void print_event_first(struct print_row *row, const struct print_column *column);
void print_event_last(struct print_row *row, const struct print_column *column);
void print_event_message(struct print_row *row, const struct print_column *column);
void print_event_object(struct print_row *row, const struct print_column *column);
void print_event_source(struct print_row *row, const struct print_column *column);
void print_flow_dangling(struct print_row *row, const struct print_column *column);
void print_group_policy(struct print_row *row, const struct print_column *column);
void print_group_status(struct print_row *row, const struct print_column *column);
void print_ingress_address(struct print_row *row, const struct print_column *column);
void print_ingress_hosts(struct print_row *row, const struct print_column *column);
void print_ingress_parameters(struct print_row *row, const struct print_column *column);
void print_ingress_ports(struct print_row *row, const struct print_column *column);
void print_job_completions(struct print_row *row, const struct print_column *column);
void print_job_duration(struct print_row *row, const struct print_column *column);
void print_job_status(struct print_row *row, const struct print_column *column);
void print_kind_and_name(struct print_row *row, const struct print_column *column);
void print_level_number(struct print_row *row,
                        const struct print_column *column); /* a number, or "<none>" without @other, a path */
void print_migration_resource(struct print_row *row, const struct print_column *column);
void print_migration_status(struct print_row *row, const struct print_column *column);
void print_node_address(struct print_row *row, const struct print_column *column); /* the first of type @other */
void print_node_kernel(struct print_row *row, const struct print_column *column);
void print_node_roles(struct print_row *row, const struct print_column *column);
void print_node_status(struct print_row *row, const struct print_column *column);
void print_sum(struct print_row *row, const struct print_column *column); /* what all containers use of @other */
void print_old_scaler_targets(struct print_row *row, const struct print_column *column);
void print_param_kind(struct print_row *row, const struct print_column *column);
void print_param_reference(struct print_row *row, const struct print_column *column);
void print_pod_certificate_state(struct print_row *row, const struct print_column *column);
void print_pod_gates(struct print_row *row, const struct print_column *column);
void print_pod_ip(struct print_row *row, const struct print_column *column);
void print_pod_ready(struct print_row *row, const struct print_column *column);
void print_pod_restarts(struct print_row *row, const struct print_column *column);
void print_pod_status(struct print_row *row, const struct print_column *column);
void print_pool_completed(struct print_row *row, const struct print_column *column);
void print_pool_devices(struct print_row *row, const struct print_column *column); /* the sum of @other of all pools */
void print_pool_errors(struct print_row *row, const struct print_column *column);
void print_pool_status(struct print_row *row, const struct print_column *column);
void print_quota_limits(struct print_row *row, const struct print_column *column);
void print_quota_requests(struct print_row *row, const struct print_column *column);
void print_request_condition(struct print_row *row, const struct print_column *column);
void print_request_duration(struct print_row *row, const struct print_column *column);
void print_revision_controller(struct print_row *row, const struct print_column *column);
void print_scaler_targets(struct print_row *row, const struct print_column *column);
void print_service_address(struct print_row *row, const struct print_column *column);
void print_service_external(struct print_row *row, const struct print_column *column);
void print_service_ports(struct print_row *row, const struct print_column *column);
void print_service_available(struct print_row *row, const struct print_column *column);
void print_service_reference(struct print_row *row, const struct print_column *column);
void print_slice_endpoints(struct print_row *row, const struct print_column *column);
void print_slice_ports(struct print_row *row, const struct print_column *column);
void print_storage_versions(struct print_row *row, const struct print_column *column);
void print_subjects(struct print_row *row, const struct print_column *column); /* those of kind @other */
void print_volume_claim(struct print_row *row, const struct print_column *column);
void print_volume_class(struct print_row *row, const struct print_column *column);
void print_volume_phase(struct print_row *row, const struct print_column *column);

/* Conditions of a pod's row. */
void print_pod_conditions(struct print_row *row);

/* Flow schemas are sorted by it. */
int64_t print_flow_rank(const struct value *object);
