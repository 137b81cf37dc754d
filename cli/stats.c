#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/list.h"
#include "cli/output.h"
#include "cli/resolve.h"

static struct {
        bool all, watch;
        const char *id, *output, *pod;
        int64_t seconds;
        struct cli_values labels;
} options = { .seconds = 1 };

const struct cli_option cli_stats_options[] = {
        { "all", 'a', CLI_FLAG, &options.all, NULL, "show containers that do not run, too" },
        { "id", 0, CLI_TEXT, &options.id, "ID", "only the one with this id" },
        { "label", 0, CLI_LIST, &options.labels, "KEY=VALUE", "only those with this label" },
        { "output", 'o', CLI_TEXT, &options.output, "FORM", "json, yaml or table [table]" },
        { "pod", 'p', CLI_TEXT, &options.pod, "ID", "only containers of this pod" },
        { "seconds", 's', CLI_NUMBER, &options.seconds, "N", "how long to measure the CPU [1]" },
        { "watch", 'w', CLI_FLAG, &options.watch, NULL, "show again and again" },
        {},
};

static const char *wanted_pod; /* --pod as an id */

static int ask_containers(struct cli *cli, const char *id, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__ListContainerStatsRequest request = CRI__LIST_CONTAINER_STATS_REQUEST__INIT;
        Cri__ContainerStatsFilter filter = CRI__CONTAINER_STATS_FILTER__INIT;
        _cleanup_free_ struct label *labels = NULL;
        _cleanup_free_ void *entries = NULL;
        int r;

        r = filter_labels_read(&options.labels, &cri__container_stats_filter__label_selector_entry__descriptor, &labels,
                               &entries, err);
        if (r < 0)
                return r;
        filter.n_label_selector = options.labels.n;
        filter.label_selector = entries;
        filter.id = (char *)(uintptr_t)(id ? id : "");
        filter.pod_sandbox_id = (char *)(uintptr_t)(wanted_pod ? wanted_pod : "");
        request.filter = &filter;
        return cli_call(cli, RUNTIME("ListContainerStats"), &request.base,
                        &cri__list_container_stats_response__descriptor, ret_answer, err);
}

static int ask_pods(struct cli *cli, const char *id, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__ListPodSandboxStatsRequest request = CRI__LIST_POD_SANDBOX_STATS_REQUEST__INIT;
        Cri__PodSandboxStatsFilter filter = CRI__POD_SANDBOX_STATS_FILTER__INIT;
        _cleanup_free_ struct label *labels = NULL;
        _cleanup_free_ void *entries = NULL;
        int r;

        r = filter_labels_read(&options.labels, &cri__pod_sandbox_stats_filter__label_selector_entry__descriptor,
                               &labels, &entries, err);
        if (r < 0)
                return r;
        filter.n_label_selector = options.labels.n;
        filter.label_selector = entries;
        filter.id = (char *)(uintptr_t)(id ? id : "");
        request.filter = &filter;
        return cli_call(cli, RUNTIME("ListPodSandboxStats"), &request.base,
                        &cri__list_pod_sandbox_stats_response__descriptor, ret_answer, err);
}

static uint64_t number(const Cri__UInt64Value *value) {
        return value ? value->value : 0;
}

/* Percent of one CPU between two samples. */
static double cpu_percent(const Cri__CpuUsage *before, const Cri__CpuUsage *after) {
        uint64_t a, b;

        if (!before || !after || after->timestamp <= before->timestamp)
                return 0;
        a = number(before->usage_core_nano_seconds);
        b = number(after->usage_core_nano_seconds);
        return b < a ? 0 : (double)(b - a) * 100 / (double)(after->timestamp - before->timestamp);
}

static const Cri__ContainerStats *find_container(const Cri__ListContainerStatsResponse *answer, const char *id) {
        for (size_t i = 0; i < answer->n_stats; i++)
                if (answer->stats[i]->attributes && strcmp(answer->stats[i]->attributes->id, id) == 0)
                        return answer->stats[i];
        return NULL;
}

static const Cri__PodSandboxStats *find_pod(const Cri__ListPodSandboxStatsResponse *answer, const char *id) {
        for (size_t i = 0; i < answer->n_stats; i++)
                if (answer->stats[i]->attributes && strcmp(answer->stats[i]->attributes->id, id) == 0)
                        return answer->stats[i];
        return NULL;
}

static bool is_shown(const Cri__ContainerStats *stats) {
        return stats->attributes != NULL && (options.all || stats->cpu != NULL || stats->memory != NULL);
}

