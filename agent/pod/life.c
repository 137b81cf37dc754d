/* A worker from worker_new() to worker_free(): how it begins, is taken up, hears of cri, and ends. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/node/dns.h"
#include "agent/pod/internal.h"
#include "lib/cleanup.h"

/* -- begin ------------------------------------------------------------------------------------------------- */

static void destroy(struct op_owner *owner);

static void init(struct worker *w, struct worker_node *node, struct pod *pod) {
        w->node = node;
        w->pod = pod_ref(pod);
        w->ops = (struct op_owner){ .world = &node->world, .pod = w->pod, .drained = destroy };
        w->scope = (struct op_scope){ .owner = &w->ops, .data = w };
        w->host = (struct member_host){ .ops = &worker_host_ops,
                                        .data = w,
                                        .world = &node->world,
                                        .pod = pod,
                                        .sandbox = &w->sandbox,
                                        .owner = &w->ops,
                                        .pulls = &node->pulls };
        w->sandbox.userns = -1;
        w->retry_at = w->wake = w->timer = w->deadline = w->update.retry_at = w->resize.retry_at = NODE_NEVER;
        w->resize.size = pod_files_size(pod);
        w->start_time = worker_now(w);
}

struct worker *worker_new(struct worker_node *node, struct pod *pod) {
        size_t n = worker_count_members(pod);
        struct worker *w = calloc(1, sizeof(*w));

        if (!w)
                return NULL;
        init(w, node, pod);
        w->members = calloc(n + 1, sizeof(struct member *));
        w->statuses = calloc(n + 1, sizeof(*w->statuses));
        if (!w->members || !w->statuses || worker_make_members(w, pod, w->members) < 0) {
                worker_free(w);
                return NULL;
        }
        w->n_init = pod->spec.init_containers.count;
        w->n_lasting = w->n_init + pod->spec.containers.count;
        w->n_members = n;
        return w;
}

void worker_start(struct worker *w) {
        assert(w->state == WORKER_NEW);
        worker_set_deadline(w);
        worker_event(w, WORKER_EVENT_START);
}

int worker_reject(struct worker *w, const char *reason, const char *message) {
        char *text = NULL;

        assert(w->state == WORKER_NEW);
        if (!(w->own_reason = strdup(reason)) || asprintf(&text, "Pod was rejected: %s", message) < 0)
                return -ENOMEM;
        worker_say(w, true, reason, "%s", message);
        worker_judge(w, WORKER_REJECTED, w->own_reason, text);
        worker_event(w, WORKER_EVENT_REJECT);
        return 0;
}

/* -- take up ----------------------------------------------------------------------------------------------- */

static int take_up_container(struct worker *w, const struct worker_found_container *found) {
        for (size_t i = 0; i < w->n_members; i++)
                if (strcmp(member_spec(w->members[i])->name, found->name) == 0)
                        return member_take_up(w->members[i], found->id, found->restarts);
        return 0;
}

/* Init containers without a record have done their part when others that come after them were made, as kubelet takes it
 * (kuberuntime_container.go, computeInitContainerActions()). */
static void find_lost(struct worker *w) {
        bool later = w->initialized;

        for (size_t i = w->n_init; i-- > 0;) {
                struct member *m = w->members[i];

                if (member_role(m) == MEMBER_INIT && !member_id(m) && later)
                        member_presume_done(m);
                later |= member_id(m) != NULL;
        }
}

static int take_up_containers(struct worker *w, const struct worker_found *found) {
        for (size_t i = 0; i < found->n_containers; i++)
                if (take_up_container(w, &found->containers[i]) < 0)
                        return -ENOMEM;
        for (size_t i = w->n_init; i < w->n_lasting; i++)
                w->initialized |= member_id(w->members[i]) != NULL;
        return 0;
}

