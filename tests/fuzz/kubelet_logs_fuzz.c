/* What a client asks of a log: a query of any bytes that a target may have. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/kubelet/log_options.h"
#include "lib/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena *arena = arena_new();
        char *query = strndup((const char *)data, size);
        struct kubelet_log_options options;

        if (arena && query && kubelet_log_options_read(arena, query, INT64_C(1800000000000000000), &options) == 0)
                if (options.logs.tail_lines < -1 || options.logs.limit_bytes == 0 ||
                    (options.logs.no_stdout && options.logs.no_stderr))
                        abort();
        free(query);
        arena_free(arena);
        return 0;
}
