/* Label and field selectors, and JSONPaths: what is read is written and read again the same, and means the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/print/table.h"
#include "kube/selector/field.h"
#include "kube/selector/label.h"
#include "lib/arena.h"
#include "lib/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A label's value made of its key: the same for both selectors. */
static const char *look_up(const void *data, const char *key) {
        static const char *const values[] = { NULL, "", "a", "1", "-7" };

        return values[(strlen(key) + *(const size_t *)data) % (sizeof(values) / sizeof(values[0]))];
}

static void try_labels(struct arena *arena, const char *text, size_t size) {
        struct selector_labels selector, again;
        const char *written, *rewritten;
        struct err *err = NULL;

        if (selector_label_parse(arena, text, size, &selector, &err) < 0) {
                if (!err)
                        abort();
                err_free(err);
                return;
        }
        if (selector_label_format(arena, &selector, &written) < 0 ||
            selector_label_parse(arena, written, strlen(written), &again, NULL) < 0 ||
            selector_label_format(arena, &again, &rewritten) < 0 || strcmp(written, rewritten) != 0)
                abort();
        for (size_t i = 0; i < 5; i++)
                if (selector_label_matches(&selector, look_up, &i) != selector_label_matches(&again, look_up, &i))
                        abort();
}

static void try_fields(struct arena *arena, const char *text, size_t size) {
        const struct selector_field_kind *kind = selector_field_kind_of("", "v1", "Event");
        struct selector_fields selector, again;
        const char *written, *rewritten;
        struct err *err = NULL;

        if (selector_field_parse(arena, kind, &(struct selector_query){ "v1", text, size }, &selector, &err) < 0) {
                if (!err)
                        abort();
                err_free(err);
                return;
        }
        if (selector_field_format(arena, &selector, &written) < 0 ||
            selector_field_parse(arena, kind, &(struct selector_query){ "v1", written, strlen(written) }, &again,
                                 NULL) < 0 ||
            selector_field_format(arena, &again, &rewritten) < 0 || selector.n != again.n)
                abort();
}

static void try_path(struct arena *arena, const char *text, size_t size) {
        const struct print_definition definition = { .name = "C",
                                                     .type = "string",
                                                     .json_path = arena_strndup(arena, text, size) };
        struct print_columns *columns;

        if (definition.json_path && print_columns_new(&definition, 1, &columns, NULL) == 0)
                print_columns_free(columns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena *arena = arena_new();

        try_labels(arena, (const char *)data, size);
        try_fields(arena, (const char *)data, size);
        try_path(arena, (const char *)data, size);
        arena_free(arena);
        return 0;
}
