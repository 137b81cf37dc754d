/* /stats/summary (k8s.io/kubelet/pkg/apis/stats/v1alpha1): what the node and its pods use. Of pods it is cri's to tell,
 * as kubelet has it with PodAndContainerStatsFromCRI. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/kubelet/call.h"
#include "agent/kubelet/internal.h"
#include "agent/kubelet/summary.h"
#include "kube/scalar.h"
#include "kube/types.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"

#define SECOND INT64_C(1000000000)

void kubelet_summary_time(struct json_writer *w, const char *key, int64_t ns) {
        const struct kube_time time = { .seconds = ns / SECOND, .set = true };
        char text[KUBE_TIME_TEXT_MAX];

        json_key(w, key);
        json_string_length(w, text, kube_time_format(&time, false, text));
}

void kubelet_summary_number(struct json_writer *w, const char *key, uint64_t number) {
        json_key(w, key);
        json_uint(w, number);
}

static void add_value(struct json_writer *w, const char *key, const Cri__UInt64Value *value) {
        if (value)
                kubelet_summary_number(w, key, value->value);
}

/* -- of cri ------------------------------------------------------------------------------------------------ */

static void add_double(struct json_writer *w, const char *key, double number) {
        char text[32];

        json_key(w, key);
        json_raw(w, text, (size_t)snprintf(text, sizeof(text), "%.4g", number));
}

static void add_psi_data(struct json_writer *w, const char *key, const Cri__PsiData *data) {
        if (!data)
                return;
        json_key(w, key);
        json_begin_map(w);
        kubelet_summary_number(w, "total", data->total);
        add_double(w, "avg10", data->avg10);
        add_double(w, "avg60", data->avg60);
        add_double(w, "avg300", data->avg300);
        json_end_map(w);
}

void kubelet_summary_psi(struct json_writer *w, const Cri__PsiStats *psi) {
        if (!psi)
                return;
        json_key(w, "psi");
        json_begin_map(w);
        add_psi_data(w, "full", psi->full);
        add_psi_data(w, "some", psi->some);
        json_end_map(w);
}

void kubelet_summary_cpu(struct json_writer *w, const Cri__CpuUsage *cpu) {
        if (!cpu)
                return;
        json_key(w, "cpu");
        json_begin_map(w);
        kubelet_summary_time(w, "time", cpu->timestamp);
        add_value(w, "usageNanoCores", cpu->usage_nano_cores);
        add_value(w, "usageCoreNanoSeconds", cpu->usage_core_nano_seconds);
        kubelet_summary_psi(w, cpu->psi);
        json_end_map(w);
}

void kubelet_summary_memory(struct json_writer *w, const Cri__MemoryUsage *memory) {
        if (!memory)
                return;
        json_key(w, "memory");
        json_begin_map(w);
        kubelet_summary_time(w, "time", memory->timestamp);
        if (memory->available_bytes && memory->available_bytes->value > 0)
                add_value(w, "availableBytes", memory->available_bytes);
        add_value(w, "usageBytes", memory->usage_bytes);
        add_value(w, "workingSetBytes", memory->working_set_bytes);
        add_value(w, "rssBytes", memory->rss_bytes);
        add_value(w, "pageFaults", memory->page_faults);
        add_value(w, "majorPageFaults", memory->major_page_faults);
        kubelet_summary_psi(w, memory->psi);
        json_end_map(w);
}

void kubelet_summary_io(struct json_writer *w, const Cri__IoUsage *io) {
        if (!io)
                return;
        json_key(w, "io");
        json_begin_map(w);
        kubelet_summary_time(w, "time", io->timestamp);
        kubelet_summary_psi(w, io->psi);
        json_end_map(w);
}

void kubelet_summary_swap(struct json_writer *w, const Cri__SwapUsage *swap) {
        if (!swap)
                return;
        json_key(w, "swap");
        json_begin_map(w);
        kubelet_summary_time(w, "time", swap->timestamp);
        add_value(w, "swapAvailableBytes", swap->swap_available_bytes);
        add_value(w, "swapUsageBytes", swap->swap_usage_bytes);
        json_end_map(w);
}

