/* Kubernetes' back-off (client-go util/flowcontrol): a delay that doubles with each failure and is forgotten after
 * twice its maximum without one. Times are milliseconds of one clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKOFF_FIRST_MS (10 * 1000)
#define BACKOFF_MAX_MS (300 * 1000)

struct backoff {
        int64_t delay_ms; /* 0: none yet */
        int64_t updated_ms;
        int64_t max_ms; /* 0: BACKOFF_MAX_MS */
};

/* How long from @now until what failed at @failed may be tried again; 0: at once. */
int64_t backoff_left(const struct backoff *backoff, int64_t failed_ms, int64_t now_ms);

/* Counts a try at @now of what failed at @failed: the next failure waits longer. */
void backoff_next(struct backoff *backoff, int64_t failed_ms, int64_t now_ms);

/* The delay as Go prints a duration: "10s", "1m20s", "5m0s". Returns @ret_text. */
#define BACKOFF_TEXT_MAX 32
const char *backoff_format(int64_t delay_ms, char ret_text[BACKOFF_TEXT_MAX]);
