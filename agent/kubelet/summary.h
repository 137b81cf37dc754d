/* What the files of /stats/summary share. */
#pragma once

#include "agent/kubelet/node_stats.h"
#include "agent/kubelet/survey.h"
#include "cri/cri.h"

struct json_writer;
struct kubelet;

struct kubelet_summary {
        struct kubelet *kubelet;
        struct json_writer *w;
        struct arena *arena;
        const struct kubelet_survey *survey;
        struct kubelet_node_stats node;
        struct kubelet_fs node_fs, image_fs;
        bool has_node_fs, has_image_fs;
};

/* Members of a map. Times are ns since 1970. */
void kubelet_summary_time(struct json_writer *w, const char *key, int64_t ns);
void kubelet_summary_number(struct json_writer *w, const char *key, uint64_t number);
void kubelet_summary_cpu(struct json_writer *w, const Cri__CpuUsage *cpu);
void kubelet_summary_memory(struct json_writer *w, const Cri__MemoryUsage *memory);
void kubelet_summary_io(struct json_writer *w, const Cri__IoUsage *io);
void kubelet_summary_swap(struct json_writer *w, const Cri__SwapUsage *swap);
void kubelet_summary_psi(struct json_writer *w, const Cri__PsiStats *psi);
void kubelet_summary_fs(struct json_writer *w, const char *key, const struct kubelet_fs *fs, int64_t time_ns);

/* The same members into a map that is begun. */
void kubelet_summary_fs_members(struct json_writer *w, const struct kubelet_fs *fs, int64_t time_ns);

/* summary_node.c */
void kubelet_summary_node(struct kubelet_summary *s);

/* summary_pod.c */
void kubelet_summary_pod(struct kubelet_summary *s, const Cri__PodSandboxStats *pod);
