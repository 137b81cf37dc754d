/* Cells of what makes pods. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "kube/print/age.h"
#include "kube/print/cells.h"
#include "kube/print/text.h"
#include "kube/selector/label.h"
#include "lib/json_writer.h"

void print_deployment_selector(struct print_row *row, const struct print_column *column) {
        const char *text = NULL;
        int r = selector_label_text(row->arena, print_find(row->object, column->path), &text);

        if (r == -ENOMEM)
                json_writer_fail(row->out, r);
        else
                json_string(row->out, r < 0 ? "<invalid>" : text);
}

/* "controller.apps/NAME" of who owns the revision. */
void print_revision_controller(struct print_row *row, const struct print_column *column) {
        const struct value *owners = print_find(row->object, column->path);
        struct print_text text = { .arena = row->arena };

        for (uint32_t i = 0; i < value_count(owners); i++) {
                const struct value *owner = value_at(owners, i);
                const char *version = print_find_text(owner, "apiVersion", ""), *slash = strchr(version, '/');
                const char *kind = print_find_text(owner, "kind", "");

                if (!value_bool_or(value_get(owner, "controller"), false))
                        continue;
                for (; *kind; kind++)
                        print_text_add(&text, "%c", tolower(*kind));
                if (slash && slash > version)
                        print_text_put(&text, ".");
                for (; slash && version < slash; version++)
                        print_text_add(&text, "%c", tolower(*version));
                print_text_add(&text, "%s%s", print_text_end(&text) && *print_text_end(&text) ? "/" : "",
                               print_find_text(owner, "name", ""));
                print_text_cell(row, &text, NULL);
                return;
        }
        json_string(row->out, "<none>");
}

/* The first condition of @type is true. */
static bool is_true(const struct value *conditions, const char *type) {
        return strcmp(print_find_text(print_find_item(conditions, "type", type), "status", ""), "True") == 0;
}

void print_job_status(struct print_row *row, const struct print_column *column) {
        /* What is first in the list and true is told; deletion is told behind the two that are final. */
        static const struct {
                const char *type, *text;
        } states[] = {
                { "Complete", "Complete" },
                { "Failed", "Failed" },
                { NULL, "Terminating" },
                { "Suspended", "Suspended" },
                { "FailureTarget", "FailureTarget" },
                { "SuccessCriteriaMet", "SuccessCriteriaMet" },
        };
        const struct value *conditions = print_find(row->object, "status.conditions");

        for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
                if (states[i].type ? is_true(conditions, states[i].type) :
                                     print_find(row->object, "metadata.deletionTimestamp") != NULL) {
                        json_string(row->out, states[i].text);
                        return;
                }
        json_string(row->out, "Running");
}

void print_job_completions(struct print_row *row, const struct print_column *column) {
        int64_t done = print_find_int(row->object, "status.succeeded");
        int64_t parallel = print_find_int(row->object, "spec.parallelism");
        struct print_text text = { .arena = row->arena };

        if (print_find(row->object, "spec.completions"))
                print_text_add(&text, "%" PRId64 "/%" PRId64, done, print_find_int(row->object, "spec.completions"));
        else if (parallel > 1)
                print_text_add(&text, "%" PRId64 "/1 of %" PRId64, done, parallel);
        else
                print_text_add(&text, "%" PRId64 "/1", done);
        print_text_cell(row, &text, NULL);
}

void print_job_duration(struct print_row *row, const struct print_column *column) {
        struct kube_time start = print_find_time(row->object, "status.startTime");
        struct kube_time end = print_find_time(row->object, "status.completionTime");
        char text[PRINT_AGE_MAX];

        json_string(row->out, start.set ? print_between(&start, end.set ? &end : row->now, text) : "");
}

void print_bool_text(struct print_row *row, const struct print_column *column) {
        const struct value *value = print_find(row->object, column->path);

        json_string(row->out, !value ? "<unset>" : value_bool_or(value, false) ? "True" : "False");
}

/* "KIND/NAME" by two paths. */
void print_kind_and_name(struct print_row *row, const struct print_column *column) {
        struct print_text text = { .arena = row->arena };

        print_text_add(&text, "%s/%s", print_find_text(row->object, column->path, ""),
                       print_find_text(row->object, strchr(column->path, ' ') + 1, ""));
        print_text_cell(row, &text, NULL);
}
