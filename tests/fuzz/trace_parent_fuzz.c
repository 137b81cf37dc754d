/* traceparent headers of any bytes: what is taken is what it says. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/trace/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *write_hex(char *to, const uint8_t *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                to += sprintf(to, "%02x", bytes[i]);
        return to;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct trace_parent parent = { .decision = TRACE_NONE };
        char text[TRACE_PARENT_SIZE + 1], *p = text;

        if (trace_parent_parse((const char *)data, size, &parent) < 0) {
                if (parent.decision != TRACE_NONE)
                        abort();
                return 0;
        }
        *p++ = '-';
        p = write_hex(p, parent.trace_id, TRACE_ID_SIZE);
        *p++ = '-';
        p = write_hex(p, parent.span_id, SPAN_ID_SIZE);
        *p++ = '-';
        if (memcmp(data + 2, text, (size_t)(p - text)) != 0 || parent.decision == TRACE_NONE || !parent.remote)
                abort();
        return 0;
}
