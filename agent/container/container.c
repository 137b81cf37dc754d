#include "agent/container/container.h"

#include <assert.h>
#include <string.h>

#include "agent/container/internal.h"
#include "lib/log.h"

/* -- actions: each returns what came of it at once --------------------------------------------------------- */

static enum member_event nothing(struct member *m) {
        return MEMBER_EVENT_NONE;
}

static enum member_event begin(struct member *m) {
        assert(m->hook.state == HOOK_NONE);
        m->scope.round++;
        m->images_done = 0;
        m->retry_at = 0;
        m->kill_reason = NULL;
        m->condemned = false;
        m->renewing |= m->redefined;
        m->started = m->ready = m->redefined = false;
        m->starting = true;
        return member_find_image(m);
}

/* Nothing is made of this start: it waits, or is what it was before. */
static enum member_event settle(struct member *m) {
        if (m->end.set)
                m->state = MEMBER_EXITED;
        m->starting = false;
        return MEMBER_EVENT_NONE;
}

/* Its pod ends while its image is fetched: the pull may go on, nobody waits for it. */
static enum member_event abandon(struct member *m) {
        m->scope.round++;
        return settle(m);
}

static enum member_event have_images(struct member *m) {
        m->pull = (struct backoff){ 0 };
        m->pull_failed_at = 0;
        return member_prepare(m);
}

/* Could not be made: reason and text are set by who failed. Again after kubelet's back-off. */
static enum member_event create_failed(struct member *m) {
        m->retry_at = node_now(m->host->world) + NODE_RETRY_MS;
        return settle(m);
}

/* The container is there: it is no other attempt that starts it later. */
static enum member_event start_later(struct member *m) {
        m->retry_at = node_now(m->host->world) + NODE_RETRY_MS;
        return MEMBER_EVENT_NONE;
}

static enum member_event runs(struct member *m) {
        m->renewing = false;
        member_set_waiting(m, NULL, "%s", "");
        m->host->ops->runs(m->host->data, m);
        if (member_has_exited(m))
                return MEMBER_EVENT_EXITED;
        member_update_cpus(m); /* they may have changed since it was made */
        probers_begin(m, node_now(m->host->world), false);
        return member_post_start(m);
}

static enum member_event runs_to_end(struct member *m) {
        m->starting = m->renewing = m->replacing = false;
        member_set_waiting(m, NULL, "%s", "");
        m->host->ops->runs(m->host->data, m);
        return member_has_exited(m) ? MEMBER_EVENT_EXITED : MEMBER_EVENT_STOP;
}

/* StartContainer failed: the container is there and counts as one that ended. */
static enum member_event start_failed(struct member *m) {
        struct cri_container_info info;

        m->starting = m->renewing = m->replacing = false;
        if (member_get_exit(m, &info)) {
                member_take_exit(m, &info);
                return MEMBER_EVENT_NONE;
        }
        ending_set(&m->end, m->id, "StartError");
        m->end.message = strdup(err_text(m->failure)); /* without memory: waiting_message is told all the same */
        m->end.exit_code = 128;
        m->end.finished_at = node_now(m->host->world);
        return MEMBER_EVENT_NONE;
}

static enum member_event hook_passed(struct member *m) {
        m->starting = m->replacing = false;
        m->started = m->probers[SCHEDULE_STARTUP].spec == NULL;
        m->host->ops->keep(m->host->data);
        return MEMBER_EVENT_NONE;
}

/* It gets its whole grace period and its preStop hook; the others' starts wait for its end. */
static enum member_event hook_failed(struct member *m) {
        member_say(m, true, "FailedPostStartHook", "PostStartHook failed: %s", err_text(m->failure));
        m->kill_reason = "FailedPostStartHook";
        m->replacing = false;
        m->stop_deadline = node_later(node_now(m->host->world), m->host->ops->grace(m->host->data));
        return member_pre_stop(m);
}

static enum member_event stop_in_hook(struct member *m) {
        hook_cancel(m);
        m->starting = m->replacing = false;
        return member_pre_stop(m);
}

static enum member_event await_turn(struct member *m) {
        return m->host->ops->needed_until(m->host->data, m) ? MEMBER_EVENT_NONE : MEMBER_EVENT_OK;
}

static enum member_event pre_stop_failed(struct member *m) {
        member_say(m, true, "FailedPreStopHook", "PreStopHook failed: %s", err_text(m->failure));
        return await_turn(m);
}

static enum member_event ended(struct member *m) {
        struct cri_container_info info;

