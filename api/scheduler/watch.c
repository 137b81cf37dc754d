/* What the informers tell, taken over into the cluster and the queue. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/scheduler/internal.h"
#include "client/client.h"
#include "kube/kinds.h"
#include "lib/log.h"

#define OWNER(handler, member) ((struct scheduler *)((char *)(handler)-offsetof(struct scheduler, member)))

static void complain(const struct client_object *object, const char *what, int error) {
        log_error("scheduler: %s %s%s%s: it cannot be read: %s", what, object->namespace, *object->namespace ? "/" : "",
                  object->name, strerror(-error));
}

/* --- nodes --- */

static void on_node(struct informer_handler *handler, enum client_change change, struct client_object *object,
                    struct client_object *old) {
        struct scheduler *s = OWNER(handler, node_handler);
        struct sched_node *node = NULL;
        uint32_t events = 0;
        int r;

        if (change == CLIENT_DELETED) {
                node = sched_cluster_node(&s->cluster, object->name);
                if (node)
                        sched_cluster_drop_node(&s->cluster, node);
                return;
        }
        r = sched_cluster_put_node(&s->cluster, object, &node, &events);
        if (r < 0)
                return complain(object, "node", r);
        node->seen = s->seen_nodes;
        for (uint32_t left = events; left != 0; left &= left - 1)
                sched_changed(s, left & -left, node, NULL);
}

static void on_nodes_begin(struct informer_handler *handler) {
        OWNER(handler, node_handler)->seen_nodes++;
}

static void on_nodes_end(struct informer_handler *handler) {
        struct scheduler *s = OWNER(handler, node_handler);
        const struct table *t = &s->cluster.nodes;

        for (size_t i = 0; i < t->n_buckets; i++)
                for (struct table_node *at = t->buckets[i], *next; at; at = next) {
                        struct sched_node *node = table_object(at, struct sched_node, by_name);

                        next = at->next;
                        if (node->known && node->seen != s->seen_nodes)
                                sched_cluster_drop_node(&s->cluster, node);
                }
}

/* --- namespaces --- */

static void on_space(struct informer_handler *handler, enum client_change change, struct client_object *object,
                     struct client_object *old) {
        struct scheduler *s = OWNER(handler, space_handler);
        struct sched_namespace *space = sched_cluster_space(&s->cluster, object->name);
        bool changed = false;
        int r;

        if (change == CLIENT_DELETED) {
                if (space)
                        sched_cluster_drop_space(&s->cluster, space);
                return;
        }
        r = sched_cluster_put_space(&s->cluster, object, &changed);
        if (r < 0)
                return complain(object, "namespace", r);
        if (changed)
                sched_changed(s, SCHED_SPACE_LABELS, NULL, NULL);
}

/* --- claims --- */

static void on_claim(struct informer_handler *handler, enum client_change change, struct client_object *object,
                     struct client_object *old) {
        sched_changed(OWNER(handler, claim_handler), SCHED_CLAIM, NULL, NULL);
}

/* --- Services, and what owns pods --- */

static struct sched_kin_watch *kin_watch(struct informer_handler *handler) {
        return (struct sched_kin_watch *)((char *)handler - offsetof(struct sched_kin_watch, handler));
}

static void on_kin(struct informer_handler *handler, enum client_change change, struct client_object *object,
                   struct client_object *old) {
        struct sched_kin_watch *w = kin_watch(handler);
        struct sched_kin *kin = &w->scheduler->cluster.kin;
        int r;

        if (change == CLIENT_DELETED)
                return sched_kin_drop(kin, w->kind, object->namespace, object->name);
        r = sched_kin_put(kin, w->kind, object, w->seen);
        if (r < 0)
                complain(object, sched_kin_rows[w->kind].kind, r);
}

static void on_kin_begins(struct informer_handler *handler) {
        kin_watch(handler)->seen++;
}

static void on_kin_ends(struct informer_handler *handler) {
        const struct sched_kin_watch *w = kin_watch(handler);

        sched_kin_sweep(&w->scheduler->cluster.kin, w->kind, w->seen);
}

/* --- pods --- */

