/* When to probe a container, and what its results come to: kubelet's probe worker as a pure state machine.
 *
 * No clock, no timer, no I/O: the caller feeds what happens with the time (monotonic milliseconds) and sets one timer
 * to probe_schedule_wait(). Rules: pkg/kubelet/prober/worker.go. A schedule starts at its container's start, so the
 * first probe comes initialDelaySeconds after it, not at the next tick of the pod's age.
 *
 *     start ──► waiting ──tick──► probing ──result──► waiting ...
 *                  ▲                                     │ liveness or startup failed at its threshold
 *                  └──────── a new container ◄── hold ◄──┘
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probes/probe.h"

enum schedule_kind { SCHEDULE_LIVENESS, SCHEDULE_READINESS, SCHEDULE_STARTUP };

/* In seconds, as in the manifest after defaulting. */
struct schedule_timing {
        uint32_t initial_delay, period;
        uint32_t success_threshold, failure_threshold;
};

/* The value that counts: what liveness restarts on, readiness is. */
enum schedule_value { VALUE_IS_UNKNOWN, VALUE_IS_SUCCESS, VALUE_IS_FAILURE };

struct schedule {
        struct schedule_timing timing;
        enum schedule_kind kind;
        enum schedule_value value;
        enum probe_outcome last; /* of the latest results */
        uint32_t run;            /* how many of them in a row */
        int64_t due;             /* time of the next probe */
        bool running;            /* the container runs */
        bool gated;              /* startup has not passed: liveness and readiness wait */
        bool hold;               /* failed; no more probes until a new container */
        bool probing;            /* a probe is under way */
        bool ended;              /* the pod ends: no more probes at all */
};

void probe_schedule_init(struct schedule *s, enum schedule_kind kind, const struct schedule_timing *timing);

/* A container runs that started at @started_at (may lie before @now, even be another agent's): results start anew.
 * @gated: it has a startup probe that has not passed. @take_up: the agent was restarted; then the first probe waits a
 * part of its period chosen by @random (any number), so that a node's probes do not come all at once. */
void probe_schedule_begin(struct schedule *s, int64_t now, int64_t started_at, bool gated, bool take_up,
                          uint32_t random);

/* As probe_schedule_begin(), going on with what was known of the same container before the agent's restart. */
void probe_schedule_resume(struct schedule *s, enum schedule_value value, uint32_t run, enum probe_outcome last,
                           bool hold);

/* The container ended: what it counted for is a failure. */
void probe_schedule_stop(struct schedule *s);

/* The startup probe passed: the others go, at once if their initial delay is over. The startup schedule rests. */
void probe_schedule_open(struct schedule *s, int64_t now);

/* The pod is being deleted: liveness and startup count as success and end, readiness goes on (kubelet's rule). */
void probe_schedule_end(struct schedule *s);

/* Milliseconds until a probe is due (0: now), or -1 when there is nothing to wait for. */
int64_t probe_schedule_wait(const struct schedule *s, int64_t now);

/* A probe starts now: the next one is due a period later. */
void probe_schedule_probing(struct schedule *s, int64_t now);

/* The probe's result came in. True when the value changed. PROBE_UNKNOWN leaves all as it is. */
bool probe_schedule_result(struct schedule *s, int64_t now, enum probe_outcome outcome);
