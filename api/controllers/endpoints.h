/* What the files of the Endpoints' controller share. */
#pragma once

#include "api/controllers/backends.h"

#define ENDPOINTS_ADDRESSES_MAX                                                                                        \
        1000                    /* addresses of one object, as kube-controller-manager has it; beyond it is truncated */
#define ENDPOINTS_PORTS_MAX 256 /* different ones of a Service's pods */
#define ENDPOINTS_MANAGED_BY "endpoints.kubernetes.io/managed-by"
#define ENDPOINTS_MANAGER "endpoint-controller"
#define ENDPOINTS_OVER_CAPACITY "endpoints.kubernetes.io/over-capacity"

enum { ENDPOINTS_ENDPOINTS = BACKENDS_OTHERS };

struct endpoints_plan {
        struct arena *arena;
        const struct known_object *service;
        const struct kube_service *typed;
        const struct known *pods;
        kube_endpoint_subset_items subsets; /* what is to be, truncated */
        uint32_t total;                     /* addresses before that */
};

/* Those with the same ports are one subset, sorted by address. -ENOMEM or 0. */
int endpoints_decide(struct endpoints_plan *plan);

/* Whether they say the same, in whatever order subsets and ports stand. */
bool endpoints_same(const kube_endpoint_subset_items *a, const kube_endpoint_subset_items *b);
