/* What the controllers of nodes are told, by flags of kube-controller-manager's names. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/ip.h"

struct err;

#define NODE_RANGES_MAX 2 /* one of each family */
#define NODE_SECOND INT64_C(1000000000)

/* A range that pods' addresses are from, and the prefix of a node's block. */
struct node_range {
        struct ip_cidr range;
        uint8_t prefix;
};

struct node_config {
        bool allocate;                            /* --allocate-node-cidrs */
        const char *cluster;                      /* --cluster-cidr; NULL: chosen beside the Services' */
        unsigned prefix, prefix_four, prefix_six; /* --node-cidr-mask-size, -ipv4, -ipv6; 0: not given */
        int64_t grace_ns;                         /* --node-monitor-grace-period */
        int64_t startup_ns;                       /* --node-startup-grace-period */
        double rate, slow_rate;                   /* --node-eviction-rate, --secondary-node-eviction-rate: a second */
        unsigned large;                           /* --large-cluster-size-threshold */
        double unhealthy;                         /* --unhealthy-zone-threshold */
        unsigned terminated_max;                  /* --terminated-pod-gc-threshold; 0: any */
        int64_t quarantine_ns;                    /* how long a node may be missing before its pods go */
        /* What came of it: ranges of pods, none where they are not allocated, and of Services, which are spared. */
        struct node_range ranges[NODE_RANGES_MAX];
        struct ip_cidr services[NODE_RANGES_MAX];
        unsigned n_ranges, n_services;
};

#define NODE_CONFIG_INIT                                                                                               \
        {                                                                                                              \
                .allocate = true, .grace_ns = 50 * NODE_SECOND, .startup_ns = 60 * NODE_SECOND, .rate = 0.1,           \
                .slow_rate = 0.01, .large = 50, .unhealthy = 0.55, .terminated_max = 12500,                            \
                .quarantine_ns = 40 * NODE_SECOND                                                                      \
        }

/* Reads the ranges; @services is --service-cluster-ip-range. -EINVAL, with the flag that is wrong. */
int node_config_read(struct node_config *config, const char *services, struct err **err);
