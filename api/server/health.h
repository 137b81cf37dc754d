/* How far the service has come, and what its checks (api/pages/health.h) came to. From any thread. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct api_server;

/* Steps of the start, each of which kube-apiserver has a check of. */
enum api_step_of_start {
        API_START_STATE,       /* what is in the store is in the cache */
        API_START_NAMESPACES,  /* the system's are there, and made again when they go */
        API_START_TRUST,       /* the ConfigMap that says whom the server trusts */
        API_START_TRACKING,    /* the one of Secrets' tokens */
        API_START_ADDRESSES,   /* what Services have is known, and followed */
        API_START_ROLES,       /* default roles and bindings */
        API_START_CLASSES,     /* the system's priority classes */
        API_START_FLOWS,       /* default FlowSchemas and priority levels */
        API_START_CLASSIFIES,  /* those are followed */
        API_START_SERVICE,     /* the Service "kubernetes" */
        API_START_RANGES,      /* the ServiceCIDR "kubernetes" */
        API_START_INFORMERS,   /* what runs beside the server has begun to look */
        API_START_CONTROLLERS, /* the controllers know all */
        API_START_SCHEDULER,   /* the scheduler does, or none is wanted */
};

#define API_BEGUN(step) (1u << (step))

#define API_CHECKS_MAX 24

enum api_health_page { API_HEALTHZ, API_LIVEZ, API_READYZ, _API_HEALTH_PAGES };

/* How often a page has looked at a check, and what it was last. */
struct api_check_count {
        atomic_ullong good, bad;
        atomic_bool is_good;
};

struct api_health {
        atomic_uint begun;        /* API_BEGUN() */
        atomic_ullong blocked_ns; /* since when the log was seen to be blocked; 0: it is not */
        struct api_check_count counts[API_CHECKS_MAX][_API_HEALTH_PAGES];
};

/* A step is done. */
void api_health_begun(struct api_health *health, enum api_step_of_start step);
bool api_health_has_begun(const struct api_health *health, enum api_step_of_start step);

void api_health_count(struct api_check_count *count, bool good);
