#include "probes/schedule.h"

/* What a container counts for before any result: alive, not ready, not started. */
static enum schedule_value initial_value(enum schedule_kind kind) {
        static const enum schedule_value values[] = {
                [SCHEDULE_LIVENESS] = VALUE_IS_SUCCESS,
                [SCHEDULE_READINESS] = VALUE_IS_FAILURE,
                [SCHEDULE_STARTUP] = VALUE_IS_UNKNOWN,
        };

        return values[kind];
}

void probe_schedule_init(struct schedule *s, enum schedule_kind kind, const struct schedule_timing *timing) {
        *s = (struct schedule){ .timing = *timing, .kind = kind, .value = initial_value(kind) };
}

static int64_t seconds(uint32_t n) {
        return (int64_t)n * 1000;
}

void probe_schedule_begin(struct schedule *s, int64_t now, int64_t started_at, bool gated, bool take_up,
                          uint32_t random) {
        int64_t due = started_at + seconds(s->timing.initial_delay);

        s->value = initial_value(s->kind);
        s->last = PROBE_UNKNOWN;
        s->run = 0;
        s->running = true;
        s->gated = gated && s->kind != SCHEDULE_STARTUP;
        s->hold = s->probing = false;
        if (due < now)
                due = now;
        if (take_up)
                due += random % (uint32_t)(seconds(s->timing.period) + 1);
        s->due = due;
}

void probe_schedule_resume(struct schedule *s, enum schedule_value value, uint32_t run, enum probe_outcome last,
                           bool hold) {
        s->value = value;
        s->run = run;
        s->last = last;
        s->hold = hold || (s->kind == SCHEDULE_STARTUP && value == VALUE_IS_SUCCESS);
}

void probe_schedule_stop(struct schedule *s) {
        s->running = s->probing = false;
        s->value = VALUE_IS_FAILURE;
}

void probe_schedule_open(struct schedule *s, int64_t now) {
        if (s->kind == SCHEDULE_STARTUP) {
                s->hold = true;
                return;
        }
        if (s->due < now)
                s->due = now;
        s->gated = false;
}

void probe_schedule_end(struct schedule *s) {
        if (s->kind == SCHEDULE_READINESS)
                return;
        s->value = VALUE_IS_SUCCESS;
        s->ended = true;
}

int64_t probe_schedule_wait(const struct schedule *s, int64_t now) {
        if (!s->running || s->gated || s->hold || s->probing || s->ended)
                return -1;
        return s->due > now ? s->due - now : 0;
}

void probe_schedule_probing(struct schedule *s, int64_t now) {
        s->probing = true;
        s->due = now + seconds(s->timing.period);
}

/* A success that came with a warning is a success. */
static enum probe_outcome as_result(enum probe_outcome outcome) {
        return outcome == PROBE_WARNING ? PROBE_SUCCESS : outcome;
}

bool probe_schedule_result(struct schedule *s, int64_t now, enum probe_outcome outcome) {
        enum schedule_value before = s->value;
        uint32_t threshold;

        if (!s->probing)
                return false; /* of a container that ended meanwhile */
        s->probing = false;
        outcome = as_result(outcome);
        if (outcome == PROBE_UNKNOWN || s->ended)
                return false;
        s->run = outcome == s->last ? s->run + 1 : 1;
        s->last = outcome;
        threshold = outcome == PROBE_SUCCESS ? s->timing.success_threshold : s->timing.failure_threshold;
        if (s->run < threshold)
                return false;
        s->value = outcome == PROBE_SUCCESS ? VALUE_IS_SUCCESS : VALUE_IS_FAILURE;
        if (s->kind != SCHEDULE_READINESS && s->value == VALUE_IS_FAILURE) {
                s->hold = true; /* it is going to be restarted; a new container begins anew */
                s->run = 0;
        }
        if (s->kind == SCHEDULE_STARTUP && s->value == VALUE_IS_SUCCESS)
                s->hold = true;
        return s->value != before;
}
