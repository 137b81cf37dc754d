/* A worker's looks at everything: at the clock, its containers, what follows; and what it tells. */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "agent/node/events.h"
#include "agent/pod/internal.h"

void worker_say(struct worker *w, bool warning, const char *reason, const char *format, ...) {
        struct event_object object = {
                .namespace_ = w->pod->metadata.namespace,
                .name = w->pod->metadata.name,
                .uid = w->pod->metadata.uid,
        };
        va_list args;

        va_start(args, format);
        events_addv(w->node->world.events, &object, warning, reason, format, args);
        va_end(args);
}

void worker_judge(struct worker *w, enum worker_verdict verdict, const char *reason, char *message) {
        assert(w->verdict == WORKER_NO_VERDICT && w->goal == WORKER_TO_RUN);
        w->verdict = verdict;
        w->reason = reason;
        w->message = message;
        w->goal = WORKER_TO_END;
}

/* -- looks ------------------------------------------------------------------------------------------------- */

static void check_deadline(struct worker *w) {
        static const char text[] = "Pod was active on the node longer than the specified deadline";
        char *message;

        if (w->deadline == NODE_NEVER || w->goal != WORKER_TO_RUN)
                return;
        if (worker_now(w) < w->deadline) {
                worker_wake_at(w, w->deadline);
                return;
        }
        if (!(message = strdup(text))) {
                worker_wake_at(w, worker_now(w) + NODE_RETRY_MS);
                return;
        }
        worker_say(w, false, "DeadlineExceeded", "%s", text);
        worker_judge(w, WORKER_TOO_LATE, "DeadlineExceeded", message);
        worker_keep_hint(w);
        worker_event(w, WORKER_EVENT_STOP);
}

static void step_once(struct worker *w) {
        w->stepping = WORKER_STEPS;
        w->wake = NODE_NEVER;
        if (w->state == WORKER_NEW)
                return;
        check_deadline(w);
        worker_tick_hint(w);
        worker_tick_members(w);
        worker_event(w, WORKER_EVENT_TICK);
        worker_update_volumes(w);
        worker_wake_at(w, w->retry_at);
}

void worker_step(struct worker *w) {
        if (w->ops.closed || w->state == WORKER_GONE)
                return;
        if (w->stepping != WORKER_AT_REST) {
                w->stepping = WORKER_STEPS_AGAIN;
                return;
        }
        do
                step_once(w);
        while (w->stepping == WORKER_STEPS_AGAIN && w->state != WORKER_GONE);
        w->stepping = WORKER_AT_REST;
        if (w->state == WORKER_GONE)
                return;
        if (worker_update_status(w) < 0)
                worker_wake_at(w, worker_now(w) + NODE_RETRY_MS);
        if (w->wake != w->timer) {
                w->timer = w->wake;
                w->node->ops->set_timer(w->node->data, w, w->wake);
        }
        w->node->ops->changed(w->node->data, w);
}

void worker_tick(struct worker *w) {
        w->timer = NODE_NEVER;
        worker_step(w);
}