        m->scope.round++;
        hook_cancel(m);
        probers_stop(m);
        m->started = m->ready = m->starting = false;
        m->retry_at = 0;
        member_set_waiting(m, NULL, "%s", "");
        if (node_container_get(m->host->world, m->id, &info) < 0)
                info = (struct cri_container_info){ .exit_code = 137, .reason = "ContainerStatusUnknown", .id = m->id };
        member_take_exit(m, &info);
        m->replacing = m->condemned && member_restarts(m);
        return MEMBER_EVENT_NONE;
}

/* StopContainer came back: the exit was heard before, or is there now; else it is asked for again. */
static enum member_event stop_done(struct member *m) {
        struct cri_container_info info;

        if (member_get_exit(m, &info) || node_container_get(m->host->world, m->id, &info) < 0)
                return MEMBER_EVENT_EXITED;
        m->retry_at = node_now(m->host->world) + 1000;
        return MEMBER_EVENT_NONE;
}

static enum member_event cannot(struct member *m, const char *what) {
        log_warning("pod %s/%s: container %s: cannot %s it, trying again in %d s: %s", m->host->pod->metadata.namespace,
                    m->host->pod->metadata.name, m->spec->name, what, NODE_RETRY_MS / 1000, err_text(m->failure));
        m->retry_at = node_now(m->host->world) + NODE_RETRY_MS;
        return MEMBER_EVENT_NONE;
}

static enum member_event stop_failed(struct member *m) {
        return cannot(m, "stop");
}

static enum member_event remove_failed(struct member *m) {
        return cannot(m, "remove");
}

static enum member_event all_removed(struct member *m) {
        member_set_waiting(m, NULL, "%s", "");
        member_reset(m);
        return MEMBER_EVENT_NONE;
}

/* -- the table --------------------------------------------------------------------------------------------- */

struct cell {
        enum member_event (*action)(struct member *m); /* NULL: the event means nothing here */
        enum member_state next;                        /* set before the action; settle() alone sets another */
};

