/* What a client asks of the host's logs: a query of any bytes that a target may have. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/kubelet/log_query.h"
#include "lib/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena *arena = arena_new();
        char *text = strndup((const char *)data, size);
        struct kubelet_log_refusal refusal;
        struct kubelet_log_query query;

        if (arena && text && kubelet_log_query_read(arena, text, "", &query, &refusal) == 0 && !refusal.text)
                if (query.n_services > LOG_QUERY_SERVICES_MAX || (query.n_services == 0) == !query.file ||
                    query.options.tail_lines < -1 || query.options.tail_lines > LOG_QUERY_TAIL_MAX ||
                    query.options.boot > 0)
                        abort();
        free(text);
        arena_free(arena);
        return 0;
}
