/* A pod's turn: a node is found and it is bound there, or it waits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/scheduler/internal.h"
#include "lib/arena.h"

void sched_unassume(struct scheduler *s, struct sched_pod *pod) {
        struct sched_node *node = pod->node;

        sched_cluster_lift(&s->cluster, pod);
        pod->place = SCHED_NOWHERE;
        sched_changed(s, SCHED_POD_GONE, node, pod);
}

static int make_room(struct scheduler *s, uint32_t n) {
        struct sched_node **fitting = reallocarray(s->fitting, n, sizeof(*fitting));
        int64_t *scores = fitting ? reallocarray(s->scores, n, sizeof(*scores)) : NULL, *totals;
        uint8_t *verdicts;

        if (fitting)
                s->fitting = fitting;
        if (scores)
                s->scores = scores;
        totals = scores ? reallocarray(s->totals, n, sizeof(*totals)) : NULL;
        if (totals)
                s->totals = totals;
        verdicts = totals ? realloc(s->verdicts, n) : NULL;
        if (!verdicts)
                return -ENOMEM;
        s->verdicts = verdicts;
        s->room = n;
        return 0;
}

static int begin(struct scheduler *s, struct sched_pod *pod, struct sched_cycle *c) {
        int r = sched_cluster_settle(&s->cluster);

        if (r == 0 && s->cluster.n_order > s->room)
                r = make_room(s, s->cluster.n_order * 2);
        arena_reset(s->arena);
        *c = (struct sched_cycle){ .cluster = &s->cluster,
                                   .pod = pod,
                                   .arena = s->arena,
                                   .scratch = s->scratch,
                                   .claims = s->claims,
                                   .fitting = s->fitting,
                                   .scores = s->scores,
                                   .totals = s->totals,
                                   .verdicts = s->verdicts };
        return r;
}

/* The node; NULL: none, and why in @c, or *@ret_error. */
static struct sched_node *find_node(struct scheduler *s, struct sched_cycle *c, int *ret_error) {
        struct sched_node *node = NULL;
        int r = s->cluster.n_order > 0 ? sched_cycle_prepare(c) : -EACCES;

        *ret_error = r == -EACCES ? 0 : r;
        if (r < 0)
                return NULL;
        sched_cycle_find(c, s->start);
        s->start = (s->start + c->n_looked_at) % s->cluster.n_order;
        if (c->n_fitting > 0) {
                node = sched_cycle_best(c, &s->random);
                *ret_error = node ? 0 : -ENOMEM;
        }
        return node;
}

static void place(struct scheduler *s, struct sched_pod *pod, struct sched_node *node, uint64_t began) {
        int r = sched_cluster_place(&s->cluster, pod, node);

        if (r < 0) {
                pod->has_erred = true;
                return sched_fail(s, pod, strerror(-r));
        }
        sched_nominate(pod, NULL);
        pod->place = SCHED_ASSUMED;
        sched_bind(s, pod, began);
}

/* Of dynamic resources, which have their say here, there is nothing but kube-scheduler's words. */
static const char *explain(struct scheduler *s, struct sched_cycle *c) {
        const char *words = sched_cycle_words(c), *more;

        if (s->cluster.n_order == 0)
                return words;
        if (c->refused)
                return arena_printf(c->arena, "%s not found", words);
        more = sched_preempt(s, c);
        return more ? arena_printf(c->arena, "%s no new claims to deallocate, preemption: %s", words, more) : words;
}

void sched_attempt(struct scheduler *s, struct sched_pod *pod) {
        uint64_t began = sched_now(s);
        struct sched_cycle c;
        struct sched_node *node = NULL;
        const char *words;
        int error = begin(s, pod, &c);

        pod->attempts++;
        pod->tried = began;
        pod->first_tried = pod->first_tried ?: began;
        if (error == 0)
                node = find_node(s, &c, &error);
        sched_metrics_tried(&s->metrics, began, sched_now(s));
        if (node)
                return place(s, pod, node, began);
        pod->failed = c.failed;
        pod->has_erred = error < 0;
        words = error < 0 ? strerror(-error) : explain(s, &c);
        sched_fail(s, pod, words ?: strerror(ENOMEM));
}
