/* A container's status from what it is in (kubelet_pods.go, convertToAPIContainerStatuses()). */
#include <errno.h>

#include "agent/container/internal.h"
#include "lib/cleanup.h"

/* As the API names containers; the bare id without @arena, for statuses that are only compared. NULL without memory. */
static const char *container_id(struct arena *arena, const char *id) {
        return arena ? arena_printf(arena, CRI_RUNTIME_NAME "://%s", id) : id;
}

static int terminated(struct arena *arena, const struct ending *e, struct pod_container_state *ret) {
        *ret = (struct pod_container_state){
                .kind = STATE_TERMINATED,
                .reason = e->reason,
                .message = e->message,
                .exit_code = e->exit_code,
                .started_at = e->started_at,
                .finished_at = e->finished_at,
                .container_id = e->id[0] ? container_id(arena, e->id) : NULL,
        };
        return e->id[0] && !ret->container_id ? -ENOMEM : 0;
}

/* What only cri knows: borrowed from its record, for as long as the container is. */
static void fill_from_runtime(const struct member *m, struct pod_container_status *s) {
        struct cri_container_info info;

        s->image_id = m->image_id;
        if (node_container_get(m->host->world, m->id, &info) < 0)
                return;
        s->image_id = info.image_ref ?: m->image_id;
        s->has_user = true;
        s->stop_signal = info.stop_signal;
        s->uid = info.uid;
        s->gid = info.gid;
        s->supplemental_groups = info.groups;
        s->n_supplemental_groups = (uint32_t)info.n_groups;
}

static struct pod_container_state waiting(const struct member *m) {
        const char *first = m->host->pod->spec.init_containers.count > 0 ? "PodInitializing" : "ContainerCreating";

        return (struct pod_container_state){
                .kind = STATE_WAITING,
                .reason = m->waiting_reason ?: first,
                .message = m->waiting_reason ? m->waiting_message : NULL,
        };
}

/* Its first start is told when its postStart hook has passed: kubelet's sync of the pod takes as long. */
static bool is_in_first_hook(const struct member *m) {
        return m->state == MEMBER_POST_START && m->restarts == 0;
}

static int set_states(const struct member *m, struct arena *arena, bool over, struct pod_container_status *s) {
        const struct ending *last = &m->last;
        int r;

        if (is_in_first_hook(m)) {
                s->state = waiting(m);
        } else if (member_has_process(m)) {
                s->state = (struct pod_container_state){ .kind = STATE_RUNNING, .started_at = m->started_at };
        } else if (s->renewed) { /* kube-apiserver takes no end back where none restarts */
                s->state = waiting(m);
        } else if (m->end.set && (!m->waiting_reason || over)) {
                if ((r = terminated(arena, &m->end, &s->state)) < 0)
                        return r;
        } else {
                s->state = waiting(m);
                last = m->end.set ? &m->end : last;
        }
        s->has_last = last->set;
        return last->set ? terminated(arena, last, &s->last_state) : 0;
}

int member_status(const struct member *m, struct arena *arena, bool over, struct pod_container_status *ret_status) {
        bool running = member_has_process(m) && !is_in_first_hook(m), exists = m->id[0] && !is_in_first_hook(m),
             next_meant = m->state != MEMBER_PRESUMED_DONE || m->restarts == 0;
        struct pod_container_status s = {
                .container = m->spec,
                .size = &m->size,
                .renewed = (m->redefined || m->renewing) && !running && !over,
                .exists = exists,
                .restart_count = next_meant ? m->restarts : m->restarts - 1,
                .container_id = exists ? container_id(arena, m->id) : NULL,
                .ready = m->role == MEMBER_INIT      ? member_is_done(m) :
                         m->role == MEMBER_EPHEMERAL ? false :
                                                       running && m->started && m->ready,
                .started = m->role == MEMBER_EPHEMERAL ? TRI_UNSET :
                           running && m->started       ? TRI_TRUE :
                                                         TRI_FALSE,
        };
        int r;

        if (exists && !s.container_id)
                return -ENOMEM;
        if (arena && exists)
                fill_from_runtime(m, &s);
        if (arena && m->role == MEMBER_MAIN && m->host->world->ops->devices &&
            (r = m->host->world->ops->devices(m->host->world->data, m->host->pod, m->spec->name, arena, &s.devices)) <
                    0)
                return r;
        if ((r = set_states(m, arena, over, &s)) < 0)
                return r;
        *ret_status = s;
        return 0;
}
