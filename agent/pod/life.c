/* A worker from worker_new() to worker_free(): how it begins, is taken up, hears of cri, and ends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/node/dns.h"
#include "agent/eviction/rank.h"
#include "agent/config/options.h"
#include "agent/pod/internal.h"
#include "lib/cleanup.h"

static void init_members(struct worker *w) {
        const struct pod_spec *spec = &w->pod->spec;
        size_t i = 0;

        list_for_each (c, &spec->init_containers) {
                w->members[i++] = (struct member){
                        .spec = c,
                        .role = pod_container_is_sidecar(c) ? MEMBER_SIDECAR : MEMBER_INIT,
                };
        }
        w->n_init = i;
        list_for_each (c, &spec->containers)
                w->members[i++] = (struct member){ .spec = c, .role = MEMBER_MAIN };
        for (i = 0; i < w->n_members; i++) {
                struct member *m = &w->members[i];

                m->worker = w;
                m->hook_deadline = WORKER_NEVER;
                m->image_uid = -1;
                m->crash.max_ms = w->node->options->crash_back_off_max * 1000;
                probers_init(m);
        }
}

struct worker *worker_new(struct worker_node *node, struct pod *pod) {
        struct worker *w = calloc(1, sizeof(*w));

        if (!w)
                return NULL;
        w->node = node;
        w->pod = pod_ref(pod);
        w->n_members = pod->spec.init_containers.count + pod->spec.containers.count;
        w->members = calloc(w->n_members, sizeof(*w->members));
        w->statuses = calloc(w->n_members, sizeof(*w->statuses));
        w->retry_at = w->timer = WORKER_NEVER;
        w->userns = -1;
        w->start_time = worker_now(w);
        w->deadline = WORKER_NEVER;
        if (!w->members || !w->statuses) {
                worker_free(w);
                return NULL;
        }
        init_members(w);
        w->limited = eviction_has_limits(pod) && !eviction_is_critical(pod);
        return w;
}

static void set_deadline(struct worker *w) {
        const struct opt_int *seconds = &w->pod->spec.active_deadline;

        if (seconds->set)
                w->deadline = later(w->start_time, seconds->value);
}

void worker_start(struct worker *w) {
        set_deadline(w);
        worker_event(w, WORKER_EVENT_START);
}

void worker_reject(struct worker *w, const char *reason, const char *message) {
        worker_say(w, NULL, true, reason, "%s", message);
        w->reason = reason;
        if (asprintf(&w->message, "Pod was rejected: %s", message) < 0)
                w->message = NULL;
        w->terminal = w->rejected = true;
        w->state = WORKER_RESTING;
        worker_step(w);
}

static struct member *find_member(struct worker *w, const char *name) {
        for (size_t i = 0; i < w->n_members; i++)
                if (strcmp(w->members[i].spec->name, name) == 0)
                        return &w->members[i];
        return NULL;
}

static void take_up_container(struct worker *w, const struct worker_found_container *found) {
        struct member *m = find_member(w, found->name);
        struct cri_container_info info;

        if (!m || w->node->ops->container_get(w->node->data, found->id, &info) < 0)
                return;
        if (info.state == CRI__CONTAINER_STATE__CONTAINER_CREATED) {
                member_remove_dead(m, found->id, found->restarts);
                return;
        }
        if (m->id) {
                free(m->previous_id);
                m->previous_id = TAKE_PTR(m->id);
                m->last = m->end;
                m->end = (struct ending){ 0 };
        }
        m->id = strdup(found->id);
        m->restarts = found->restarts;
        free(m->image_id);
        m->image_id = info.image_id ? strdup(info.image_id) : NULL;
        m->started_at = info.started_at / 1000000;
        w->initialized |= m->role == MEMBER_MAIN;
        if (info.state == CRI__CONTAINER_STATE__CONTAINER_RUNNING) {
                m->state = MEMBER_RUNNING;
                probers_begin(m, m->started_at, true);
        } else {
                m->state = MEMBER_EXITED;
                member_take_exit(m, &info);
        }
}

/* Init containers without a record have done their part when others that come after them were made, as kubelet takes it
 * (kuberuntime_container.go, computeInitContainerActions()). */
static void find_lost(struct worker *w) {
        bool later = w->initialized;

        for (size_t i = w->n_init; i-- > 0;) {
                struct member *m = &w->members[i];

                if (m->role == MEMBER_INIT && !m->id && later)
                        member_lost(m);
                later |= m->id != NULL;
        }
}

