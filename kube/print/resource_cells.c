/* Cells of claims, pools of devices, groups of pods, flow control and other servers. */
#include <inttypes.h>
#include <string.h>

#include "kube/print/age.h"
#include "kube/print/cells.h"
#include "kube/print/text.h"
#include "lib/json_writer.h"

void print_claim_state(struct print_row *row, const struct print_column *column) {
        bool deleted = print_find(row->object, "metadata.deletionTimestamp");
        bool allocated = print_find(row->object, "status.allocation");
        struct print_text text = { .arena = row->arena };

        if (deleted)
                print_text_join(&text, ",", "deleted");
        if (allocated)
                print_text_join(&text, ",", "allocated");
        else if (!deleted)
                print_text_join(&text, ",", "pending");
        if (allocated && value_count(print_find(row->object, "status.reservedFor")) > 0)
                print_text_join(&text, ",", "reserved");
        print_text_cell(row, &text, NULL);
}

/* The first condition that is true of the two that end a request; NULL when there is none. */
static const struct value *end_of(const struct print_row *row) {
        const struct value *conditions = print_find(row->object, "status.conditions");

        for (uint32_t i = 0; i < value_count(conditions); i++) {
                const struct value *condition = value_at(conditions, i);
                const char *type = print_find_text(condition, "type", "");

                if (strcmp(print_find_text(condition, "status", ""), "True") == 0 &&
                    (strcmp(type, "Complete") == 0 || strcmp(type, "Failed") == 0))
                        return condition;
        }
        return NULL;
}

static bool ended_as(const struct print_row *row, const char *type) {
        return strcmp(print_find_text(end_of(row), "type", ""), type) == 0;
}

/* What is summed up of a request's pools; none of one that has failed or was not begun. */
static bool has_pools(const struct print_row *row) {
        return print_find(row->object, "status") && !ended_as(row, "Failed");
}

static void write_sum(struct print_row *row, int64_t sum) {
        struct print_text text = { .arena = row->arena };

        print_text_add(&text, "%" PRId64, sum);
        print_text_cell(row, &text, NULL);
}

void print_pool_devices(struct print_row *row, const struct print_column *column) {
        const struct value *pools = print_find(row->object, "status.pools");
        int64_t sum = 0;

        for (uint32_t i = 0; i < value_count(pools); i++)
                sum += print_find_int(value_at(pools, i), column->other);
        if (has_pools(row))
                write_sum(row, (int32_t)sum);
        else
                json_string(row->out, "-");
}

void print_pool_errors(struct print_row *row, const struct print_column *column) {
        const struct value *pools = print_find(row->object, "status.pools");
        int64_t sum = 0;

        for (uint32_t i = 0; i < value_count(pools); i++)
                sum += print_find(value_at(pools, i), "validationError") != NULL;
        if (has_pools(row))
                write_sum(row, sum);
        else
                json_string(row->out, "-");
}

void print_pool_status(struct print_row *row, const struct print_column *column) {
        uint32_t listed = value_count(print_find(row->object, "status.pools"));
        int64_t n = print_find_int(row->object, "status.poolCount");
        struct print_text text = { .arena = row->arena };

        print_text_put(&text, print_find_text(end_of(row), "type", "Pending"));
        if (ended_as(row, "Complete") && n > listed)
                print_text_add(&text, " (%u/%" PRId64 " pools)", listed, n);
        print_text_cell(row, &text, NULL);
}

void print_pool_completed(struct print_row *row, const struct print_column *column) {
        struct kube_time time = print_find_time(end_of(row), "lastTransitionTime");
        char text[PRINT_AGE_MAX];

        json_string(row->out, ended_as(row, "Complete") ? print_age(&time, row->now, text) : "<none>");
}

void print_group_policy(struct print_row *row, const struct print_column *column) {
        json_string(row->out, print_find(row->object, column->path) ? "Gang" : "Basic");
}

