#include "api/print/columns.h"

#include <string.h>

#include "api/print/cells.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"

#define NAME { "Name", "string", "name", 0, print_text, "metadata.name" }
#define AGE { "Age", "string", "", 0, print_since, "metadata.creationTimestamp" }
#define TEXT(title, path) { title, "string", "", 0, print_text, path }
#define OR_NONE(title, path) { title, "string", "", 0, print_text_or_none, path }
#define OR_UNSET(title, path) { title, "string", "", 0, print_text_or_unset, path }
#define NUMBER(title, path) { title, "integer", "", 0, print_number, path }
#define COUNT(title, path) { title, "integer", "", 0, print_count, path }
#define TRUTH(title, path) { title, "boolean", "", 0, print_truth, path }
#define OWN(title, cell) { title, "string", "", 0, print_##cell, "" }
#define WIDE(title, cell, path) { title, "string", "", 1, print_##cell, path }
#define CONTAINERS(path) WIDE("Containers", container_names, path), WIDE("Images", container_images, path)

static const struct print_column usual[] = { NAME,
                                             { "Created At", "date", "", 0, print_time, "metadata.creationTimestamp" } };

static const struct print_column configmaps[] = { NAME, { "Data", "string", "", 0, print_data, "" }, AGE };
static const struct print_column secrets[] = { NAME, TEXT("Type", "type"),
                                               { "Data", "string", "", 0, print_data, "" }, AGE };
static const struct print_column namespaces[] = { NAME, TEXT("Status", "status.phase"), AGE };
static const struct print_column name_age[] = { NAME, AGE };

static const struct {
        const char *group, *resource;
        const struct print_column *columns;
        uint32_t n;
} tables[] = {
#define TABLE(group, resource, columns) { group, resource, columns, ELEMENTS(columns) }
        TABLE("", "configmaps", configmaps),
        TABLE("", "namespaces", namespaces),
        TABLE("", "secrets", secrets),
        TABLE("", "serviceaccounts", name_age),
};

const struct print_column *print_columns_of(const struct kube_kind *kind, uint32_t *ret_n) {
        for (size_t i = 0; i < ELEMENTS(tables); i++)
                if (strcmp(tables[i].resource, kind->resource) == 0 && strcmp(tables[i].group, kind->group) == 0) {
                        *ret_n = tables[i].n;
                        return tables[i].columns;
                }
        *ret_n = ELEMENTS(usual);
        return usual;
}
