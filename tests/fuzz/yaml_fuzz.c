/* YAML of any bytes, all documents of it and as kubelet reads a manifest; what is read can be written as JSON, which
 * reads as the same. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hear(void *data, uint32_t line, const char *text) {
        if (line == 0 || !text[0])
                abort();
}

static void check(struct arena *arena, const struct value *value) {
        const struct value *again;
        char *text = NULL;
        size_t length;

        if (json_format(value, false, &text, &length) < 0 || json_parse(arena, text, length, NULL, &again, NULL) < 0 ||
            !value_equal(value, again))
                abort();
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct value_options options = { .name = "fuzz", .bytes_max = 64 * 1024, .nodes_max = 4096 };
        struct value_options lenient = options;
        struct arena *arena = arena_new();
        const struct value *value;
        struct err *err = NULL;

        lenient.warn = hear;
        if (yaml_parse_all(arena, (const char *)data, size, &options, &value, &err) >= 0)
                check(arena, value);
        else if (!err)
                abort();
        err = err_free(err);
        if (yaml_parse(arena, (const char *)data, size, &lenient, &value, &err) >= 0)
                check(arena, value);
        else if (!err)
                abort();
        err_free(err);
        arena_free(arena);
        return 0;
}