/* The last condition of @type. */
static const struct value *last_of(const struct value *conditions, const char *type) {
        for (uint32_t i = value_count(conditions); i-- > 0;)
                if (strcmp(print_find_text(value_at(conditions, i), "type", ""), type) == 0)
                        return value_at(conditions, i);
        return NULL;
}

void print_group_status(struct print_row *row, const struct print_column *column) {
        const struct value *conditions = print_find(row->object, column->path);
        const struct value *scheduled = last_of(conditions, "PodGroupScheduled");
        const struct value *disrupted = last_of(conditions, "DisruptionTarget");
        const char *status = "Pending";

        if (scheduled)
                status = strcmp(print_find_text(scheduled, "status", ""), "True") == 0 ? "Scheduled" : "Unschedulable";
        json_string(row->out, disrupted ? print_find_text(disrupted, "reason", "") : status);
}

void print_flow_dangling(struct print_row *row, const struct print_column *column) {
        const struct value *dangling = print_find_item(print_find(row->object, column->path), "type", "Dangling");

        json_string(row->out, dangling ? print_find_text(dangling, "status", "") : "?");
}

int64_t print_flow_rank(const struct value *object) {
        return print_find_int(object, "spec.matchingPrecedence");
}

void print_level_number(struct print_row *row, const struct print_column *column) {
        if (print_find(row->object, column->other))
                json_int(row->out, print_find_int(row->object, column->path));
        else
                json_string(row->out, "<none>");
}

#define VERSIONS_SHOWN 3

void print_storage_versions(struct print_row *row, const struct print_column *column) {
        const struct value *versions = print_find(row->object, column->path);
        uint32_t n = value_count(versions);
        struct print_text text = { .arena = row->arena };

        for (uint32_t i = 0; i < n && i < VERSIONS_SHOWN; i++)
                print_text_add(&text, "%s%s=%s", i ? "," : "",
                               print_find_text(value_at(versions, i), "apiServerID", ""),
                               print_find_text(value_at(versions, i), "encodingVersion", ""));
        if (n > VERSIONS_SHOWN)
                print_text_add(&text, " + %u more...", n - VERSIONS_SHOWN);
        print_text_cell(row, &text, "<unset>");
}

void print_migration_resource(struct print_row *row, const struct print_column *column) {
        const struct value *resource = print_find(row->object, column->path);
        const char *group = print_find_text(resource, "group", "");
        struct print_text text = { .arena = row->arena };

        print_text_add(&text, "%s%s%s", print_find_text(resource, "resource", ""), *group ? "." : "", group);
        print_text_cell(row, &text, NULL);
}

/* The last condition that is true of three. */
void print_migration_status(struct print_row *row, const struct print_column *column) {
        const struct value *conditions = print_find(row->object, column->path);
        const char *status = "Unknown";

        for (uint32_t i = 0; i < value_count(conditions); i++) {
                const char *type = print_find_text(value_at(conditions, i), "type", "");

                if (strcmp(print_find_text(value_at(conditions, i), "status", ""), "True") == 0 &&
                    (strcmp(type, "Running") == 0 || strcmp(type, "Failed") == 0 || strcmp(type, "Succeeded") == 0))
                        status = type;
        }
        json_string(row->out, status);
}

void print_service_reference(struct print_row *row, const struct print_column *column) {
        const struct value *service = print_find(row->object, column->path);
        struct print_text text = { .arena = row->arena };

        if (service)
                print_text_add(&text, "%s/%s", print_find_text(service, "namespace", ""),
                               print_find_text(service, "name", ""));
        print_text_cell(row, &text, "Local");
}

void print_service_available(struct print_row *row, const struct print_column *column) {
        const struct value *available = print_find_item(print_find(row->object, column->path), "type", "Available");
        const char *status = print_find_text(available, "status", available ? "" : "Unknown");
        const char *reason = print_find_text(available, "reason", "");
        struct print_text text = { .arena = row->arena };

        print_text_put(&text, status);
        if (*reason && strcmp(status, "True") != 0)
                print_text_add(&text, " (%s)", reason);
        print_text_cell(row, &text, NULL);
}
