#include "api/scheduler/queue.h"

#include <stdlib.h>

#include "api/scheduler/plugin.h"
#include "lib/grow.h"
#include "lib/metrics.h"

/* --- a heap --- */

static void put(struct sched_heap *heap, uint32_t at, struct sched_pod *pod) {
        heap->all[at] = pod;
        pod->at = at;
}

static void rise(struct sched_heap *heap, uint32_t at, struct sched_pod *pod) {
        while (at > 0 && heap->before(pod, heap->all[(at - 1) / 2])) {
                put(heap, at, heap->all[(at - 1) / 2]);
                at = (at - 1) / 2;
        }
        put(heap, at, pod);
}

static void sink(struct sched_heap *heap, uint32_t at, struct sched_pod *pod) {
        for (uint32_t below; (below = 2 * at + 1) < heap->n; at = below) {
                if (below + 1 < heap->n && heap->before(heap->all[below + 1], heap->all[below]))
                        below++;
                if (!heap->before(heap->all[below], pod))
                        break;
                put(heap, at, heap->all[below]);
        }
        put(heap, at, pod);
}

static int push(struct sched_heap *heap, struct sched_pod *pod) {
        int r = GROW(heap->all, heap->room, (size_t)heap->n + 1, GROW_NO_MAX);

        if (r == 0)
                rise(heap, heap->n++, pod);
        return r;
}

static void take(struct sched_heap *heap, struct sched_pod *pod) {
        struct sched_pod *last = heap->all[--heap->n];
        uint32_t at = pod->at;

        if (last == pod)
                return;
        rise(heap, at, last);
        if (last->at == at)
                sink(heap, at, last);
}

static struct sched_pod *first(const struct sched_heap *heap) {
        return heap->n > 0 ? heap->all[0] : NULL;
}

static bool is_more_important(const struct sched_pod *a, const struct sched_pod *b) {
        return a->priority != b->priority ? a->priority > b->priority : a->since < b->since;
}

static bool is_due_before(const struct sched_pod *a, const struct sched_pod *b) {
        return a->due < b->due;
}

/* --- the queue --- */

void sched_queue_init(struct sched_queue *queue) {
        *queue = (struct sched_queue){ .ready = { .before = is_more_important },
                                       .backing_off = { .before = is_due_before } };
}

void sched_queue_clear(struct sched_queue *queue) {
        free(queue->ready.all);
        free(queue->backing_off.all);
        sched_queue_init(queue);
}

static void count_hopeless(struct sched_queue *queue, const struct sched_pod *pod, int64_t more) {
        queue->n_hopeless += (uint32_t)more;
        for (uint32_t left = pod->failed; left != 0; left &= left - 1)
                metrics_count(&queue->hopeless_by[__builtin_ctz(left)], more);
}

void sched_queue_remove(struct sched_queue *queue, struct sched_pod *pod) {
        switch (pod->place) {
        case SCHED_READY:
                take(&queue->ready, pod);
                break;
        case SCHED_BACKING_OFF:
                take(&queue->backing_off, pod);
                break;
        case SCHED_HOPELESS:
                sched_hopeless_remove(pod);
                count_hopeless(queue, pod, -1);
                break;
        default:
                return;
        }
        pod->place = SCHED_NOWHERE;
}

static void despair(struct sched_queue *queue, struct sched_pod *pod) {
        sched_hopeless_append(&queue->hopeless, pod);
        count_hopeless(queue, pod, 1);
        pod->place = SCHED_HOPELESS;
}

static void enter(struct sched_queue *queue, struct sched_pod *pod, enum sched_place place, unsigned why) {
        static const enum sched_part parts[] = { [SCHED_READY] = SCHED_PART_READY,
                                                 [SCHED_BACKING_OFF] = SCHED_PART_BACKING_OFF,
                                                 [SCHED_HOPELESS] = SCHED_PART_HOPELESS };

        if (place != SCHED_HOPELESS && push(place == SCHED_READY ? &queue->ready : &queue->backing_off, pod) == 0)
                pod->place = place;
        else
                despair(queue, pod);
        metrics_count(&queue->incoming[why][parts[pod->place]], 1);
}

