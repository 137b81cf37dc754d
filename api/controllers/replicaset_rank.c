/* Which pods go first. */
#include <stdlib.h>
#include <string.h>

#include "api/controllers/replicaset.h"

/* Less than 0: @a goes first. Each says what counts before all that follows. */
typedef int (*comparison)(const struct replicaset_ranked *a, const struct replicaset_ranked *b, int64_t now);

static int order(int64_t a, int64_t b) {
        return (a > b) - (a < b);
}

static int by_node(const struct replicaset_ranked *a, const struct replicaset_ranked *b, int64_t now) {
        return order(*a->pod->pod->node != '\0', *b->pod->pod->node != '\0');
}

static int by_phase(const struct replicaset_ranked *a, const struct replicaset_ranked *b, int64_t now) {
        return order(a->pod->pod->phase, b->pod->pod->phase);
}

static int by_ready(const struct replicaset_ranked *a, const struct replicaset_ranked *b, int64_t now) {
        return order(a->pod->pod->ready, b->pod->pod->ready);
}

static int by_cost(const struct replicaset_ranked *a, const struct replicaset_ranked *b, int64_t now) {
        return order(a->pod->pod->deletion_cost, b->pod->pod->deletion_cost);
}

static int by_rank(const struct replicaset_ranked *a, const struct replicaset_ranked *b, int64_t now) {
        return order(b->rank, a->rank);
}

/* Ages count by their power of two, so that it is not always the youngest that goes; of the same power the uid
 * decides, which is random. */
static int power_of(int64_t since, int64_t now) {
        return now > since ? 63 - __builtin_clzll((uint64_t)(now - since)) : -1;
}

static int by_age(const struct replicaset_ranked *a, const struct replicaset_ranked *b, int64_t since_a,
                  int64_t since_b, int64_t now) {
        if (since_a == since_b)
                return 0;
        if (since_a == 0 || since_b == 0) /* not known: it counts as the youngest */
                return since_a == 0 ? -1 : 1;
        return order(power_of(since_a, now), power_of(since_b, now)) ?: strcmp(a->pod->uid, b->pod->uid);
}

static int by_ready_time(const struct replicaset_ranked *a, const struct replicaset_ranked *b, int64_t now) {
        if (!a->pod->pod->ready || !b->pod->pod->ready)
                return 0;
        return by_age(a, b, a->pod->pod->ready_since, b->pod->pod->ready_since, now);
}

static int by_restarts(const struct replicaset_ranked *a, const struct replicaset_ranked *b, int64_t now) {
        return order(b->pod->pod->restarts, a->pod->pod->restarts) ?:
                       order(b->pod->pod->sidecar_restarts, a->pod->pod->sidecar_restarts);
}

static int by_created(const struct replicaset_ranked *a, const struct replicaset_ranked *b, int64_t now) {
        return by_age(a, b, a->pod->created, b->pod->created, now);
}

static int compare(const void *a, const void *b, void *data) {
        static const comparison comparisons[] = { by_node, by_phase,      by_ready,    by_cost,
                                                  by_rank, by_ready_time, by_restarts, by_created };
        const int64_t *now = data;
        int c = 0;

        for (size_t i = 0; c == 0 && i < sizeof(comparisons) / sizeof(comparisons[0]); i++)
                c = comparisons[i](a, b, *now);
        return c;
}

void replicaset_sort(struct replicaset_ranked *pods, size_t n, int64_t now) {
        qsort_r(pods, n, sizeof(*pods), compare, &now);
}
