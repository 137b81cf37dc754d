/* JSON of any bytes; what is read is written, and reads as the same again; what the fast reader takes the other one
 * reads to the same tree, places included. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/arena.h"
#include "lib/json.h"
#include "lib/json_readers.h"
#include "lib/json_writer.h"
#include "lib/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_places(const struct value *a, const struct value *b) {
        bool same = a->kind == b->kind && a->line == b->line && a->column == b->column;

        for (uint32_t i = 0; same && a->kind == VALUE_LIST && i < a->count; i++)
                same = same_places(&a->items[i], &b->items[i]);
        for (uint32_t i = 0; same && a->kind == VALUE_MAP && i < a->count; i++)
                same = a->members[i].line == b->members[i].line && a->members[i].column == b->members[i].column &&
                       same_places(&a->members[i].value, &b->members[i].value);
        return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct value_options options = { .name = "fuzz", .bytes_max = 64 * 1024, .nodes_max = 4096 };
        struct arena *arena = arena_new();
        const struct value *value, *again;
        char *text = NULL;
        size_t length;

        if (json_parse(arena, (const char *)data, size, &options, &value, NULL) >= 0) {
                if (json_format(value, true, &text, &length) < 0 ||
                    json_parse(arena, text, length, NULL, &again, NULL) < 0 || !value_equal(value, again))
                        abort();
        }
        if (json_read_fast(arena, (const char *)data, size, &options, &value) == 0 &&
            (json_read_words(arena, (const char *)data, size, &options, &again, NULL) < 0 ||
             !value_equal(value, again) ||
             (value->kind >= VALUE_STRING && !same_places(value, again)))) /* yajl tells late of a bare number */
                abort();
        free(text);
        arena_free(arena);
        return 0;
}
