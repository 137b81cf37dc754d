/* What the rules of Services share. For kube/validate's service files alone. */
#pragma once

#include <string.h>

#include "kube/core_v1.h"
#include "kube/validate/field.h"

#define SERVICE_PLACE (&(const struct place){ .name = "spec" })
#define SPEC(field) FIELD(SERVICE_PLACE, field)

static inline bool service_is_type(const struct kube_service *s, const char *type) {
        return kube_is(s->spec.type, type);
}

static inline bool service_is_headless(const struct kube_service *s) {
        return s->spec.cluster_ips.count == 1 && kube_is(s->spec.cluster_ips.items[0], "None");
}

/* NULL is "". */
static inline bool service_same_text(const char *a, const char *b) {
        return strcmp(a ?: "", b ?: "") == 0;
}

/* A pointer in Go, which is told as JSON. */
void validate_service_pointer(struct validation *v, const struct place *at, const char *text, const char *detail);

/* The addresses of a Service's own, with their families; those that lead to it from without; those who may reach its
 * load balancer. @old NULL: it is made. */
void validate_service_addresses(struct validation *v, const struct kube_service *s, const struct kube_service *old);
void validate_service_external_ips(struct validation *v, const struct kube_service *s, const struct kube_service *old);
void validate_service_sources(struct validation *v, const struct kube_service *s, const struct kube_service *old);

/* What may become of its own addresses, and of their families. */
void validate_service_address_changes(struct validation *v, const struct kube_service *s,
                                      const struct kube_service *old);