static const struct {
        const char *name;
        struct cell on[_MEMBER_EVENTS];
} table[_MEMBER_STATES] = {
        [MEMBER_WAITING] = { "waiting",
                             { [MEMBER_EVENT_BEGIN] = { begin, MEMBER_FINDING },
                               [MEMBER_EVENT_REMOVE] = { member_remove_next, MEMBER_REMOVING } } },
        [MEMBER_FINDING] = { "finding its image",
                             { [MEMBER_EVENT_FOUND] = { member_find_image, MEMBER_FINDING },
                               [MEMBER_EVENT_OK] = { have_images, MEMBER_PREPARING },
                               [MEMBER_EVENT_MISSING] = { member_pull_image, MEMBER_PULLING },
                               [MEMBER_EVENT_FAILED] = { settle, MEMBER_WAITING },
                               [MEMBER_EVENT_STOP] = { abandon, MEMBER_WAITING } } },
        [MEMBER_PULLING] = { "pulling its image",
                             { [MEMBER_EVENT_OK] = { member_look_at_pulled, MEMBER_PULLED },
                               [MEMBER_EVENT_FAILED] = { settle, MEMBER_WAITING },
                               [MEMBER_EVENT_STOP] = { abandon, MEMBER_WAITING } } },
        [MEMBER_PULLED] = { "looking at what was pulled",
                            { [MEMBER_EVENT_FOUND] = { member_find_image, MEMBER_FINDING },
                              [MEMBER_EVENT_MISSING] = { member_pull_image, MEMBER_PULLING },
                              [MEMBER_EVENT_FAILED] = { settle, MEMBER_WAITING },
                              [MEMBER_EVENT_STOP] = { abandon, MEMBER_WAITING } } },
        [MEMBER_PREPARING] = { "preparing",
                               { [MEMBER_EVENT_OK] = { member_create, MEMBER_CREATING },
                                 [MEMBER_EVENT_FAILED] = { create_failed, MEMBER_WAITING },
                                 [MEMBER_EVENT_STOP] = { nothing, MEMBER_CALLED_OFF } } },
        [MEMBER_CREATING] = { "creating",
                              { [MEMBER_EVENT_OK] = { member_start, MEMBER_STARTING },
                                [MEMBER_EVENT_FAILED] = { create_failed, MEMBER_WAITING },
                                [MEMBER_EVENT_STOP] = { nothing, MEMBER_CALLED_OFF } } },
        [MEMBER_CALLED_OFF] = { "called off",
                                { [MEMBER_EVENT_OK] = { settle, MEMBER_WAITING },
                                  [MEMBER_EVENT_FAILED] = { create_failed, MEMBER_WAITING } } },
        [MEMBER_START_AGAIN] = { "to be started again",
                                 { [MEMBER_EVENT_DUE] = { member_start, MEMBER_STARTING },
                                   [MEMBER_EVENT_STOP] = { settle, MEMBER_WAITING } } },
        [MEMBER_STARTING] = { "starting",
                              { [MEMBER_EVENT_OK] = { runs, MEMBER_POST_START },
                                [MEMBER_EVENT_FAILED] = { start_failed, MEMBER_EXITED },
                                [MEMBER_EVENT_AGAIN] = { start_later, MEMBER_START_AGAIN },
                                [MEMBER_EVENT_STOP] = { nothing, MEMBER_STARTING_TO_END } } },
        [MEMBER_STARTING_TO_END] = { "starting, to end then",
                                     { [MEMBER_EVENT_OK] = { runs_to_end, MEMBER_RUNNING },
                                       [MEMBER_EVENT_FAILED] = { start_failed, MEMBER_EXITED } } },
        [MEMBER_POST_START] = { "postStart",
                                { [MEMBER_EVENT_OK] = { hook_passed, MEMBER_RUNNING },
                                  [MEMBER_EVENT_FAILED] = { hook_failed, MEMBER_PRE_STOP },
                                  [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED },
                                  [MEMBER_EVENT_STOP] = { stop_in_hook, MEMBER_PRE_STOP } } },
        [MEMBER_RUNNING] = { "running",
                             { [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED },
                               [MEMBER_EVENT_STOP] = { member_pre_stop, MEMBER_PRE_STOP } } },
        [MEMBER_PRE_STOP] = { "preStop",
                              { [MEMBER_EVENT_OK] = { await_turn, MEMBER_TURN },
                                [MEMBER_EVENT_FAILED] = { pre_stop_failed, MEMBER_TURN },
                                [MEMBER_EVENT_LATE] = { await_turn, MEMBER_TURN },
                                [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED } } },
        [MEMBER_TURN] = { "waiting for its turn to end",
                          { [MEMBER_EVENT_OK] = { member_stop, MEMBER_STOPPING },
                            [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED } } },
        [MEMBER_STOPPING] = { "stopping",
                              { [MEMBER_EVENT_OK] = { stop_done, MEMBER_STOP_AGAIN },
                                [MEMBER_EVENT_FAILED] = { stop_failed, MEMBER_STOP_AGAIN },
                                [MEMBER_EVENT_HURRY] = { member_stop, MEMBER_STOPPING },
                                [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED } } },
        [MEMBER_STOP_AGAIN] = { "to be stopped again",
                                { [MEMBER_EVENT_DUE] = { member_stop, MEMBER_STOPPING },
                                  [MEMBER_EVENT_EXITED] = { ended, MEMBER_EXITED } } },
        [MEMBER_EXITED] = { "exited",
                            { [MEMBER_EVENT_BEGIN] = { begin, MEMBER_FINDING },
                              [MEMBER_EVENT_REMOVE] = { member_remove_next, MEMBER_REMOVING } } },
        [MEMBER_PRESUMED_DONE] = { "presumed done",
                                   { [MEMBER_EVENT_REMOVE] = { member_remove_next, MEMBER_REMOVING } } },
        [MEMBER_REMOVING] = { "removing",
                              { [MEMBER_EVENT_OK] = { member_remove_next, MEMBER_REMOVING },
                                [MEMBER_EVENT_MISSING] = { all_removed, MEMBER_WAITING },
                                [MEMBER_EVENT_FAILED] = { remove_failed, MEMBER_REMOVE_AGAIN } } },
        [MEMBER_REMOVE_AGAIN] = { "to be removed again",
                                  { [MEMBER_EVENT_DUE] = { member_remove_next, MEMBER_REMOVING } } },
};

/* One event leads to another until nothing more comes of it at once. */
void member_event(struct member *m, enum member_event event) {
        while (event != MEMBER_EVENT_NONE) {
                const struct cell *cell = &table[m->state].on[event];

                if (!cell->action)
                        break;
                log_debug("pod %s/%s: container %s: %s -> %s", m->host->pod->metadata.namespace,
                          m->host->pod->metadata.name, m->spec->name, table[m->state].name, table[cell->next].name);
                m->state = cell->next;
                event = cell->action(m);
        }
        m->host->ops->changed(m->host->data);
}

bool member_can(const struct member *m, enum member_event event) {
        return table[m->state].on[event].action;
}
