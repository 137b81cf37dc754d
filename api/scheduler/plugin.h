/* Plugins: what speaks against a node for a pod, what for it, and what may change that. For api/scheduler alone.
 *
 * Names, order, weights and words are those of kube-scheduler 1.36's default profile. A plugin that has nothing to say
 * about a pod says so before the first node is looked at, and costs nothing then.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/scheduler/cluster.h"
#include "api/scheduler/events.h"

enum sched_verdict {
        SCHED_UNKNOWN, /* not looked at */
        SCHED_FITS,
        SCHED_SKIPS, /* there is nothing to be asked of nodes */
        SCHED_UNSCHEDULABLE,
        SCHED_UNRESOLVABLE, /* and no other pod's leaving would help */
};

/* How many nodes failed why. */
#define SCHED_REASONS_MAX 64 /* that differ; what comes behind them is not told */
struct sched_reasons {
        struct {
                const char *text;
                uint32_t n;
        } all[SCHED_REASONS_MAX];
        uint32_t n;
};
void sched_reasons_add(struct sched_reasons *reasons, const char *text, uint32_t n);

struct sched_affinity_state;
struct sched_spread_state;
struct informer;

/* An attempt to place a pod. */
struct sched_cycle {
        struct sched_cluster *cluster;
        struct sched_pod *pod;
        struct arena *arena;   /* until its end */
        struct arena *scratch; /* for what is prepared to be tried once */
        struct informer *claims;
        struct sched_reasons reasons;
        const char *refused;     /* by a plugin's prepare(): its words */
        uint32_t failed;         /* plugins that refused a node, or the pod: bits by their place */
        uint32_t filters;        /* plugins that are to be asked of nodes */
        const char *const *only; /* nodes by name; NULL: any */
        uint32_t n_only;

        /* Of plugins. */
        struct sched_affinity_state *affinity;
        struct sched_spread_state *spread;
        int64_t *image_scores;

        /* There is room for all nodes in each. */
        struct sched_node **fitting;
        int64_t *scores, *totals; /* of those, by their place there */
        uint8_t *verdicts;        /* enum sched_verdict, by node.at */
        uint32_t n_fitting, n_looked_at;
};

struct sched_plugin {
        const char *name;
        int weight; /* of its score */

        /* Before nodes are looked at: SCHED_FITS, SCHED_SKIPS, or the pod is refused as a whole, with cycle.refused.
         * -ENOMEM. NULL: SCHED_FITS. */
        int (*prepare)(struct sched_cycle *c);
        /* SCHED_FITS, or another with its words in cycle.reasons. */
        enum sched_verdict (*filter)(struct sched_cycle *c, const struct sched_node *node);
        /* Before scores: SCHED_FITS, SCHED_SKIPS, -ENOMEM. NULL: SCHED_FITS. */
        int (*weigh)(struct sched_cycle *c);
        int64_t (*score)(const struct sched_cycle *c, const struct sched_node *node);
        /* Makes scores 0 to 100; NULL: they are. */
        void (*normalize)(struct sched_cycle *c);

        uint32_t events; /* that may help a pod which failed by it */
        /* Whether this one may; NULL: it may. */
        bool (*helps)(const struct sched_pod *pod, const struct sched_change *change);
};

extern const struct sched_plugin *const sched_plugins[];
extern const unsigned sched_plugins_count;

/* A refusal: adds @text, and returns @verdict. */
enum sched_verdict sched_refuse(struct sched_cycle *c, enum sched_verdict verdict, const char *text);

/* The most is 100; @reverse: the least is. */
void sched_normalize(struct sched_cycle *c, bool reverse);

/* Whether @change may help @pod, which failed by the plugins @failed. */
bool sched_helps(const struct sched_pod *pod, uint32_t failed, const struct sched_change *change);

/* --- what plugins ask of each other --- */

bool sched_tolerates_node(const struct sched_pod *pod, const struct sched_node *node); /* NoSchedule and NoExecute */
bool sched_selects_node(const struct sched_pod *pod, const struct sched_node *node);   /* required affinity, selector */

extern const struct sched_plugin sched_node_unschedulable, sched_node_name, sched_taint_toleration, sched_node_affinity,
        sched_node_ports, sched_resources, sched_volume_binding, sched_topology_spread, sched_pod_affinity,
        sched_dynamic_resources, sched_balanced, sched_image_locality;
