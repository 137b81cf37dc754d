/* Preemption: less important pods are asked to leave a node where the pod then fits, for which it is nominated. */
#include <stdio.h>
#include <string.h>

#include "api/scheduler/internal.h"
#include "api/scheduler/victims.h"
#include "client/client.h"
#include "kube/policy_v1.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/json_writer.h"
#include "lib/log.h"

/* kube-scheduler's: nodes that are tried, of all where it might help. */
#define CANDIDATES_PERCENT 10
#define CANDIDATES_MIN 100

/* --- budgets --- */

static int read_budget(struct arena *arena, const struct client_object *object, struct sched_budget *to) {
        static const struct sched_selector_more none[2];
        struct kube_policy_v1_pod_disruption_budget *from =
                arena_new_of(arena, struct kube_policy_v1_pod_disruption_budget);
        string_list *disrupted = arena_new_of(arena, string_list);
        int r = from && disrupted ?
                        client_object_read(arena, object, &kube_policy_v1_pod_disruption_budget_type, from) :
                        -1;

        if (r < 0)
                return r;
        disrupted->items =
                arena_alloc_array(arena, (size_t)from->status.disrupted_pods.count + 1, sizeof(*disrupted->items));
        if (!disrupted->items)
                return -1;
        list_for_each (entry, &from->status.disrupted_pods)
                disrupted->items[disrupted->count++] = entry->key;
        *to = (struct sched_budget){ .namespace = from->metadata.namespace ?: "",
                                     .disrupted = disrupted,
                                     .allowed = from->status.disruptions_allowed };
        return sched_selector_read(arena, from->spec.selector, none, &to->pods);
}

static struct sched_budgets read_budgets(struct scheduler *s) {
        struct sched_budgets budgets = { 0 };
        uint32_t n = 0;

        if (!s->budgets)
                return budgets;
        for (struct informer_walk w = informer_first(s->budgets, NULL); w.object; informer_next(&w))
                n++;
        budgets.all = arena_alloc_array(s->arena, (size_t)n + 1, sizeof(*budgets.all));
        for (struct informer_walk w = informer_first(s->budgets, NULL); budgets.all && w.object; informer_next(&w))
                if (read_budget(s->arena, w.object, &budgets.all[budgets.n]) == 0)
                        budgets.n++;
        return budgets;
}

/* --- who goes --- */

static void on_gone(struct sched_send *send, const struct client_answer *answer) {
        if (!client_succeeded(answer) && answer->code != 404)
                log_warning("scheduler: %s: it cannot be made to leave for another pod: %s", send->key,
                            answer->message);
}

static void remove_victim(struct scheduler *s, const struct sched_pod *pod) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *options = arena ? client_delete_options(arena, pod->uid, NULL, NULL) : NULL;
        const struct client_request q = { .verb = KUBE_VERB_DELETE,
                                          .kind = s->pod_kind,
                                          .namespace = pod->namespace,
                                          .name = pod->name,
                                          .body = options,
                                          .length = options ? strlen(options) : 0 };
        const struct sched_send like = { .done = on_gone, .key = (char *)pod->key, .uid = (char *)pod->uid };

        if (!options || sched_send(s, &q, &like) < 0)
                log_warning("scheduler: %s: it cannot be made to leave for another pod now", pod->key);
}

static void on_marked(struct sched_send *send, const struct client_answer *answer) {
        struct sched_pod *pod = sched_cluster_pod(&send->scheduler->cluster, send->key);

        if (pod && strcmp(pod->uid, send->uid) == 0)
                remove_victim(send->scheduler, pod);
}

/* Its status says why first, for those who count failures. */
static int mark(struct scheduler *s, const struct sched_pod *pod) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        const struct kube_time now = { .seconds = sched_wall(s), .set = true };
        char at[KUBE_TIME_TEXT_MAX];

        kube_time_format(&now, false, at);
        sched_begin_conditions(&w, pod);
        json_begin_map(&w);
        json_add_string(&w, "type", "DisruptionTarget");
        json_add_string(&w, "status", "True");
        json_add_string(&w, "lastTransitionTime", at);
        json_add_string(&w, "reason", "PreemptionByScheduler");
        json_add_string(&w, "message", SCHEDULER_NAME ": preempting to accommodate a higher priority pod");
        json_end_map(&w);
        json_end_list(&w);
        return sched_patch_status(s, pod, &w, on_marked);
}