int worker_take_up(struct worker *w, const struct worker_found *found) {
        bool over = false;

        assert(w->state == WORKER_NEW);
        if (found->sandbox_id) {
                w->sandbox_attempt = found->sandbox_attempt + 1;
                strncpy(w->sandbox.id, found->sandbox_id, sizeof(w->sandbox.id) - 1);
        }
        if (take_up_containers(w, found) < 0 || worker_read_hint(w, &over) < 0)
                return -ENOMEM;
        find_lost(w);
        worker_set_deadline(w);
        if (w->sandbox.id[0])
                worker_event(w, WORKER_EVENT_TAKE_UP);
        else
                worker_event(w, w->verdict || over ? WORKER_EVENT_STOP : WORKER_EVENT_START);
        return 0;
}

/* -- what is asked and heard ------------------------------------------------------------------------------- */

void worker_delete(struct worker *w) {
        if (w->goal == WORKER_TO_GO)
                return;
        w->goal = WORKER_TO_GO;
        worker_event(w, WORKER_EVENT_STOP);
}

void worker_set_grace(struct worker *w, int64_t seconds) {
        int64_t deadline;

        w->own_grace = seconds < WORKER_GRACE_MIN_S ? WORKER_GRACE_MIN_S : seconds;
        deadline = node_later(worker_now(w), w->own_grace);
        if (w->state != WORKER_STOPPING || deadline >= w->stop_deadline)
                return;
        w->stop_deadline = deadline;
        for (size_t i = 0; i < w->n_members; i++)
                member_hurry(w->members[i], deadline);
        worker_step(w);
}

bool worker_evict(struct worker *w, const char *message, int64_t grace_seconds, bool disruption) {
        char *copy = w->goal == WORKER_TO_RUN ? strdup(message) : NULL;

        if (!copy)
                return false;
        w->own_grace = grace_seconds;
        worker_say(w, true, "Evicted", "%s", message);
        worker_judge(w, disruption ? WORKER_DISRUPTED : WORKER_EVICTED, "Evicted", copy);
        worker_keep_hint(w);
        worker_event(w, WORKER_EVENT_STOP);
        return true;
}

bool worker_preempt(struct worker *w) {
        static const char text[] = "Preempted in order to admit critical pod";
        char *copy = w->goal == WORKER_TO_RUN ? strdup(text) : NULL;

        if (!copy)
                return false;
        worker_say(w, true, "Preempting", "%s", text);
        worker_judge(w, WORKER_PREEMPTED, "Preempting", copy);
        worker_keep_hint(w);
        worker_event(w, WORKER_EVENT_STOP);
        return true;
}

bool worker_is_preempted(const struct worker *w) {
        return w->verdict == WORKER_PREEMPTED;
}

bool worker_shut_down(struct worker *w, int64_t grace_seconds) {
        static const char text[] = "Pod was terminated in response to imminent node shutdown.";
        char *copy;

        if (w->goal != WORKER_TO_RUN || w->state >= WORKER_STOPPING) {
                worker_set_grace(w, grace_seconds);
                return true;
        }
        if (!(copy = strdup(text)))
                return false;
        w->own_grace = grace_seconds < WORKER_GRACE_MIN_S ? WORKER_GRACE_MIN_S : grace_seconds;
        worker_judge(w, WORKER_SHUT_DOWN, "Terminated", copy);
        worker_keep_hint(w);
        worker_event(w, WORKER_EVENT_STOP);
        return true;
}

bool worker_is_shut_down(const struct worker *w) {
        return w->verdict == WORKER_SHUT_DOWN;
}

bool worker_discard(struct worker *w) {
        if (w->state != WORKER_RESTING || !w->sandbox.id[0] || !worker_hint_is_kept(w))
                return false;
        worker_event(w, WORKER_EVENT_DISCARD);
        return true;
}

