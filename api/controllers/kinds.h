/* The controllers, each of its own file; api/controllers/table.c has them all. */
#pragma once

#include "api/controllers/controller.h"

extern const struct controller_kind controller_namespace, controller_garbage, controller_account, controller_root_ca,
        controller_csr_approving, controller_csr_serving, controller_csr_signing, controller_csr_cleaner,
        controller_job_ttl, controller_volume_protection, controller_claim_protection, controller_class_protection,
        controller_aggregation, controller_token_cleaner, controller_bootstrap_signer, controller_secret_token,
        controller_event_ttl, controller_quota, controller_replicaset, controller_replication, controller_deployment,
        controller_endpoints, controller_endpointslice, controller_disruption, controller_mirror, controller_node_ipam,
        controller_node_lifecycle, controller_taint_eviction, controller_pod_gc, controller_ttl,
        controller_legacy_token;
