/* Which columns a kind has. */
#include <string.h>

#include "kube/print/column.h"
#include "kube/print/table.h"
#include "lib/cleanup.h"

static const struct print_column default_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Created At", "date", 0, PRINT_DATE, "metadata.creationTimestamp", NULL, print_age_text),
};

static const struct print_columns others = { .columns = default_columns,
                                             .n = ELEMENTS(default_columns),
                                             .null_rows = true };

static const struct print_kind *const tables[] = {
        print_core_kinds,   print_node_kinds,   print_workload_kinds, print_network_kinds, print_storage_kinds,
        print_access_kinds, print_policy_kinds, print_resource_kinds, print_system_kinds,
};

const struct print_columns *print_columns_of(const char *group, const char *version, const char *kind) {
        for (size_t i = 0; i < ELEMENTS(tables); i++)
                for (const struct print_kind *at = tables[i]; at->kind; at++)
                        if (strcmp(at->kind, kind) == 0 && strcmp(at->group, group) == 0 &&
                            (!at->version || strcmp(at->version, version) == 0))
                                return &at->columns;
        return &others;
}
