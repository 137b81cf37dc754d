/* YAML of any bytes; what is read can be written as JSON, which reads as the same. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct value_options options = { .name = "fuzz", .bytes_max = 64 * 1024, .nodes_max = 4096 };
        struct arena *arena = arena_new();
        const struct value *value, *again;
        struct err *err = NULL;
        char *text = NULL;
        size_t length;

        if (yaml_parse_all(arena, (const char *)data, size, &options, &value, &err) >= 0) {
                if (json_format(value, false, &text, &length) < 0 ||
                    json_parse(arena, text, length, NULL, &again, NULL) < 0 || !value_equal(value, again))
                        abort();
        } else if (!err) {
                abort();
        }
        err_free(err);
        free(text);
        arena_free(arena);
        return 0;
}
