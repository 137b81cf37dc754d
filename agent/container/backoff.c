#include "agent/container/backoff.h"

#include <stdio.h>

static int64_t maximum(const struct backoff *b) {
        return b->max_ms ? b->max_ms : BACKOFF_MAX_MS;
}

static bool expired(const struct backoff *b, int64_t failed) {
        return failed - b->updated_ms > 2 * maximum(b);
}

int64_t backoff_left(const struct backoff *b, int64_t failed, int64_t now) {
        if (b->delay_ms == 0 || expired(b, failed) || now - failed >= b->delay_ms)
                return 0;
        return b->delay_ms - (now - failed);
}

void backoff_next(struct backoff *b, int64_t failed, int64_t now) {
        if (b->delay_ms == 0 || expired(b, failed))
                b->delay_ms = BACKOFF_FIRST_MS;
        else
                b->delay_ms *= 2;
        if (b->delay_ms > maximum(b))
                b->delay_ms = maximum(b);
        b->updated_ms = now;
}

const char *backoff_format(int64_t delay, char ret_text[BACKOFF_TEXT_MAX]) {
        int64_t seconds = delay / 1000;

        if (seconds < 60)
                snprintf(ret_text, BACKOFF_TEXT_MAX, "%llds", (long long)seconds);
        else
                snprintf(ret_text, BACKOFF_TEXT_MAX, "%lldm%llds", (long long)(seconds / 60),
                         (long long)(seconds % 60));
        return ret_text;
}
