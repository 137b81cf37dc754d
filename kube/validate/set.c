/* Texts that are there once. */
#include <errno.h>

#include "kube/validate/common.h"

struct entry {
        struct table_node node;
        uint32_t index;
};

bool validate_set_add(struct validation *v, struct validate_set *set, const char *text) {
        struct entry *entry;
        int error;

        if (table_find(&set->table, text ?: ""))
                return false;
        entry = validate_alloc(v, 1, sizeof(*entry));
        error = entry ? table_add(&set->table, &entry->node, text ?: "") : -ENOMEM;
        if (error < 0)
                v->error = error;
        else
                entry->index = set->n++;
        return true;
}

bool validate_set_has(const struct validate_set *set, const char *text) {
        return table_find(&set->table, text ?: "");
}

int64_t validate_set_find(const struct validate_set *set, const char *text) {
        const struct entry *entry = table_object(table_find(&set->table, text ?: ""), struct entry, node);

        return entry ? (int64_t)entry->index : -1;
}

void validate_set_clear(struct validate_set *set) {
        table_clear(&set->table);
}