static void print_containers(const ProtobufCMessage *before, const ProtobufCMessage *after) {
        const Cri__ListContainerStatsResponse *answer = (const Cri__ListContainerStatsResponse *)after;
        struct columns columns;

        columns_begin(&columns, "CONTAINER\tNAME\tCPU %\tMEM\tDISK\tINODES");
        for (size_t i = 0; i < answer->n_stats; i++) {
                const Cri__ContainerStats *s = answer->stats[i], *old;
                char id[FORMAT_MAX], memory[FORMAT_MAX], disk[FORMAT_MAX];

                if (!is_shown(s))
                        continue;
                old = find_container((const Cri__ListContainerStatsResponse *)before, s->attributes->id);
                columns_row(&columns, "%s\t%s\t%.2f\t%s\t%s\t%" PRIu64, format_id(s->attributes->id, id),
                            s->attributes->metadata ? s->attributes->metadata->name : "",
                            cpu_percent(old ? old->cpu : NULL, s->cpu),
                            format_size(s->memory ? number(s->memory->working_set_bytes) : 0, memory),
                            format_size(s->writable_layer ? number(s->writable_layer->used_bytes) : 0, disk),
                            s->writable_layer ? number(s->writable_layer->inodes_used) : 0);
        }
        columns_end(&columns, stdout);
}

static void print_pods(const ProtobufCMessage *before, const ProtobufCMessage *after) {
        const Cri__ListPodSandboxStatsResponse *answer = (const Cri__ListPodSandboxStatsResponse *)after;
        struct columns columns;

        columns_begin(&columns, "POD\tPOD ID\tCPU %\tMEM");
        for (size_t i = 0; i < answer->n_stats; i++) {
                const Cri__PodSandboxStats *s = answer->stats[i], *old;
                char id[FORMAT_MAX], memory[FORMAT_MAX];

                if (!s->attributes || !s->linux)
                        continue;
                old = find_pod((const Cri__ListPodSandboxStatsResponse *)before, s->attributes->id);
                columns_row(&columns, "%s\t%s\t%.2f\t%s", s->attributes->metadata ? s->attributes->metadata->name : "",
                            format_id(s->attributes->id, id),
                            cpu_percent(old && old->linux ? old->linux->cpu : NULL, s->linux->cpu),
                            format_size(s->linux->memory ? number(s->linux->memory->working_set_bytes) : 0, memory));
        }
        columns_end(&columns, stdout);
}

typedef int ask_fn(struct cli *cli, const char *id, struct grpc_unpacked *ret_answer, struct err **err);
typedef void print_fn(const ProtobufCMessage *before, const ProtobufCMessage *after);

static void sleep_between(void) {
        struct timespec time = { .tv_sec = options.seconds };

        nanosleep(&time, NULL);
}

/* One look, or for the table two, with a second between. */
static int look(struct cli *cli, const char *id, ask_fn *ask, print_fn *print, enum output output, struct err **err) {
        _cleanup_unpacked_ struct grpc_unpacked before = {}, after = {};
        int r = ask(cli, id, &before, err);

        if (r < 0 || (output != OUTPUT_TABLE && (r = output_whole(before.message, output, false, err)) < 0))
                return r;
        if (output == OUTPUT_TABLE || options.watch)
                sleep_between();
        if (output != OUTPUT_TABLE)
                return 0;
        if ((r = ask(cli, id, &after, err)) < 0)
                return r;
        print(before.message, after.message);
        return 0;
}

static int show(struct cli *cli, const char *id, ask_fn *ask, print_fn *print, struct err **err) {
        enum output output;
        int r;

        r = output_parse(options.output, OUTPUT_TABLE, &output, err);
        if (r < 0)
                return r;
        do {
                r = look(cli, id, ask, print, output, err);
        } while (r == 0 && options.watch && fflush(stdout) == 0);
        return r;
}

/* The one that is named has to be there; without one, a filter may find nothing. */
static int find(struct cli *cli, const char *name, resolve_fn *resolve, char buffer[RESOLVE_ID_MAX + 1],
                const char **ret_id, struct err **err) {
        if (!name)
                return resolve_filter(cli, options.id, resolve, buffer, ret_id, err);
        *ret_id = buffer;
        return resolve(cli, name, buffer, err);
}

int cli_stats(struct cli *cli, char **arguments, int n, struct err **err) {
        char id[RESOLVE_ID_MAX + 1], pod[RESOLVE_ID_MAX + 1];
        const char *found;
        int r = find(cli, n > 0 ? arguments[0] : NULL, resolve_container, id, &found, err);

        if (r < 0 || (r = resolve_filter(cli, options.pod, resolve_pod, pod, &wanted_pod, err)) < 0)
                return r;
        return show(cli, found, ask_containers, print_containers, err);
}

int cli_statsp(struct cli *cli, char **arguments, int n, struct err **err) {
        char id[RESOLVE_ID_MAX + 1];
        const char *found;
        int r = find(cli, n > 0 ? arguments[0] : NULL, resolve_pod, id, &found, err);

        return r < 0 ? r : show(cli, found, ask_pods, print_pods, err);
}
