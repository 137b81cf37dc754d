/* A row of api/quota/use.c. */
#pragma once

#include "api/quota/use.h"

enum { QUOTA_CREATE = 1 << 0, QUOTA_UPDATE = 1 << 1 };

struct quota_kind {
        const char *group, *resource;
        const char *alias; /* its count's older name; NULL: none */
        unsigned counts;   /* QUOTA_CREATE ... */
        /* Any may be NULL. */
        bool (*counts_also)(const void *object, const char *sub, const void *old);
        bool (*measures)(const char *name); /* beside the count and its alias */
        int (*usage)(struct arena *arena, const void *object, resource_list *usage);
        bool (*in_scope)(const void *object, const struct kube_scoped_resource_selector_requirement *scope);
};

/* pods.c */
bool quota_pod_counts(const void *object, const char *sub, const void *old);
bool quota_pod_measures(const char *name);
int quota_pod_usage(struct arena *arena, const void *object, resource_list *usage);
bool quota_pod_in_scope(const void *object, const struct kube_scoped_resource_selector_requirement *scope);

/* others.c */
bool quota_claim_counts(const void *object, const char *sub, const void *old);
bool quota_claim_measures(const char *name);
int quota_claim_usage(struct arena *arena, const void *object, resource_list *usage);
bool quota_claim_in_scope(const void *object, const struct kube_scoped_resource_selector_requirement *scope);
bool quota_service_measures(const char *name);
int quota_service_usage(struct arena *arena, const void *object, resource_list *usage);
bool quota_device_measures(const char *name);
int quota_device_usage(struct arena *arena, const void *object, resource_list *usage);

/* Whether one of @n @values that the object has for the scope is what the scope wants; @n 0: it has none. */
bool quota_scope_matches(const struct kube_scoped_resource_selector_requirement *scope, const char *const *values,
                         unsigned n);

/* Adds to the amount of @name; @name is kept. -ENOMEM or 0. */
int quota_add(struct arena *arena, resource_list *list, const char *name, struct quantity amount);
