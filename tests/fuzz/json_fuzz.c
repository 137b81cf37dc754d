/* JSON of any bytes; what is read is written, and reads as the same again. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/arena.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
        free(text);
        arena_free(arena);
        return 0;
}
