/* The targets of a HorizontalPodAutoscaler: "cpu: 12%/80%, requests: 5/10 + 1 more...". */
#include <inttypes.h>
#include <string.h>

#include "kube/print/cells.h"
#include "kube/print/text.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "lib/json_writer.h"

#define SHOWN 2
#define CPU_DEFAULT 80 /* percent, where version 1 says nothing */

/* Where a source keeps what it is about. Version 2 has one way for all, version 1, in annotations, one each. */
struct scaler_source {
        const char *type, *member;
        const char *name;                      /* shown first; NULL: no */
        const char *value, *average, *percent; /* of the target; NULL: it has none */
        const char *now_value, *now_average, *now_percent;
        bool marked;      /* an average is marked as one */
        const char *none; /* for an amount that is not given */
};

#define TARGET "target.value", "target.averageValue", "target.averageUtilization"
#define CURRENT "current.value", "current.averageValue", "current.averageUtilization"
#define OLD_RESOURCE                                                                                                   \
        "name", NULL, "targetAverageValue", "targetAverageUtilization", NULL, "currentAverageValue",                   \
                "currentAverageUtilization", false, "0"

static const struct scaler_source sources[] = {
        { "External", "external", NULL, TARGET, CURRENT, true, "<nil>" },
        { "Pods", "pods", NULL, TARGET, CURRENT, false, "<nil>" },
        { "Object", "object", NULL, TARGET, CURRENT, true, "<nil>" },
        { "Resource", "resource", "name", TARGET, CURRENT, false, "<nil>" },
        { "ContainerResource", "containerResource", "name", TARGET, CURRENT, false, "<nil>" },
        { .type = NULL },
};

static const struct scaler_source old_sources[] = {
        { "External", "external", NULL, "targetValue", "targetAverageValue", NULL, "currentValue",
          "currentAverageValue", NULL, true, "0" },
        { "Pods", "pods", NULL, NULL, "targetAverageValue", NULL, NULL, "currentAverageValue", NULL, false, "0" },
        { "Object", "object", NULL, "targetValue", "averageValue", NULL, "currentValue", "averageValue", NULL, true,
          "0" },
        { "Resource", "resource", OLD_RESOURCE },
        { "ContainerResource", "containerResource", OLD_RESOURCE },
        { .type = NULL },
};

struct scaler {
        const struct scaler_source *sources;
        const struct value *metrics, *statuses;
        int64_t cpu;     /* percent that version 1 wants, behind all others; -1: none */
        int64_t now_cpu; /* -1: not known */
};

static void put_percent(struct print_text *text, const struct value *inner, const char *path, const char *fallback) {
        if (path && print_find(inner, path))
                print_text_add(text, "%" PRId64 "%%", print_find_int(inner, path));
        else
                print_text_put(text, fallback);
}

/* An average that is not given is not known where it is one of two ways to say it. */
static const char *amount(const struct value *status, const char *path, const char *none) {
        return status && path ? print_find_text(status, path, none) : "<unknown>";
}

static void put_metric(struct print_text *text, const struct scaler_source *source, const struct value *metric,
                       const struct value *status) {
        const char *average = print_find_text(metric, source->average, NULL);

        if (source->name)
                print_text_add(text, "%s: ", print_find_text(metric, source->name, ""));
        if (average || strcmp(source->type, "Pods") == 0) {
                print_text_add(text, "%s/%s%s",
                               amount(status, source->now_average, source->marked ? "<unknown>" : source->none),
                               average ? average : source->none, source->marked ? " (avg)" : "");
        } else if (source->name) {
                put_percent(text, status, source->now_percent, "<unknown>");
                print_text_put(text, "/");
                put_percent(text, metric, source->percent, "<auto>");
        } else {
                print_text_add(text, "%s/%s", amount(status, source->now_value, source->none),
                               print_find_text(metric, source->value, source->none));
        }
}

static void put_at(struct print_text *text, const struct scaler *scaler, uint32_t index) {
        const struct value *metric = value_at(scaler->metrics, index), *status = value_at(scaler->statuses, index);
        const char *type = print_find_text(metric, "type", "");
        const struct scaler_source *source = scaler->sources;

        while (source->type && strcmp(source->type, type) != 0)
                source++;
        if (source->type)
                put_metric(text, source, print_find(metric, source->member), print_find(status, source->member));
        else
                print_text_put(text, "<unknown type>");
}

static void put_cpu(struct print_text *text, const struct scaler *scaler, uint32_t index) {
        const struct value *status = print_find(value_at(scaler->statuses, index), "resource");

        print_text_put(text, "cpu: ");
        if (!scaler->statuses && index == 0 && scaler->now_cpu >= 0)
                print_text_add(text, "%" PRId64 "%%", scaler->now_cpu);
        else
                put_percent(text, status, "currentAverageUtilization", "<unknown>");
        print_text_add(text, "/%" PRId64 "%%", scaler->cpu);
}

static void write_targets(struct print_row *row, const struct scaler *scaler) {
        uint32_t listed = value_count(scaler->metrics), n = listed + (scaler->cpu >= 0);
        struct print_text text = { .arena = row->arena };

        for (uint32_t i = 0; i < n && i < SHOWN; i++) {
                print_text_put(&text, i ? ", " : "");
                if (i < listed)
                        put_at(&text, scaler, i);
                else
                        put_cpu(&text, scaler, i);
        }
        if (n > SHOWN)
                print_text_add(&text, " + %u more...", n - SHOWN);
        print_text_cell(row, &text, "<none>");
}

void print_scaler_targets(struct print_row *row, const struct print_column *column) {
        const struct scaler scaler = { sources, print_find(row->object, "spec.metrics"),
                                       print_find(row->object, "status.currentMetrics"), -1, -1 };

        write_targets(row, &scaler);
}

/* The list in an annotation; NULL when there is none, or it is none. */
static const struct value *annotated(struct print_row *row, const char *name) {
        const char *text = value_string(value_get(print_find(row->object, "metadata.annotations"), name));
        const struct value *list = NULL;

        if (!text || json_parse(row->arena, text, strlen(text), NULL, &list, NULL) < 0)
                return NULL;
        return value_is(list, VALUE_LIST) ? list : NULL;
}

static int64_t percent_of(const struct value *object, const char *path) {
        return print_find(object, path) ? print_find_int(object, path) : -1;
}

void print_old_scaler_targets(struct print_row *row, const struct print_column *column) {
        struct scaler scaler = {
                .sources = old_sources,
                .metrics = annotated(row, "autoscaling.alpha.kubernetes.io/metrics"),
                .statuses = annotated(row, "autoscaling.alpha.kubernetes.io/current-metrics"),
                .cpu = percent_of(row->object, "spec.targetCPUUtilizationPercentage"),
                .now_cpu = percent_of(row->object, "status.currentCPUUtilizationPercentage"),
        };

        if (value_count(scaler.metrics) == 0 && scaler.cpu < 0)
                scaler.cpu = CPU_DEFAULT;
        write_targets(row, &scaler);
}