void worker_heard(struct worker *w, const struct cri_event *event) {
        switch (event->type) {
        case CRI_EVENT_CONTAINER_STOPPED:
                for (size_t i = 0; i < w->n_members && !member_heard_exit(w->members[i], event->container_id); i++)
                        ;
                return;
        case CRI_EVENT_SANDBOX_NOTREADY:
        case CRI_EVENT_SANDBOX_DELETED:
                if (strcmp(w->sandbox.id, event->sandbox_id) != 0)
                        return;
                w->sandbox_ready = false;
                worker_step(w);
                return;
        case CRI_EVENT_OOM:
                worker_say(w, true, "OOMKilling", "Memory limit reached in container %s: usage %lluKi, limit %lluKi",
                           event->container_name, (unsigned long long)event->oom_usage / 1024,
                           (unsigned long long)event->oom_limit / 1024);
                return;
        default:
                return;
        }
}

/* -- end --------------------------------------------------------------------------------------------------- */

static void destroy(struct op_owner *owner) {
        struct worker *w = (struct worker *)((char *)owner - offsetof(struct worker, ops));

        worker_give_userns(w);
        for (size_t i = 0; i < w->n_members; i++)
                member_free(w->members[i]);
        if (w->has_status)
                pod_status_done(&w->status);
        pod_addresses_clear(&w->sandbox.addresses);
        dns_choice_free(w->dns);
        err_free(w->failure);
        free(w->message);
        free(w->own_reason);
        free(w->members);
        free(w->statuses);
        worker_end_resize(w);
        pod_unref(w->told);
        pod_unref(w->pod);
        free(w);
}

void worker_free(struct worker *w) {
        if (!w)
                return;
        assert(!w->ops.closed);
        if (w->timer != NODE_NEVER)
                w->node->ops->set_timer(w->node->data, w, NODE_NEVER);
        for (size_t i = 0; i < w->n_members; i++)
                if (w->members[i])
                        member_leave(w->members[i]);
        op_owner_close(&w->ops);
}

/* -- what it is in ----------------------------------------------------------------------------------------- */

const struct pod *worker_pod(const struct worker *w) {
        return w->pod;
}

void worker_set_owner(struct worker *w, void *owner) {
        w->owner = owner;
}

void *worker_owner(const struct worker *w) {
        return w->owner;
}

struct worker_mark *worker_mark(struct worker *w) {
        return &w->mark;
}

bool worker_is_active(const struct worker *w) {
        return w->goal == WORKER_TO_RUN && w->state != WORKER_NEW && w->state < WORKER_STOPPING;
}

bool worker_is_discarding(const struct worker *w) {
        return w->state == WORKER_DISCARDING || w->state == WORKER_DROPPING;
}

bool worker_has_ended(const struct worker *w) {
        return w->has_status && pod_phase_is_final(w->status.phase);
}

bool worker_renews(const struct worker *w) {
        for (size_t i = 0; i < w->n_members && worker_is_active(w); i++)
                if (member_is_replaced(w->members[i]))
                        return true;
        return false;
}

bool worker_holds(const struct worker *w) {
        return w->state < WORKER_RESTING;
}

const char *worker_sandbox(const struct worker *w) {
        return w->sandbox.id[0] ? w->sandbox.id : NULL;
}

struct each_probe {
        void (*each)(void *data, const struct worker_probe *probe);
        void *data;
};

static void on_probe(void *data, const struct member *m, const struct member_probe *probe) {
        const struct each_probe *e = data;

        e->each(e->data, &(struct worker_probe){ member_spec(m)->name, probe->type, probe->results, probe->times });
}

void worker_each_probe(const struct worker *w, void (*each)(void *data, const struct worker_probe *probe), void *data) {
        struct each_probe e = { each, data };

        for (size_t i = 0; i < w->n_members; i++)
                member_each_probe(w->members[i], on_probe, &e);
}

bool worker_each_running(const struct worker *w,
                         bool (*each)(void *data, const char *name, const struct cri_container_info *info),
                         void *data) {
        for (size_t i = 0; i < w->n_members; i++) {
                const struct member *m = w->members[i];
                struct cri_container_info info;

                if (member_id(m) && member_runs(m) && node_container_get(&w->node->world, member_id(m), &info) == 0 &&
                    !each(data, member_spec(m)->name, &info))
                        return false;
        }
        return true;
}