static void drop_pod(struct scheduler *s, struct sched_pod *pod) {
        struct sched_node *node = pod->node, *waited_for = pod->nominated;
        bool known = node && node->known;

        sched_queue_remove(&s->queue, pod);
        sched_cluster_remove(&s->cluster, pod);
        if (known)
                sched_changed(s, SCHED_POD_GONE, node, pod);
        else if (waited_for)
                sched_changed(s, SCHED_POD_GONE, waited_for, pod);
        sched_pod_free(pod);
}

static void add_bound(struct scheduler *s, struct sched_pod *pod) {
        struct sched_node *node = sched_cluster_get_node(&s->cluster, pod->node_name);
        int r = node ? sched_cluster_add(&s->cluster, pod) : -ENOMEM;

        if (r < 0) {
                log_error("scheduler: pod %s: its node does not count it: %s", pod->key, strerror(-r));
                return sched_pod_free(pod);
        }
        r = sched_cluster_place(&s->cluster, pod, node);
        if (r < 0)
                log_error("scheduler: pod %s: its node does not count it: %s", pod->key, strerror(-r));
        pod->place = SCHED_BOUND;
}

/* Its status names the node, or has just ceased to; what was decided since is newer than a status without one. */
static void take_nomination(struct scheduler *s, struct sched_pod *pod, const struct sched_pod *old) {
        const char *name = pod->whole->status.nominated_node_name ?: "",
                   *before = old && old->whole ? old->whole->status.nominated_node_name ?: "" : "";
        struct sched_node *node = *name ? sched_cluster_node(&s->cluster, name) : NULL;

        if (*name)
                sched_nominate(pod, node && node->known ? node : NULL);
        else if (old && !*before)
                sched_nominate(pod, old->nominated);
}

static void add_waiting(struct scheduler *s, struct sched_pod *pod) {
        int r = sched_cluster_add(&s->cluster, pod);

        if (r < 0) {
                log_error("scheduler: pod %s: it cannot wait: %s", pod->key, strerror(-r));
                return sched_pod_free(pod);
        }
        take_nomination(s, pod, NULL);
        if (!sched_pod_is_gated(pod))
                sched_queue_add(&s->queue, pod, sched_now(s));
}

static bool is_less(const struct sched_needs *a, const struct sched_needs *b) {
        for (unsigned i = 0; i < SCHED_AMOUNTS; i++)
                if (a->amounts[i] < b->amounts[i])
                        return true;
        return false;
}

/* @old is on a node, or was waiting; @pod is on one. */
static void replace_bound(struct scheduler *s, struct sched_pod *old, struct sched_pod *pod) {
        bool was_bound = old->place == SCHED_BOUND, others = sched_labels_differ(&old->labels, &pod->labels),
             less = is_less(&pod->needs, &old->needs);
        struct sched_node *node;

        sched_queue_remove(&s->queue, old);
        pod->going = old->going;
        pod->attempts = old->attempts;
        pod->first_tried = old->first_tried;
        sched_cluster_remove(&s->cluster, old);
        sched_pod_free(old);
        add_bound(s, pod);
        node = sched_cluster_node(&s->cluster, pod->node_name);
        if (!was_bound)
                sched_changed(s, SCHED_POD_PLACED, node, pod);
        if (was_bound && others)
                sched_changed(s, SCHED_POD_LABELS, node, pod);
        if (was_bound && less)
                sched_changed(s, SCHED_POD_LESS, node, pod);
}

/* Both wait. Another spec or other labels may be what it lacked. */
static void replace_waiting(struct scheduler *s, struct sched_pod *old, struct sched_pod *pod) {
        bool differs = sched_pod_differs(old, pod);

        take_nomination(s, pod, old);
        sched_queue_replace(&s->queue, old, pod);
        sched_cluster_remove(&s->cluster, old);
        if (sched_cluster_add(&s->cluster, pod) < 0) {
                sched_queue_remove(&s->queue, pod);
                sched_nominate(pod, NULL);
                sched_pod_free(pod);
        } else if (sched_pod_is_gated(pod))
                sched_queue_remove(&s->queue, pod);
        else if (differs || pod->place == SCHED_NOWHERE)
                sched_queue_add(&s->queue, pod, sched_now(s));
        sched_pod_free(old);
}

