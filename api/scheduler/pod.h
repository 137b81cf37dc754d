/* A pod as the scheduler sees it: what it needs, read once. For api/scheduler alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/scheduler/selector.h"
#include "kube/core_v1.h"
#include "lib/list.h"
#include "lib/table.h"

struct arena;
struct client_object;
struct sched_node;
struct sched_namespace;

enum sched_amount { SCHED_CPU, SCHED_MEMORY, SCHED_STORAGE, SCHED_AMOUNTS };
#define SCHED_SCORED 2 /* of them, the first, count in scores */

/* What a container that does not ask for any is taken to need, in scores. */
#define SCHED_DEFAULT_CPU INT64_C(100)            /* thousandths */
#define SCHED_DEFAULT_MEMORY (INT64_C(200) << 20) /* bytes */

/* As much as is counted of anything: no node has more, and sums over what some thousand pods ask for are sums still,
 * whatever they ask for. */
#define SCHED_AMOUNT_MAX (INT64_C(1) << 52)

static inline int64_t sched_bounded(int64_t amount) {
        return amount > SCHED_AMOUNT_MAX ? SCHED_AMOUNT_MAX : amount < -SCHED_AMOUNT_MAX ? -SCHED_AMOUNT_MAX : amount;
}

/* An amount of another resource: of huge pages, of devices. */
struct sched_scalar {
        const char *name;
        const char *lacking; /* "Insufficient NAME" */
        int64_t amount;
};

struct sched_port {
        const char *ip, *protocol; /* @ip "0.0.0.0": of all addresses */
        int32_t port;
};

struct sched_needs {
        int64_t amounts[SCHED_AMOUNTS]; /* cpu in thousandths, else bytes */
        int64_t scored[SCHED_SCORED];
        struct sched_scalar *scalars;
        struct sched_port *ports; /* of the host */
        uint32_t n_scalars, n_ports;
        bool says_nothing; /* it asks for no cpu and no memory */
};

/* How it is to be spread, one of its rules. */
struct sched_spread {
        const char *key; /* of the topology */
        struct selector_labels pods;
        int64_t max_skew, min_domains;
        bool hard;                         /* DoNotSchedule */
        bool heeds_affinity, heeds_taints; /* nodes that the pod may not use do not count */
};

/* Where a pod is on its way. */
enum sched_place {
        SCHED_NOWHERE, /* not the scheduler's, or not now: another's, gated, going */
        SCHED_READY,   /* in the queue */
        SCHED_BACKING_OFF,
        SCHED_HOPELESS, /* until something changes */
        SCHED_ASSUMED,  /* its binding is under way, or not seen yet */
        SCHED_BOUND,
};

struct sched_pod {
        struct table_node by_key; /* "NAMESPACE/NAME" */
        struct arena *arena;
        const char *key, *namespace, *name, *uid;
        const char *node_name; /* NULL: none yet */
        string_map labels;
        int32_t priority;
        bool terminating, going; /* @going: it has been asked to leave for another pod */
        struct kube_time started;
        struct sched_needs needs;
        struct sched_terms affinity, aversion;

        /* Of one that waits: all of it, and its rules. */
        const struct kube_pod *whole;
        const struct sched_spread *spreads;
        uint32_t n_spreads;

        /* Of one that is on a node, be it assumed. */
        struct sched_node *node;
        struct sched_namespace *space;
        struct list_node in_node, in_space, in_affine, in_averse;

        /* Of one that waits. */
        enum sched_place place;
        struct list_node in_hopeless;
        uint32_t at;          /* in its heap */
        uint64_t since;       /* ns: when it came into the queue; */
        uint64_t first_tried; /* was tried first, 0: not yet; */
        uint64_t tried;       /* was tried last; */
        uint64_t due;         /* and may be tried again */
        unsigned attempts, failures;
        uint32_t failed; /* plugins that it failed by, bits */
        bool has_erred;  /* its binding failed: the back-off holds */
        struct sched_node *nominated;
        struct list_node in_nominated;
        struct list_node in_all;
        uint32_t seen; /* in this list of all */
};

/* Terms of affinity and rules of spreading of one pod: what each costs is paid for every other pod. */
#define SCHED_RULES_MAX 256

/* Reads @object. What is bound is kept small. 0; -EINVAL, -E2BIG, -ENOMEM. */
int sched_pod_read(const struct client_object *object, struct sched_pod **ret_pod);
void sched_pod_free(struct sched_pod *pod); /* NULL is fine; it is in no list and on no node any more */

/* Whether it is the scheduler's to place: it has no node, is not going, not finished, and names it. */
bool sched_pod_waits(const struct sched_pod *pod);
bool sched_pod_is_gated(const struct sched_pod *pod);

/* Whether anything that placing depends on differs. */
bool sched_pod_differs(const struct sched_pod *a, const struct sched_pod *b);

/* --- for api/scheduler/pod.c --- */
int sched_needs_read(struct arena *arena, const struct kube_pod *pod, struct sched_needs *ret_needs);
