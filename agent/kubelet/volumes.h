/* What pods' volumes were last seen to hold (kubelet's volumeStatsAggPeriod): their trees are the pods' to grow, so
 * each is walked once in a while at most, however often somebody asks, and by one job at a time. On the loop. */
#pragma once

#include <stdint.h>

#include "agent/kubelet/node_stats.h"
#include "lib/list.h"
#include "lib/table.h"

struct kubelet;
struct kubelet_survey_pod;

struct kubelet_volume_seen {
        bool known;
        struct kubelet_fs fs;
};

/* Of one pod. */
struct kubelet_volume_record {
        struct table_node by_uid;
        struct list_node in_all;
        bool listed;     /* since kubelet_volumes_begin() */
        bool measuring;  /* a job is at it */
        uint64_t due;    /* ms, the loop's clock: when it is measured again; 0: it never was */
        int64_t time_ns; /* since 1970: when it was */
        uint32_t n;
        char *uid; /* behind @seen */
        struct kubelet_volume_seen seen[];
};

LIST_DEFINE(kubelet_volume_records, struct kubelet_volume_record, in_all)

struct kubelet_volumes {
        struct table by_uid;
        struct kubelet_volume_records all;
};

/* All pods are about to be asked for: between these, kubelet_volumes_take() is called for each. Of others nothing is
 * kept. */
void kubelet_volumes_begin(struct kubelet *kubelet);
void kubelet_volumes_end(struct kubelet *kubelet);

/* Fills in what is known of the pod's volumes, and whether they are to be measured: then kubelet_volumes_keep()
 * follows.
 */
void kubelet_volumes_take(struct kubelet *kubelet, struct kubelet_survey_pod *pod);
void kubelet_volumes_keep(struct kubelet *kubelet, const struct kubelet_survey_pod *pod);

void kubelet_volumes_clear(struct kubelet *kubelet);
