/* What a pod may ask of a container: events for its table. */
#include <string.h>

#include "agent/container/internal.h"

void member_stop_by(struct member *m, int64_t deadline) {
        if (!member_can(m, MEMBER_EVENT_STOP))
                return;
        m->stop_deadline = deadline;
        member_event(m, MEMBER_EVENT_STOP);
}

void member_set_kill_reason(struct member *m, const char *reason) {
        m->kill_reason = reason;
}

void member_condemn(struct member *m, const char *reason, int64_t grace) {
        if (m->state != MEMBER_POST_START && m->state != MEMBER_RUNNING)
                return;
        m->kill_reason = reason;
        m->condemned = true;
        member_stop_by(m, node_later(node_now(m->host->world), grace));
}

void member_sources_changed(struct member *m) {
        if (m->waiting_reason && strcmp(m->waiting_reason, "CreateContainerConfigError") == 0 &&
            member_can(m, MEMBER_EVENT_BEGIN))
                m->retry_at = 0;
}

void member_begin(struct member *m) {
        int64_t failed;

        if (m->end.set && m->state == MEMBER_EXITED) {
                if ((failed = member_failed_at(m)))
                        backoff_next(&m->crash, failed, node_now(m->host->world));
                m->host->ops->keep(m->host->data);
        }
        member_event(m, MEMBER_EVENT_BEGIN);
}

bool member_heard_exit(struct member *m, const char *id) {
        if (strcmp(m->id, id) != 0)
                return false;
        if (member_has_exited(m))
                member_event(m, MEMBER_EVENT_EXITED);
        return true;
}

void member_remove(struct member *m) {
        member_event(m, MEMBER_EVENT_REMOVE);
}

void member_presume_done(struct member *m) {
        static const char text[] =
                "Unable to get init container status from container runtime and pod has been initialized, "
                "treat it as exited normally";

        ending_set(&m->end, "", "Completed");
        m->end.message = strdup(text);
        m->end.started_at = -1;
        m->state = MEMBER_PRESUMED_DONE;
}

void member_reset(struct member *m) {
        m->scope.round++;
        hook_cancel(m);
        if (m->end.set)
                member_keep_end(m);
        if (m->id[0])
                m->restarts++;
        m->id[0] = m->previous_id[0] = m->leftover_id[0] = '\0';
        m->state = MEMBER_WAITING;
        m->started = m->ready = m->starting = false;
        m->kill_reason = NULL;
        m->condemned = m->replacing = false;
        m->retry_at = 0;
}

static enum member_event due(struct member *m, int64_t now) {
        if (m->state == MEMBER_TURN)
                return m->host->ops->needed_until(m->host->data, m) ? MEMBER_EVENT_NONE : MEMBER_EVENT_OK;
        if (member_can(m, MEMBER_EVENT_DUE) && now >= m->retry_at)
                return MEMBER_EVENT_DUE;
        return hook_tick(m);
}

int64_t member_tick(struct member *m) {
        int64_t now = node_now(m->host->world), wake = member_do_chores(m), until;
        enum member_event event;

        if (m->redefined)
                member_condemn(m, m->redefined_as, m->host->ops->grace(m->host->data));
        event = due(m, now);
        if (event != MEMBER_EVENT_NONE)
                member_event(m, event);
        if (m->state == MEMBER_TURN && (until = m->host->ops->needed_until(m->host->data, m)))
                wake = node_earlier(wake, until);
        if (member_can(m, MEMBER_EVENT_DUE))
                wake = node_earlier(wake, m->retry_at);
        return m->hook.state == HOOK_NONE ? wake : node_earlier(wake, m->hook.due);
}
