/* What /stats/summary tells of files and cgroups, measured on the pool: pods' volumes and logs, the system's
 * containers, the host's pressure. What is looked at is copied on the loop before; volumes that were measured lately
 * are told as they were (volumes.h). */
#pragma once

#include "agent/kubelet/internal.h"
#include "agent/kubelet/node_stats.h"
#include "cgroups/stats.h"
#include "lib/disk_usage.h"

struct kubelet_survey_volume {
        const char *name, *path;
        bool ephemeral; /* part of what the pod takes of the node's disk */
        bool known;
        struct kubelet_fs fs; /* used: by the volume */
};

struct kubelet_survey_logs {
        const char *container, *path;
        struct disk_usage used;
};

struct kubelet_survey_pod {
        const char *uid, *hosts;
        struct kubelet_survey_volume *volumes;
        struct kubelet_survey_logs *logs; /* of its containers */
        uint32_t n_volumes, n_logs;
        bool measures;           /* its volumes: they were not, lately */
        int64_t volumes_ns;      /* since 1970: when they were */
        struct disk_usage other; /* /etc/hosts */
};

/* A container of the system's: what does the node's work, and all pods. */
struct kubelet_survey_system {
        bool known;
        struct cgroup_stats stats;
};

struct kubelet_survey {
        struct pool_job job;       /* first */
        struct kubelet_request *q; /* held */
        struct arena *arena;
        const struct cgroups *cgroups;
        const char *pods_cgroup;
        bool only_use;
        struct kubelet_survey_pod *pods;
        size_t n_pods, room;
        struct kubelet_survey_system systems[_KUBELET_SYSTEMS];
        struct cgroup_stats host;           /* its pressure alone */
        uint64_t image_bytes, image_inodes; /* for who asks cri */
        void (*done)(struct kubelet_survey *survey);
};

/* Measures all pods of the kubelet, without their files if @only_use, and calls @done, which frees it, if the client is
 * there still. Without memory the exchange is reset. */
void kubelet_survey_run(struct kubelet_request *q, bool only_use, void (*done)(struct kubelet_survey *survey));
void kubelet_survey_free(void *survey);

/* The pod's; NULL: it was not there. */
const struct kubelet_survey_pod *kubelet_survey_find(const struct kubelet_survey *survey, const char *uid);
