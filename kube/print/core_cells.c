/* Cells of events, quotas and component statuses. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "kube/print/age.h"
#include "kube/print/cells.h"
#include "kube/print/text.h"
#include "lib/json_writer.h"

static const char *next_path(const char *path) {
        path += strcspn(path, " ");
        return path + (*path == ' ');
}

static bool has_series(const struct print_row *row) {
        return print_find(row->object, "series");
}

/* The first time of @paths that is there. */
static void write_first_time(struct print_row *row, const char *paths) {
        struct kube_time time = { 0 };
        char text[PRINT_AGE_MAX];

        for (; *paths && !time.set; paths = next_path(paths))
                time = print_find_time(row->object, paths);
        json_string(row->out, print_age(&time, row->now, text));
}

/* The series' time, which is the last path; or else the first of the others. */
void print_event_last(struct print_row *row, const struct print_column *column) {
        write_first_time(row, has_series(row) ? "series.lastObservedTime" : column->path);
}

void print_event_first(struct print_row *row, const struct print_column *column) {
        write_first_time(row, column->path);
}

void print_event_count(struct print_row *row, const struct print_column *column) {
        int64_t n = print_find_int(row->object, column->path);

        json_int(row->out, has_series(row) ? print_find_int(row->object, "series.count") : n ? n : 1);
}

/* "pod/web" */
void print_event_object(struct print_row *row, const struct print_column *column) {
        const char *kind = print_find_text(row->object, column->path, "");
        const char *name = print_find_text(row->object, next_path(column->path), "");
        struct print_text text = { .arena = row->arena };

        for (; *kind; kind++)
                print_text_add(&text, "%c", tolower(*kind));
        if (*name)
                print_text_add(&text, "/%s", name);
        print_text_cell(row, &text, NULL);
}

/* Four paths: the component, or else the controller; the host, or else the instance. */
void print_event_source(struct print_row *row, const struct print_column *column) {
        const char *path = column->path, *found[] = { "", "", "", "" };
        struct print_text text = { .arena = row->arena };

        for (size_t i = 0; i < sizeof(found) / sizeof(found[0]) && *path; i++, path = next_path(path))
                found[i] = print_find_text(row->object, path, "");
        print_text_put(&text, *found[0] ? found[0] : found[1]);
        if (*found[2] || *found[3])
                print_text_add(&text, ", %s", *found[2] ? found[2] : found[3]);
        print_text_cell(row, &text, NULL);
}

/* Without the blanks around it. */
void print_event_message(struct print_row *row, const struct print_column *column) {
        const char *text = print_find_text(row->object, column->path, "");
        size_t length;

        text += strspn(text, " \t\n\v\f\r");
        length = strlen(text);
        while (length > 0 && strchr(" \t\n\v\f\r", text[length - 1]))
                length--;
        json_string_length(row->out, text, length);
}

/* "pods: 1/10, ..." of those that are limits, or of those that are not. */
static void write_quota(struct print_row *row, bool limits) {
        const struct value *hard = print_find(row->object, "status.hard"),
                           *used = print_find(row->object, "status.used");
        const struct value_member *const *member = print_sorted_members(row, hard);
        struct print_text text = { .arena = row->arena };

        for (; member && *member; member++) {
                const char *name = (*member)->key;

                if ((strncmp(name, "limits.", 7) == 0) != limits)
                        continue;
                print_text_join(&text, ", ", name);
                print_text_add(&text, ": %s/%s", value_string_or(value_get(used, name), "0"),
                               value_string_or(&(*member)->value, "0"));
        }
        print_text_cell(row, &text, NULL);
}

void print_quota_requests(struct print_row *row, const struct print_column *column) {
        write_quota(row, false);
}

void print_quota_limits(struct print_row *row, const struct print_column *column) {
        write_quota(row, true);
}

void print_component_status(struct print_row *row, const struct print_column *column) {
        const struct value *healthy = print_find_item(print_find(row->object, "conditions"), "type", "Healthy");
        const char *status = print_find_text(healthy, "status", "");

        json_string(row->out, !healthy ? "Unknown" : strcmp(status, "True") == 0 ? "Healthy" : "Unhealthy");
}

void print_component_text(struct print_row *row, const struct print_column *column) {
        json_string(row->out, print_find_text(print_find_item(print_find(row->object, "conditions"), "type", "Healthy"),
                                              column->other, ""));
}
