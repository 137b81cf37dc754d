/* How long pods have when the host goes down: kubelet's shutdownGracePeriod, shutdownGracePeriodCriticalPods and
 * shutdownGracePeriodByPodPriority as one list of groups (KEP-2000, KEP-2712).
 *
 * https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct err;
struct pod;

#define SHUTDOWN_GROUPS_MAX 64
#define SHUTDOWN_TOTAL_MAX_S (24 * 60 * 60) /* of all groups together */

struct shutdown_group {
        int32_t priority; /* of its pods, at least */
        int64_t seconds;  /* that they have, and the next group waits for them */
};

struct shutdown_settings {
        int64_t grace_ms, critical_ms;                     /* as configured; 0: not given */
        struct shutdown_group groups[SHUTDOWN_GROUPS_MAX]; /* as configured, or made of the two */
        size_t n_groups;                                   /* 0: the host goes down without waiting for pods */
};

/* Makes groups of the two periods, and sorts them: the lowest priority goes first. -EINVAL names the field. */
int shutdown_settings_finish(struct shutdown_settings *settings, struct err **err);

int64_t shutdown_settings_total(const struct shutdown_settings *settings); /* seconds */

/* Which group @pod goes with: the one with the highest priority that is not above the pod's, else the lowest. There is
 * one at least. A pod of a file that names a priority class of the system and no priority has the class's. */
size_t shutdown_group_of(const struct shutdown_settings *settings, const struct pod *pod);

/* How many seconds @pod has in @group: its own period unless that is longer. */
int64_t shutdown_grace(const struct shutdown_group *group, const struct pod *pod);