void sched_queue_add(struct sched_queue *queue, struct sched_pod *pod, uint64_t now) {
        sched_queue_remove(queue, pod);
        pod->since = now;
        enter(queue, pod, SCHED_READY, SCHED_WHY_ADDED);
}

void sched_queue_replace(struct sched_queue *queue, struct sched_pod *old, struct sched_pod *pod) {
        enum sched_place place = old->place;

        pod->since = old->since;
        pod->first_tried = old->first_tried;
        pod->due = old->due;
        pod->attempts = old->attempts;
        pod->failures = old->failures;
        pod->failed = old->failed;
        pod->has_erred = old->has_erred;
        if (place == SCHED_HOPELESS) {
                sched_hopeless_insert(&queue->hopeless, old, pod);
                count_hopeless(queue, pod, 1);
                pod->place = place;
        }
        sched_queue_remove(queue, old);
        if (place == SCHED_READY || place == SCHED_BACKING_OFF)
                enter(queue, pod, place, SCHED_WHY_ADDED);
}

static uint64_t back_off(const struct sched_pod *pod) {
        uint64_t ns = SCHED_BACK_OFF_MIN;

        for (unsigned i = 1; i < pod->failures && ns < SCHED_BACK_OFF_MAX; i++)
                ns *= 2;
        return ns < SCHED_BACK_OFF_MAX ? ns : SCHED_BACK_OFF_MAX;
}

void sched_queue_fail(struct sched_queue *queue, struct sched_pod *pod, uint64_t now) {
        pod->failures++;
        pod->since = now;
        pod->due = now + back_off(pod);
        enter(queue, pod, pod->has_erred ? SCHED_BACKING_OFF : SCHED_HOPELESS, SCHED_WHY_FAILED);
}

/* Its back-off goes on where it was. */
static void try_again(struct sched_queue *queue, struct sched_pod *pod, uint64_t now, unsigned why) {
        sched_queue_remove(queue, pod);
        pod->since = now;
        enter(queue, pod, pod->due > now ? SCHED_BACKING_OFF : SCHED_READY, why);
}

uint32_t sched_queue_tell(struct sched_queue *queue, const struct sched_change *change, uint64_t now) {
        uint32_t n = 0;

        LIST_EACH (sched_hopeless, pod, &queue->hopeless)
                if (pod->failed == 0 || sched_helps(pod, pod->failed, change)) { /* there were no nodes */
                        try_again(queue, pod, now, SCHED_WHY_CHANGE + (unsigned)__builtin_ctz(change->event));
                        n++;
                }
        return n;
}

struct sched_pod *sched_queue_pop(struct sched_queue *queue, uint64_t now) {
        struct sched_pod *pod;

        while ((pod = sched_hopeless_first(&queue->hopeless)) && now - pod->since >= SCHED_FLUSH)
                try_again(queue, pod, now, SCHED_WHY_FLUSHED);
        while ((pod = first(&queue->backing_off)) && pod->due <= now) {
                sched_queue_remove(queue, pod);
                enter(queue, pod, SCHED_READY, SCHED_WHY_BACKED_OFF);
        }
        pod = first(&queue->ready);
        if (!pod && (pod = first(&queue->backing_off)) && pod->has_erred)
                pod = NULL;
        if (pod) {
                sched_queue_remove(queue, pod);
                pod->has_erred = false;
        }
        return pod;
}

uint64_t sched_queue_due(const struct sched_queue *queue) {
        const struct sched_pod *waits = first(&queue->backing_off), *hopeless = sched_hopeless_first(&queue->hopeless);
        uint64_t due = SCHED_NEVER;

        if (queue->ready.n > 0)
                return 0;
        if (waits)
                due = waits->has_erred ? waits->due : 0;
        if (hopeless && hopeless->since + SCHED_FLUSH < due)
                due = hopeless->since + SCHED_FLUSH;
        return due;
}
