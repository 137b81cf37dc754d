/* The plugins' functions, for their table. */
#pragma once

#include "api/admission/plugin.h"

enum api_step admission_namespace(struct admission *a);      /* namespaces.c */
enum api_step admission_default_limits(struct admission *a); /* limit_ranges.c */
enum api_step admission_check_limits(struct admission *a);
enum api_step admission_give_account(struct admission *a); /* accounts.c */
enum api_step admission_check_account(struct admission *a);
enum api_step admission_node(struct admission *a); /* nodes.c */
enum api_step admission_taint_node(struct admission *a);
enum api_step admission_topology(struct admission *a);

/* The labels of nodes that pods get: by their keys, and where they stand in an object. */
#define ADMISSION_TOPOLOGY_KEYS 2
struct admission_topology_key {
        const char *label, *pointer;
};
extern const struct admission_topology_key admission_topology_keys[ADMISSION_TOPOLOGY_KEYS];

enum api_step admission_resize_pod(struct admission *a);
enum api_step admission_pod_security(struct admission *a);  /* security.c */
enum api_step admission_give_priority(struct admission *a); /* priorities.c */
enum api_step admission_check_priority(struct admission *a);
enum api_step admission_tolerate(struct admission *a); /* tolerations.c */
enum api_step admission_tolerate_extended(struct admission *a);
enum api_step admission_give_runtime(struct admission *a); /* runtimes.c */
enum api_step admission_check_runtime(struct admission *a);
enum api_step admission_storage_class(struct admission *a); /* classes.c */
enum api_step admission_ingress_class(struct admission *a);
enum api_step admission_protect(struct admission *a); /* storage.c */
enum api_step admission_resize_claim(struct admission *a);
enum api_step admission_owners(struct admission *a);  /* owners.c */
enum api_step admission_approve(struct admission *a); /* certificates.c */
enum api_step admission_sign(struct admission *a);
enum api_step admission_attest(struct admission *a);
enum api_step admission_subject(struct admission *a);
enum api_step admission_external_ips(struct admission *a); /* services.c */
enum api_step admission_charge_quota(struct admission *a); /* quota.c */
