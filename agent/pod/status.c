/* The pod's status from what its members are in (kubelet_pods.go, convertToAPIContainerStatuses()). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pod/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

/* As the API names containers; the bare id without @arena, for statuses that are only compared. */
static const char *container_id(struct arena *arena, const char *id) {
        return arena && id ? arena_printf(arena, CRI_RUNTIME_NAME "://%s", id) : id;
}

static struct pod_container_state terminated(struct arena *arena, const struct ending *e) {
        return (struct pod_container_state){
                .kind = STATE_TERMINATED,
                .reason = e->reason,
                .message = e->message,
                .exit_code = e->exit_code,
                .started_at = e->started_at,
                .finished_at = e->finished_at,
                .container_id = container_id(arena, e->id),
        };
}

static const char *first_reason(const struct member *m) {
        const struct worker *w = m->worker;

        return w->n_init > 0 ? "PodInitializing" : "ContainerCreating";
}

/* What only cri knows: borrowed from its record, for as long as the container is. */
static void fill_from_runtime(const struct member *m, struct pod_container_status *s) {
        const struct worker_node *node = m->worker->node;
        struct cri_container_info info;

        s->image_id = m->image_id;
        if (node->ops->container_get(node->data, m->id, &info) < 0)
                return;
        s->image_id = info.image_ref ?: m->image_id;
        s->has_user = true;
        s->stop_signal = info.stop_signal;
        s->uid = info.uid;
        s->gid = info.gid;
        s->supplemental_groups = info.groups;
        s->n_supplemental_groups = (uint32_t)info.n_groups;
}

static void fill(struct arena *arena, struct member *m, struct pod_container_status *s) {
        bool running = m->state >= MEMBER_POST_START && m->state <= MEMBER_STOPPING;

        *s = (struct pod_container_status){
                .container = m->spec,
                .exists = m->id != NULL,
                .restart_count = m->lost && m->restarts ? m->restarts - 1 : m->restarts, /* no next one is meant */
                .container_id = container_id(arena, m->id),
                .ready = m->role == MEMBER_INIT ? m->state == MEMBER_EXITED && m->end.set && m->end.exit_code == 0 :
                                                  running && m->started && m->ready,
        };
        if (arena && m->id)
                fill_from_runtime(m, s);
        s->started = running && m->started ? TRI_TRUE : TRI_FALSE;
        if (running) {
                s->state = (struct pod_container_state){ .kind = STATE_RUNNING, .started_at = m->started_at };
        } else if (m->waiting_reason && !(m->end.set && m->worker->state > WORKER_RENEWING)) {
                s->state = (struct pod_container_state){ .kind = STATE_WAITING,
                                                         .reason = m->waiting_reason,
                                                         .message = m->waiting_message };
        } else if (m->end.set) {
                s->state = terminated(arena, &m->end);
        } else {
                s->state = (struct pod_container_state){ .kind = STATE_WAITING, .reason = first_reason(m) };
        }
        if (s->state.kind == STATE_WAITING && m->end.set) {
                s->has_last = true;
                s->last_state = terminated(arena, &m->end);
        } else if (m->last.set) {
                s->has_last = true;
                s->last_state = terminated(arena, &m->last);
        }
}

static void update(struct worker *w, struct arena *arena) {
        struct pod_status next = {
                .reason = w->reason,
                .message = w->message,
                .disruption = w->disrupted ? w->message : NULL,
                .host_ip = w->node->host_ip,
                .pod_ips = (const char *const *)w->ips,
                .n_pod_ips = (uint32_t)w->n_ips,
                .start_time = w->start_time,
                .restarting_all =
                        w->state == WORKER_RESTARTING || (w->state == WORKER_RUNNING && worker_wants_restart(w)),
                .init = w->statuses,
                .containers = w->statuses + w->n_init,
        };

        if (w->rejected) { /* all that kubelet says, too */
                w->status = (struct pod_status){
                        .phase = PHASE_FAILED, .reason = w->reason, .message = w->message, .start_time = w->start_time
                };
                w->has_status = true;
                return;
        }
        for (size_t i = 0; i < w->n_members; i++)
                fill(arena, &w->members[i], &w->statuses[i]);
        next.phase = w->terminal ? PHASE_FAILED : pod_phase(w->pod, next.init, next.containers, false);
        if (pod_status_conditions(w->pod, &next, w->sandbox_ready, w->has_status ? &w->status : NULL, worker_now(w)) <
            0) {
                pod_status_done(&next);
                return;
        }
        if (w->has_status)
                pod_status_done(&w->status);
        w->status = next;
        w->has_status = true;
}

void worker_update_status(struct worker *w) {
        update(w, NULL);
}

/* The pod's JSON and its status's, joined: the status becomes the object's last member. */
int worker_write(struct worker *w, struct json_writer *out) {
        struct json_writer pod = JSON_WRITER_INIT, status = JSON_WRITER_INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *pod_text = NULL, *status_text = NULL, *joined = NULL;
        size_t length = 0;
        int r;

        pod_write(w->pod, &pod);
        if ((r = json_writer_finish(&pod, &pod_text, &length)) < 0)
                return r;
        if (!arena)
                return -ENOMEM;
        update(w, arena);
        r = pod_status_write(w->pod, &w->status, &status);
        update(w, NULL); /* nothing may point into the arena */
        if (r < 0 || (r = json_writer_finish(&status, &status_text, NULL)) < 0)
                return r;
        if (length < 2 || asprintf(&joined, "%.*s,\"status\":%s}", (int)length - 1, pod_text, status_text) < 0) {
                joined = NULL;
                return -ENOMEM;
        }
        json_raw(out, joined, strlen(joined));
        return 0;
}
