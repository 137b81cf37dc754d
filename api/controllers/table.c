/* The controllers there are. */
#include "api/controllers/internal.h"
#include "api/controllers/kinds.h"
#include "lib/cleanup.h"

const struct controller_kind *const controller_kinds[] = {
        &controller_namespace,
        &controller_garbage,
        &controller_account,
        &controller_root_ca,
        &controller_secret_token,
        &controller_legacy_token,
        &controller_aggregation,
        &controller_csr_approving,
        &controller_csr_serving,
        &controller_csr_signing,
        &controller_csr_cleaner,
        &controller_bootstrap_signer,
        &controller_token_cleaner,
        &controller_job_ttl,
        &controller_volume_protection,
        &controller_claim_protection,
        &controller_class_protection,
        &controller_event_ttl,
        &controller_quota,
        &controller_node_ipam,
        &controller_node_lifecycle,
        &controller_taint_eviction,
        &controller_pod_gc,
        &controller_ttl,
        &controller_replicaset,
        &controller_replication,
        &controller_deployment,
        &controller_endpoints,
        &controller_endpointslice,
        &controller_disruption,
        &controller_mirror,
};
const unsigned controller_kinds_count = ELEMENTS(controller_kinds);