void worker_take_up(struct worker *w, const struct worker_found *found) {
        w->taken_up = true;
        w->sandbox_attempt = found->sandbox_attempt + 1;
        if (found->sandbox_id)
                w->sandbox_id = strdup(found->sandbox_id);
        for (size_t i = 0; i < found->n_containers; i++)
                take_up_container(w, &found->containers[i]);
        worker_read_hint(w);
        find_lost(w);
        set_deadline(w);
        if (!w->sandbox_id) {
                w->sandbox_attempt = 0;
                worker_event(w, w->terminal || w->over ? WORKER_EVENT_STOP : WORKER_EVENT_START);
                return;
        }
        worker_look_at_sandbox(w);
        w->state = w->terminal ? WORKER_STOPPING : WORKER_RUNNING;
        if (w->state == WORKER_STOPPING)
                worker_enter_stopping(w);
        worker_step(w);
}

void worker_delete(struct worker *w) {
        if (w->deleting)
                return;
        w->deleting = true;
        worker_event(w, WORKER_EVENT_STOP);
}

void worker_heard(struct worker *w, const struct cri_event *event) {
        struct cri_container_info info;

        switch (event->type) {
        case CRI_EVENT_CONTAINER_STOPPED:
                for (size_t i = 0; i < w->n_members; i++) {
                        struct member *m = &w->members[i];

                        if (!m->id || strcmp(m->id, event->container_id) != 0 || m->state == MEMBER_EXITED ||
                            w->node->ops->container_get(w->node->data, m->id, &info) < 0 ||
                            info.state != CRI__CONTAINER_STATE__CONTAINER_EXITED)
                                continue;
                        member_event(m, MEMBER_EVENT_EXITED);
                }
                return;
        case CRI_EVENT_SANDBOX_NOTREADY:
        case CRI_EVENT_SANDBOX_DELETED:
                if (!w->sandbox_id || strcmp(w->sandbox_id, event->sandbox_id) != 0)
                        return;
                w->sandbox_ready = false;
                worker_step(w);
                return;
        case CRI_EVENT_OOM:
                worker_say(w, NULL, true, "OOMKilling",
                           "Memory limit reached in container %s: usage %lluKi, limit %lluKi", event->container_name,
                           (unsigned long long)event->oom_usage / 1024, (unsigned long long)event->oom_limit / 1024);
                return;
        default:
                return;
        }
}

void worker_free(struct worker *w) {
        if (!w)
                return;
        if (!w->dead) {
                w->dead = true;
                if (w->timer != WORKER_NEVER)
                        w->node->ops->set_timer(w->node->data, w, WORKER_NEVER);
                for (size_t i = 0; w->members && i < w->n_members; i++) {
                        probers_stop(&w->members[i]);
                        hook_cancel(&w->members[i]);
                }
        }
        sync_trace_leave(w);
        if (w->ops)
                return;
        worker_give_userns(w);
        for (size_t i = 0; w->members && i < w->n_members; i++)
                member_clear(&w->members[i]);
        if (w->has_status)
                pod_status_done(&w->status);
        worker_forget_ips(w);
        dns_choice_free(w->dns);
        err_free(w->failure);
        free(w->message);
        free(w->sandbox_id);
        free(w->members);
        free(w->statuses);
        pod_unref(w->pod);
        free(w);
}

const struct pod *worker_pod(const struct worker *w) {
        return w->pod;
}

void worker_set_owner(struct worker *w, void *owner) {
        w->owner = owner;
}

void *worker_owner(const struct worker *w) {
        return w->owner;
}

bool worker_deleting(const struct worker *w) {
        return w->deleting;
}

bool worker_is_active(const struct worker *w) {
        return !w->deleting && !w->terminal && w->state != WORKER_NEW && w->state < WORKER_STOPPING;
}

void worker_evict(struct worker *w, const char *message, int64_t grace_seconds, bool disruption) {
        if (w->deleting || w->terminal)
                return;
        w->eviction_grace = grace_seconds;
        w->disrupted = disruption;
        worker_say(w, NULL, true, "Evicted", "%s", message);
        worker_fail(w, "Evicted", message);
}

bool worker_has_limits(const struct worker *w) {
        return w->limited;
}

bool worker_begin_watch(struct worker *w) {
        bool before = w->watched;

        w->watched = true;
        return !before;
}

bool worker_discard(struct worker *w) {
        if (w->state != WORKER_RESTING || !w->sandbox_id || w->hint_under_way)
                return false;
        worker_event(w, WORKER_EVENT_DISCARD);
        return true;
}

bool worker_is_discarding(const struct worker *w) {
        return w->state == WORKER_DISCARDING || w->state == WORKER_DROPPING;
}

bool worker_stopped(const struct worker *w) {
        return w->state == WORKER_GONE || (w->deleting && w->state >= WORKER_REMOVING);
}

bool worker_holds(const struct worker *w) {
        return w->state < WORKER_RESTING;
}

const char *worker_sandbox(const struct worker *w) {
        return w->sandbox_id;
}
