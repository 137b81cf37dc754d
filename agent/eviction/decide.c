#include "agent/eviction/decide.h"

#include <string.h>

static const struct signal {
        const char *resource;
        enum eviction_condition condition;
        int64_t per_ms; /* used up at most */
        bool binary;
} signals[_EVICTION_SIGNALS] = {
        [EVICTION_MEMORY] = { "memory", MEMORY_PRESSURE, EVICTION_BYTES_PER_MS, true },
        [EVICTION_NODEFS] = { "ephemeral-storage", DISK_PRESSURE, EVICTION_BYTES_PER_MS, true },
        [EVICTION_NODEFS_INODES] = { "inodes", DISK_PRESSURE, EVICTION_INODES_PER_MS, false },
        [EVICTION_IMAGEFS] = { "ephemeral-storage", DISK_PRESSURE, EVICTION_BYTES_PER_MS, true },
        [EVICTION_IMAGEFS_INODES] = { "inodes", DISK_PRESSURE, EVICTION_INODES_PER_MS, false },
        [EVICTION_PIDS] = { "pids", PID_PRESSURE, EVICTION_TASKS_PER_MS, false },
};

enum eviction_signal eviction_threshold_signal(int threshold) {
        return (enum eviction_signal)(threshold % _EVICTION_SIGNALS);
}

const char *eviction_signal_resource(enum eviction_signal signal) {
        return signals[signal].resource;
}

const char *eviction_condition_name(enum eviction_condition condition) {
        static const char *const names[_EVICTION_CONDITIONS] = { "MemoryPressure", "DiskPressure", "PIDPressure" };

        return names[condition];
}

/* What of @capacity @amount stands for. */
static struct quantity eviction_quantity(const struct eviction_amount *amount, int64_t capacity) {
        double part = (double)capacity * (double)amount->share;

        if (amount->kind == AMOUNT_QUANTITY)
                return amount->quantity;
        if (amount->kind == AMOUNT_NONE)
                part = 0;
        return quantity_from_units(part < (double)INT64_MAX ? (int64_t)part : INT64_MAX, QUANTITY_BINARY);
}

static const struct eviction_amount *value_of(const struct eviction_settings *s, int threshold) {
        enum eviction_signal signal = eviction_threshold_signal(threshold);

        return threshold < _EVICTION_SIGNALS ? &s->hard[signal] : &s->soft[signal];
}

static int64_t grace_of(const struct eviction_settings *s, int threshold) {
        return threshold < _EVICTION_SIGNALS ? 0 : s->soft_grace_ms[eviction_threshold_signal(threshold)];
}

static struct quantity available(enum eviction_signal signal, const struct eviction_observation *o) {
        return quantity_from_units(o->available, signals[signal].binary ? QUANTITY_BINARY : QUANTITY_DECIMAL);
}

static bool is_met(const struct eviction_settings *s, const struct eviction_observation *observations, int threshold,
                   bool with_reclaim) {
        enum eviction_signal signal = eviction_threshold_signal(threshold);
        const struct eviction_observation *o = &observations[signal];
        const struct eviction_amount *amount = value_of(s, threshold);
        struct quantity wanted;

        if (amount->kind == AMOUNT_NONE || !o->known)
                return false;
        wanted = eviction_quantity(amount, o->capacity);
        if (with_reclaim)
                wanted = quantity_add(wanted, eviction_quantity(&s->reclaim[signal], o->capacity));
        return quantity_compare(wanted, available(signal, o)) > 0;
}

static int64_t sooner(int64_t a, int64_t b) {
        return a < b ? a : b;
}

/* Whether a threshold that is met since @since acts now. */
static bool grace_is_over(const struct eviction_settings *s, int threshold, int64_t since, int64_t now,
                          struct eviction_verdict *verdict) {
        int64_t due = since + grace_of(s, threshold);

        if (due <= now)
                return true;
        verdict->next = sooner(verdict->next, due);
        return false;
}

static void decide_conditions(const struct eviction_settings *s, int64_t now, struct eviction_state *state,
                              struct eviction_verdict *verdict) {
        for (int i = 0; i < _EVICTION_CONDITIONS; i++) {
                int64_t over = state->condition_met[i] + s->transition_ms;

                if (!state->condition_met[i] || now >= over)
                        continue;
                verdict->conditions |= 1u << i;
                verdict->next = sooner(verdict->next, over);
        }
}

void eviction_decide(const struct eviction_settings *s, const struct eviction_observation *observations, int64_t now,
                     struct eviction_state *state, struct eviction_verdict *ret_verdict) {
        struct eviction_verdict verdict = { .threshold = -1, .next = INT64_MAX };

        for (int i = 0; i < EVICTION_THRESHOLDS; i++) {
                bool met = is_met(s, observations, i, false) || (state->acts[i] && is_met(s, observations, i, true));

                if (!met)
                        state->first_met[i] = 0;
                else if (!state->first_met[i])
                        state->first_met[i] = now;
                if (met)
                        state->condition_met[signals[eviction_threshold_signal(i)].condition] = now;
                state->acts[i] = met && grace_is_over(s, i, state->first_met[i], now, &verdict);
                /* memory goes before all else */
                if (state->acts[i] &&
                    (verdict.threshold < 0 || (eviction_threshold_signal(i) == EVICTION_MEMORY &&
                                               eviction_threshold_signal(verdict.threshold) != EVICTION_MEMORY)))
                        verdict.threshold = i;
        }
        decide_conditions(s, now, state, &verdict);
        *ret_verdict = verdict;
}

bool eviction_resolved(const struct eviction_settings *s, const struct eviction_observation *observations) {
        for (int i = 0; i < EVICTION_THRESHOLDS; i++)
                if (is_met(s, observations, i, true))
                        return false;
        return true;
}

bool eviction_is_hard(const struct eviction_settings *s, int threshold) {
        return grace_of(s, threshold) <= 0;
}

int64_t eviction_grace(const struct eviction_settings *s, int threshold, int64_t own_seconds) {
        int64_t grace = 1;

        if (!eviction_is_hard(s, threshold))
                grace = s->max_pod_grace < 0 ? own_seconds : sooner(s->max_pod_grace, own_seconds);
        return grace < 1 ? 1 : grace;
}

void eviction_met(const struct eviction_settings *s, const struct eviction_state *state,
                  const struct eviction_observation *observations, int threshold, struct quantity *ret_quantity,
                  struct quantity *ret_available) {
        const char *resource = eviction_signal_resource(eviction_threshold_signal(threshold));
        enum eviction_signal signal;

        for (int i = 0; i < threshold; i++)
                if (state->acts[i] && strcmp(eviction_signal_resource(eviction_threshold_signal(i)), resource) == 0) {
                        threshold = i;
                        break;
                }
        signal = eviction_threshold_signal(threshold);
        *ret_quantity = eviction_quantity(value_of(s, threshold), observations[signal].capacity);
        *ret_available = available(signal, &observations[signal]);
}

int64_t eviction_rest(const struct eviction_settings *s, const struct eviction_observation *observations) {
        int64_t rest = EVICTION_REST_MS;

        for (int i = 0; i < EVICTION_THRESHOLDS; i++) {
                enum eviction_signal signal = eviction_threshold_signal(i);
                const struct eviction_observation *o = &observations[signal];
                const struct eviction_amount *amount = value_of(s, i);

                if (amount->kind != AMOUNT_NONE && o->known)
                        rest = sooner(rest, (o->available - quantity_units(eviction_quantity(amount, o->capacity))) /
                                                    signals[signal].per_ms);
        }
        return rest < EVICTION_LOOK_MS ? EVICTION_LOOK_MS : rest;
}
