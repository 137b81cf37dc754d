/* The rules of core/v1's kinds, for the table in core.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct place;
struct validation;

void validate_config_map(struct validation *v, const void *object, const void *old);
void validate_secret(struct validation *v, const void *object, const void *old);

void validate_service(struct validation *v, const void *object, const void *old);
void validate_service_status(struct validation *v, const void *object, const void *old);
void validate_endpoints(struct validation *v, const void *object, const void *old);
void validate_event(struct validation *v, const void *object, const void *old);
void validate_events_event(struct validation *v, const void *object, const void *old);
void validate_claim(struct validation *v, const void *object, const void *old);
void validate_claim_status(struct validation *v, const void *object, const void *old);
void validate_volume(struct validation *v, const void *object, const void *old);
void validate_volume_status(struct validation *v, const void *object, const void *old);
void validate_node(struct validation *v, const void *object, const void *old);
void validate_node_status(struct validation *v, const void *object, const void *old);
void validate_controller(struct validation *v, const void *object, const void *old);
void validate_controller_status(struct validation *v, const void *object, const void *old);
void validate_template_object(struct validation *v, const void *object, const void *old);
void validate_limit_range(struct validation *v, const void *object, const void *old);
void validate_quota(struct validation *v, const void *object, const void *old);
void validate_quota_status(struct validation *v, const void *object, const void *old);

/* An address that others may be sent to: ValidateEndpointIP. */
void validate_endpoint_ip(struct validation *v, const struct place *at, const char *ip);

/* What Go's json.Unmarshal() into a map says of @text; NULL: it is one. */
const char *validate_json_problem(struct validation *v, const char *text, size_t length);

/* What a volume is made of; of @pv its name and its spec, which is at @at. */
struct kube_persistent_volume;
struct place;
void validate_volume_sources(struct validation *v, const struct place *at, const struct kube_persistent_volume *pv);

/* Whether what it is made of is mounted with options. */
bool validate_volume_takes_options(const struct kube_persistent_volume *pv);