static void take_pod(struct scheduler *s, struct sched_pod *old, struct sched_pod *pod) {
        if (old && strcmp(old->uid, pod->uid) != 0) {
                drop_pod(s, old);
                old = NULL;
        }
        pod->seen = s->seen_pods;
        if (pod->node_name) {
                if (old)
                        return replace_bound(s, old, pod);
                add_bound(s, pod);
                if (sched_cluster_pod(&s->cluster, pod->key) == pod)
                        sched_changed(s, SCHED_POD_PLACED, pod->node, pod);
                return;
        }
        if (!sched_pod_waits(pod)) {
                if (old)
                        drop_pod(s, old);
                return sched_pod_free(pod);
        }
        if (!old)
                return add_waiting(s, pod);
        if (old->place == SCHED_ASSUMED || old->place == SCHED_BOUND) { /* the binding is on its way back */
                old->seen = s->seen_pods;
                return sched_pod_free(pod);
        }
        replace_waiting(s, old, pod);
}

static void on_pod(struct informer_handler *handler, enum client_change change, struct client_object *object,
                   struct client_object *before) {
        struct scheduler *s = OWNER(handler, pod_handler);
        char key[2 * CLIENT_NAME_MAX];
        struct sched_pod *old, *pod;
        int r;

        snprintf(key, sizeof(key), "%s/%s", object->namespace, object->name);
        old = sched_cluster_pod(&s->cluster, key);
        if (change == CLIENT_DELETED) {
                if (old)
                        drop_pod(s, old);
                return;
        }
        r = sched_pod_read(object, &pod);
        if (r < 0)
                return complain(object, "pod", r);
        take_pod(s, old, pod);
        sched_wake(s);
}

static void on_pods_begin(struct informer_handler *handler) {
        OWNER(handler, pod_handler)->seen_pods++;
}

static void on_pods_end(struct informer_handler *handler) {
        struct scheduler *s = OWNER(handler, pod_handler);

        LIST_EACH (sched_all_pods, pod, &s->cluster.all)
                if (pod->seen != s->seen_pods)
                        drop_pod(s, pod);
}

/* --- all of them --- */

static int follow(struct scheduler *s, const struct kube_kind *kind, const char *fields,
                  struct informer_handler *handler) {
        struct informer *informer = informers_get(s->informers, kind, fields, false);

        if (informer)
                informer_add(informer, handler);
        return informer ? 0 : -ENOMEM;
}

static int follow_kin(struct scheduler *s) {
        for (unsigned i = 0; i < _SCHED_KIN_KINDS; i++) {
                const struct kube_kind *kind = kube_registry_resource(s->config.kinds, sched_kin_rows[i].group, "v1",
                                                                      sched_kin_rows[i].resource);
                int r;

                s->kin_watches[i] = (struct sched_kin_watch){
                        .handler = { .changed = on_kin, .list_begins = on_kin_begins, .list_ends = on_kin_ends },
                        .scheduler = s,
                        .kind = i
                };
                r = kind ? follow(s, kind, NULL, &s->kin_watches[i].handler) : -ENOENT;
                if (r < 0)
                        return r;
        }
        return 0;
}

int sched_watch(struct scheduler *s) {
        int r;

        s->pod_handler =
                (struct informer_handler){ .changed = on_pod, .list_begins = on_pods_begin, .list_ends = on_pods_end };
        s->node_handler = (struct informer_handler){ .changed = on_node,
                                                     .list_begins = on_nodes_begin,
                                                     .list_ends = on_nodes_end };
        s->space_handler = (struct informer_handler){ .changed = on_space };
        s->claim_handler = (struct informer_handler){ .changed = on_claim };
        if ((r = follow(s, s->node_kind, NULL, &s->node_handler)) < 0 ||
            (r = follow(s, s->space_kind, NULL, &s->space_handler)) < 0 ||
            (r = follow(s, s->pod_kind, "status.phase!=Succeeded,status.phase!=Failed", &s->pod_handler)) < 0 ||
            (r = follow_kin(s)) < 0)
                return r;
        s->claims = informers_get(s->informers, s->claim_kind, NULL, true);
        s->budgets = s->claims ? informers_get(s->informers, s->budget_kind, NULL, true) : NULL;
        if (s->claims)
                informer_add(s->claims, &s->claim_handler);
        return s->budgets ? 0 : -ENOMEM;
}
