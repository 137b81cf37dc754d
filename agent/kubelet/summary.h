/* What the files of /stats/summary share. */
#pragma once

#include "agent/kubelet/node_stats.h"
#include "cri/cri.h"

struct json_writer;
struct kubelet;

struct kubelet_summary {
        struct kubelet *kubelet;
        struct json_writer *w;
        struct kubelet_node_stats node;
        struct kubelet_fs node_fs, image_fs;
        bool has_node_fs, has_image_fs;
};

/* Members of a map. Times are ns since 1970. */
void kubelet_summary_time(struct json_writer *w, const char *key, int64_t ns);
void kubelet_summary_number(struct json_writer *w, const char *key, uint64_t number);
void kubelet_summary_cpu(struct json_writer *w, const Cri__CpuUsage *cpu);
void kubelet_summary_fs(struct json_writer *w, const char *key, const struct kubelet_fs *fs, int64_t time_ns);

/* @only_use: CPU and memory alone. */
void kubelet_summary_node(struct kubelet_summary *s, bool only_use);
