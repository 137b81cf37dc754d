/* A container whose part of the pod's spec changes while it is there (kuberuntime_manager.go, containerChanged()). */
#include <string.h>

#include "agent/container/internal.h"

static const struct kube_lifecycle_handler *hook_of(const struct kube_container *c, bool post_start) {
        return !c->lifecycle ? NULL : post_start ? c->lifecycle->post_start : c->lifecycle->pre_stop;
}

bool member_is_same(const struct kube_container *now, const struct kube_container *spec) {
        return strcmp(now->name, spec->name) == 0 && !now->liveness_probe == !spec->liveness_probe &&
               !now->readiness_probe == !spec->readiness_probe && !now->startup_probe == !spec->startup_probe &&
               !hook_of(now, true) == !hook_of(spec, true) && !hook_of(now, false) == !hook_of(spec, false);
}

static void redefine(struct member *m) {
        m->pull = m->crash = (struct backoff){ .max_ms = m->crash.max_ms };
        m->pull_failed_at = m->retry_at = 0;
        m->redefined = member_runs(m) && m->role != MEMBER_INIT;
        m->redefined_as = "definition";
}

void member_update(struct member *m, const struct kube_container *spec) {
        bool other = strcmp(m->spec->image, spec->image) != 0;

        if (m->hook.handler)
                m->hook.handler = hook_of(spec, m->hook.handler == hook_of(m->spec, true));
        m->spec = spec;
        probers_update(m);
        if (other)
                redefine(m);
}

void member_hurry(struct member *m, int64_t deadline) {
        if (m->state < MEMBER_PRE_STOP || m->state > MEMBER_STOP_AGAIN || deadline >= m->stop_deadline)
                return;
        m->stop_deadline = deadline;
        if (m->state == MEMBER_PRE_STOP) {
                m->hook.deadline = node_earlier(m->hook.deadline, deadline);
                m->hook.due = node_earlier(m->hook.due, deadline);
        } else if (m->state == MEMBER_STOPPING) {
                m->scope.round++; /* the call that waits longer is not heard any more */
                member_event(m, MEMBER_EVENT_HURRY);
        }
}
