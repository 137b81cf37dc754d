/* From what a node has left to what is to be done about it. Pure: no clock, no files; times are milliseconds.
 *
 * A threshold is met when less is left than it says. A hard one acts at once, a soft one when it was met for its grace
 * period, and once it acts it stays met until its minimum reclaim is there too. The node's conditions are true while a
 * threshold is met and for the transition period after that. Rules and order are kubelet's
 * (pkg/kubelet/eviction/eviction_manager.go, helpers.go).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/eviction/settings.h"

/* What is left of a signal's resource, and how much there is in all: bytes, inodes, tasks. */
struct eviction_observation {
        bool known;
        int64_t available, capacity;
};

/* Hard thresholds, then soft ones, each in the order of the signals. */
#define EVICTION_THRESHOLDS (2 * _EVICTION_SIGNALS)

enum eviction_condition { MEMORY_PRESSURE, DISK_PRESSURE, PID_PRESSURE, _EVICTION_CONDITIONS };

/* What is remembered from look to look; zeroed at first. Times are 0: never. */
struct eviction_state {
        int64_t first_met[EVICTION_THRESHOLDS];
        bool acts[EVICTION_THRESHOLDS]; /* met, its grace period too */
        int64_t condition_met[_EVICTION_CONDITIONS];
};

struct eviction_verdict {
        uint32_t conditions; /* a bit for each that is true */
        int threshold;       /* the one to act upon; -1: none */
        int64_t next;        /* when time alone changes something; INT64_MAX: never */
};

enum eviction_signal eviction_threshold_signal(int threshold);
const char *eviction_signal_resource(enum eviction_signal signal); /* "memory", "ephemeral-storage", "inodes", "pids" */
const char *eviction_condition_name(enum eviction_condition condition); /* "MemoryPressure" */

/* One look, at @now (above 0). */
void eviction_decide(const struct eviction_settings *settings, const struct eviction_observation *observations,
                     int64_t now, struct eviction_state *state, struct eviction_verdict *ret_verdict);

/* Whether all thresholds and their minimum reclaims hold: no pod has to go. */
bool eviction_resolved(const struct eviction_settings *settings, const struct eviction_observation *observations);

/* Whether a threshold acts whose grace period is none: pods go at once. */
bool eviction_is_hard(const struct eviction_settings *settings, int threshold);

/* The grace period in seconds for a pod whose own is @own_seconds. */
int64_t eviction_grace(const struct eviction_settings *settings, int threshold, int64_t own_seconds);

/* The threshold's quantity and what is left, for the message: of the first acting threshold of @threshold's resource.
 */
void eviction_met(const struct eviction_settings *settings, const struct eviction_state *state,
                  const struct eviction_observation *observations, int threshold, struct quantity *ret_quantity,
                  struct quantity *ret_available);

/* How long nothing can have happened that matters, in milliseconds: what is left above the thresholds is not used up
 * faster than EVICTION_BYTES_PER_MS and so on. Between EVICTION_LOOK_MS, kubelet's period, and EVICTION_REST_MS. */
int64_t eviction_rest(const struct eviction_settings *settings, const struct eviction_observation *observations);
#define EVICTION_LOOK_MS (10 * 1000)
#define EVICTION_REST_MS (60 * 1000)
#define EVICTION_BYTES_PER_MS ((int64_t)1 << 20)
#define EVICTION_INODES_PER_MS 200
#define EVICTION_TASKS_PER_MS 10