static void ask_to_leave(struct scheduler *s, struct sched_pod *pod, const struct sched_pod *preemptor,
                         const struct sched_node *node) {
        char message[RECORDER_MESSAGE_MAX];
        const struct recorder_note note = { "Normal", "Preempted", message };

        pod->going = true;
        snprintf(message, sizeof(message), "Preempted by pod %s on node %s", preemptor->uid, node->name);
        sched_tell(s, pod, &note);
        if (mark(s, pod) < 0)
                remove_victim(s, pod);
}

/* Pods of less priority do not wait for that node any more. */
static void preempt(struct scheduler *s, struct sched_pod *pod, const struct sched_victims *victims) {
        for (uint32_t i = 0; i < victims->n; i++)
                if (!victims->all[i]->going && !victims->all[i]->terminating)
                        ask_to_leave(s, victims->all[i], pod, victims->node);
        LIST_EACH (sched_nominated, other, &victims->node->nominated)
                if (other->priority < pod->priority) {
                        sched_nominate(other, NULL);
                        sched_queue_add(&s->queue, other, sched_now(s));
                }
        sched_nominate(pod, victims->node);
        sched_metrics_preempted(&s->metrics, victims->n);
}

/* --- where --- */

/* Why it may not; NULL: it may. */
static const char *obstacle(const struct sched_cycle *c) {
        struct sched_node *node = c->pod->nominated;

        if (kube_is(c->pod->whole->spec.preemption_policy, "Never"))
                return "not eligible due to preemptionPolicy=Never.";
        if (!node || !node->known || c->verdicts[node->at] == SCHED_UNRESOLVABLE)
                return NULL;
        LIST_EACH (sched_node_pods, pod, &node->pods)
                if (pod->priority < c->pod->priority && (pod->terminating || pod->going))
                        return "not eligible due to a terminating pod on the nominated node.";
        return NULL;
}

static bool may_help(const struct sched_cycle *c, uint32_t at) {
        return c->verdicts[at] == SCHED_UNSCHEDULABLE;
}

static uint32_t count_candidates(const struct sched_cycle *c) {
        uint32_t n = 0;

        for (uint32_t at = 0; at < c->cluster->n_order; at++)
                n += may_help(c, at);
        return n;
}

static void gather(struct sched_reasons *to, const struct sched_reasons *from) {
        for (uint32_t i = 0; i < from->n; i++)
                sched_reasons_add(to, from->all[i].text, from->all[i].n);
}

/* The best of so many of the nodes, from any of them on. */
static bool find_best(struct scheduler *s, struct sched_cycle *c, struct sched_reasons *why,
                      struct sched_victims *ret_best) {
        uint32_t n = c->cluster->n_order, left = count_candidates(c), wanted = left * CANDIDATES_PERCENT / 100;
        uint32_t start = s->start;
        struct sched_budgets budgets = read_budgets(s);
        struct sched_victims victims;
        bool found = false;

        sched_reasons_add(why, "Preemption is not helpful for scheduling", n - left);
        wanted = wanted < CANDIDATES_MIN ? CANDIDATES_MIN : wanted;
        for (uint32_t i = 0; i < n && wanted > 0; i++) {
                struct sched_node *node = c->cluster->order[(start + i) % n];

                if (!may_help(c, node->at))
                        continue;
                if (!sched_victims_find(c, node, &budgets, &victims)) {
                        gather(why, &c->reasons);
                        continue;
                }
                if (!found || sched_victims_are_better(&victims, ret_best))
                        *ret_best = victims;
                found = true;
                wanted -= victims.n_violating == 0;
        }
        return found;
}

const char *sched_preempt(struct scheduler *s, struct sched_cycle *c) {
        const char *words = obstacle(c);
        struct sched_reasons why = { 0 };
        struct sched_victims best;

        if (words)
                return words;
        if (find_best(s, c, &why, &best)) {
                preempt(s, c->pod, &best);
                return NULL;
        }
        sched_nominate(c->pod, NULL);
        return sched_reasons_format(c->arena, &why, c->cluster->n_order) ?: "";
}
