/* Numbers as Go's strconv reads them in base 10: no blanks, nothing behind them, not empty. */
#pragma once

#include <stdint.h>

/* strconv.ParseInt and ParseUint of 64 bits: only the first takes a sign. 0; -EINVAL: it is no number; -ERANGE: one
 * that does not fit. */
int go_number_int(const char *text, int64_t *ret);
int go_number_uint(const char *text, uint64_t *ret);

/* What is counted behind @n: behind the largest is the smallest, as in Go. */
static inline int64_t go_number_next(int64_t n) {
        return (int64_t)((uint64_t)n + 1);
}

/* What Go says of either error: "invalid syntax", "value out of range". */
const char *go_number_error(int error);