void kubelet_summary_fs_members(struct json_writer *w, const struct kubelet_fs *fs, int64_t time_ns) {
        kubelet_summary_time(w, "time", time_ns);
        kubelet_summary_number(w, "availableBytes", fs->available);
        kubelet_summary_number(w, "capacityBytes", fs->capacity);
        kubelet_summary_number(w, "usedBytes", fs->used);
        kubelet_summary_number(w, "inodesFree", fs->inodes_free);
        kubelet_summary_number(w, "inodes", fs->inodes);
        kubelet_summary_number(w, "inodesUsed", fs->inodes_used);
}

/* A file system with what of it is used by whom it is told of. */
void kubelet_summary_fs(struct json_writer *w, const char *key, const struct kubelet_fs *fs, int64_t time_ns) {
        json_key(w, key);
        json_begin_map(w);
        kubelet_summary_fs_members(w, fs, time_ns);
        json_end_map(w);
}

/* -- the request: pods' files and cgroups, then the images, then what pods use ------------------------------ */

static void read_file_systems(struct kubelet_summary *s) {
        const struct options *o = s->kubelet->world.options;
        const char *images = arena_printf(s->arena, "%s/images", o->root_dir);

        s->has_node_fs = kubelet_fs_read(o->root_dir, &s->node_fs);
        s->has_image_fs = images && kubelet_fs_read(images, &s->image_fs);
        s->image_fs.used = s->survey->image_bytes;
        s->image_fs.inodes_used = s->survey->image_inodes;
}

static void on_stats(struct kubelet_call *call, const ProtobufCMessage *message, const struct err *err) {
        const Cri__ListPodSandboxStatsResponse *response = (const Cri__ListPodSandboxStatsResponse *)message;
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        struct kubelet_summary s = { .kubelet = call->q->kubelet, .w = &w, .arena = call->arena, .survey = call->data };

        if (err)
                return kubelet_text(call->q, 500, "%s\n", err_text(err));
        kubelet_node_stats_read(&s.node);
        read_file_systems(&s);
        json_begin_map(&w);
        json_key(&w, "node");
        kubelet_summary_node(&s);
        json_key(&w, "pods");
        json_begin_list(&w);
        for (size_t i = 0; i < response->n_stats; i++)
                kubelet_summary_pod(&s, response->stats[i]);
        json_end_list(&w);
        json_end_map(&w);
        kubelet_answer_json(call->q, &w);
}

/* The survey goes with the call. NULL without memory, when the exchange was reset. */
static struct kubelet_call *new_call(struct kubelet_survey *survey,
                                     void (*done)(struct kubelet_call *call, const ProtobufCMessage *message,
                                                  const struct err *err)) {
        struct kubelet_call *call = kubelet_call_new(survey->q);

        if (!call) {
                kubelet_survey_free(survey);
                return NULL;
        }
        call->data = survey;
        call->freed = kubelet_survey_free;
        call->done = done;
        return call;
}

static void ask_stats(struct kubelet_survey *survey) {
        struct kubelet_call *call = new_call(survey, on_stats);

        if (call)
                kubelet_call_stats(call);
}

static void on_images(struct kubelet_call *call, const ProtobufCMessage *message, const struct err *err) {
        const Cri__ImageFsInfoResponse *response = (const Cri__ImageFsInfoResponse *)message;
        struct kubelet_survey *survey = TAKE_PTR(call->data);

        if (!err && response->n_image_filesystems > 0) {
                const Cri__FilesystemUsage *usage = response->image_filesystems[0];

                survey->image_bytes = usage->used_bytes ? usage->used_bytes->value : 0;
                survey->image_inodes = usage->inodes_used ? usage->inodes_used->value : 0;
        }
        ask_stats(survey);
}

static void on_surveyed(struct kubelet_survey *survey) {
        struct kubelet_call *call;
        Cri__ImageFsInfoRequest *request;

        if (survey->only_use)
                return ask_stats(survey);
        if (!(call = new_call(survey, on_images)))
                return;
        if (!(request = arena_new_of(call->arena, Cri__ImageFsInfoRequest))) {
                http_reset(call->q->x, -ENOMEM);
                return kubelet_call_free(call);
        }
        cri__image_fs_info_request__init(request);
        kubelet_call_start(call, CRI_IMAGE_FS_INFO, &request->base);
}

void kubelet_serve_summary(struct kubelet_request *q) {
        const char *only = kubelet_query(q, "only_cpu_and_memory");

        kubelet_survey_run(q, only && strcmp(only, "true") == 0, on_surveyed);
}
