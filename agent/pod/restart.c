/* RestartAllContainers (KEP-5532): a container's end for which a rule asks so ends all others, without grace, and all
 * start again in the same sandbox, init containers first (kuberuntime_manager.go, ContainersToReset).
 *
 * The containers that asked for it are removed last: an agent that dies in between finds them, and goes on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/internal.h"
#include "kube/restart.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* Between two restarts: kubelet looks at its pods once a second, and has no back-off here either. */
#define RESTART_ALL_MS 1000

static const char removed_text[] = "The container is removed because RestartAllContainers in place";

static bool asks(const struct member *m) {
        return m->state == MEMBER_EXITED && m->end.set && pod_restarts_all(m->spec, m->end.exit_code);
}

bool worker_wants_restart(const struct worker *w) {
        for (size_t i = 0; i < w->n_members; i++)
                if (asks(&w->members[i]))
                        return true;
        return false;
}

bool worker_may_restart(struct worker *w, int64_t *wake) {
        int64_t due = w->restarted_at + RESTART_ALL_MS;

        if (w->restarted_at && worker_now(w) < due) {
                *wake = earlier(*wake, due);
                return false;
        }
        return true;
}

void worker_enter_restarting(struct worker *w) {
        w->stop_deadline = w->restarted_at = worker_now(w);
        w->initialized = false;
        for (size_t i = 0; i < w->n_members; i++)
                if (member_runs(&w->members[i]))
                        w->members[i].kill_reason = "killing";
        worker_write_hint(w); /* before anything is removed: else a new agent would pass over the init containers */
}

/* -- removal ----------------------------------------------------------------------------------------------- */

static bool take_id(char **id, const char *removed) {
        if (!*id || strcmp(*id, removed) != 0)
                return false;
        free(*id);
        *id = NULL;
        return true;
}

static void on_removed(struct op *op, const ProtobufCMessage *response, const struct err *err) {
        struct member *m = op->member;
        struct worker *w = op->worker;

        w->removals--;
        if (err && err_code(err) != ENOENT) {
                log_warning("pod %s/%s: container %s: cannot remove it, trying again: %s", w->pod->metadata.namespace,
                            w->pod->metadata.name, m->spec->name, err_text(err));
                w->retry_at = worker_now(w) + WORKER_RETRY_MS;
        } else if (take_id(&m->id, op->text)) {
                member_removed(m, RESTARTING_ALL_REASON, removed_text);
        } else {
                take_id(&m->previous_id, op->text);
        }
        worker_step(w);
}

static void begin_removal(struct member *m, const char *id) {
        struct worker *w = m->worker;
        struct op *op = id ? op_new(w, m) : NULL;
        Cri__RemoveContainerRequest *request = op ? arena_new_of(op->arena, Cri__RemoveContainerRequest) : NULL;

        if (!id)
                return;
        if (!request || !(op->text = arena_strdup(op->arena, id))) {
                if (op)
                        op_drop(op);
                w->retry_at = worker_now(w) + WORKER_RETRY_MS;
                return;
        }
        cri__remove_container_request__init(request);
        request->container_id = (char *)op->text;
        op->done = on_removed;
        op->heard_always = true;
        w->removals++;
        op_call(op, CRI_REMOVE_CONTAINER, request);
}

/* True when there was one to remove. */
static bool begin_removals(struct worker *w, bool of_those_that_asked) {
        bool any = false;

        for (size_t i = 0; i < w->n_members; i++) {
                struct member *m = &w->members[i];

                if ((!m->id && !m->previous_id) || asks(m) != of_those_that_asked)
                        continue;
                any = true;
                begin_removal(m, m->previous_id);
                begin_removal(m, m->id);
        }
        return any;
}

void worker_step_restarting(struct worker *w, int64_t *wake) {
        worker_stop_members(w, wake);
        if (!worker_members_stopped(w) || w->removals > 0 || w->hint_under_way)
                return;
        if (w->retry_at != WORKER_NEVER && worker_now(w) < w->retry_at)
                return;
        w->retry_at = WORKER_NEVER;
        if (begin_removals(w, false) || begin_removals(w, true))
                return;
        for (size_t i = 0; i < w->n_members; i++) {
                member_set_waiting(&w->members[i], NULL, "%s", "");
                member_reset(&w->members[i]);
        }
        worker_event(w, WORKER_EVENT_OK);
}
