#include "lib/work.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/grow.h"
#include "lib/list.h"
#include "lib/metrics.h"
#include "lib/table.h"

struct work_item {
        struct table_node by_key;
        struct list_node in_ready;
        uint64_t wait_until, wait_number;
        size_t wait_at; /* in the heap of those that wait, from 1; 0: it does not */
        unsigned failures;
        bool dirty;  /* to be handed out: it is ready, or will be when it is done */
        bool active; /* handed out */
        char key[];
};

LIST_DEFINE(ready_items, struct work_item, in_ready)

struct work_queue {
        struct work_options options;
        struct table items;
        struct ready_items ready;
        struct work_item **heap; /* those that wait, from 1: none is due before the one at half its place */
        size_t n_waiting, heap_size;
        size_t n_ready, n_active;
        uint64_t waits; /* ever; makes those of one time stand in the order in which they came */
        double tokens;  /* below 0: handed out ahead of time */
        uint64_t tokens_at;
        bool shut_down;
        struct work_counts counts;
};

/* ---- the heap of those that wait; there is room in it for every item, so that none is lost for want of memory ---- */

static bool is_before(const struct work_item *a, const struct work_item *b) {
        if (a->wait_until != b->wait_until)
                return a->wait_until < b->wait_until;
        return a->wait_number < b->wait_number;
}

static void place(struct work_queue *queue, size_t at, struct work_item *item) {
        queue->heap[at] = item;
        item->wait_at = at;
}

/* Puts @item to its place, up or down from @at, which is free. */
static void settle(struct work_queue *queue, size_t at, struct work_item *item) {
        struct work_item **heap = queue->heap;
        size_t below;

        for (; at > 1 && is_before(item, heap[at / 2]); at /= 2)
                place(queue, at, heap[at / 2]);
        for (; (below = at * 2) <= queue->n_waiting; at = below) {
                if (below < queue->n_waiting && is_before(heap[below + 1], heap[below]))
                        below++;
                if (!is_before(heap[below], item))
                        break;
                place(queue, at, heap[below]);
        }
        place(queue, at, item);
}

static void start_waiting(struct work_queue *queue, struct work_item *item, uint64_t until) {
        item->wait_until = until;
        item->wait_number = queue->waits++;
        settle(queue, ++queue->n_waiting, item);
}

static void stop_waiting(struct work_queue *queue, struct work_item *item) {
        struct work_item *last = queue->heap[queue->n_waiting--];
        size_t at = item->wait_at;

        item->wait_at = 0;
        if (last != item)
                settle(queue, at, last);
}

static bool reserve_wait(struct work_queue *queue) {
        return GROW(queue->heap, queue->heap_size, queue->items.n + 2, GROW_NO_MAX) == 0;
}

static struct work_item *first_waiting(const struct work_queue *queue) {
        return queue->n_waiting > 0 ? queue->heap[1] : NULL;
}

/* ---- */

struct work_queue *work_new(const struct work_options *options) {
        struct work_queue *queue = calloc(1, sizeof(*queue));

        if (!queue)
                return NULL;
        queue->options = options ? *options : (struct work_options){ 0 };
        queue->options.delay_first = queue->options.delay_first ?: WORK_DELAY_FIRST;
        queue->options.delay_max = queue->options.delay_max ?: WORK_DELAY_MAX;
        queue->options.rate = queue->options.rate > 0 ? queue->options.rate : WORK_RATE;
        queue->options.burst = queue->options.burst ?: WORK_BURST;
        queue->options.items_max = queue->options.items_max ?: WORK_ITEMS_MAX;
        queue->tokens = queue->options.burst;
        return queue;
}

struct work_queue *work_free(struct work_queue *queue) {
        if (!queue)
                return NULL;
        for (size_t i = 0; i < queue->items.n_buckets; i++)
                for (struct table_node *node = queue->items.buckets[i], *next; node; node = next) {
                        next = node->next;
                        free(table_object(node, struct work_item, by_key));
                }
        table_clear(&queue->items);
        free(queue->heap);
        free(queue);
        return NULL;
}

static struct work_item *find(const struct work_queue *queue, const char *key) {
        return table_object(table_find(&queue->items, key), struct work_item, by_key);
}

/* The item of @key, made where there is none. */
static int want(struct work_queue *queue, const char *key, struct work_item **ret_item) {
        size_t size = strlen(key) + 1;
        struct work_item *item;

        if (queue->shut_down)
                return -ESHUTDOWN;
        *ret_item = find(queue, key);
        if (*ret_item)
                return 0;
        if (size > WORK_KEY_MAX)
                return -E2BIG;
        if (queue->items.n >= queue->options.items_max)
                return -ENOBUFS;
        item = reserve_wait(queue) ? calloc(1, sizeof(*item) + size) : NULL;
        if (!item)
                return -ENOMEM;
        memcpy(item->key, key, size);
        if (table_add(&queue->items, &item->by_key, item->key) < 0) {
                free(item);
                return -ENOMEM;
        }
        *ret_item = item;
        return 0;
}

/* Frees @item where nothing is known of it. */
static void drop_idle(struct work_queue *queue, struct work_item *item) {
        if (item->dirty || item->active || item->wait_at > 0 || item->failures > 0)
                return;
        table_remove(&queue->items, &item->by_key);
        free(item);
}

static void make_ready(struct work_queue *queue, struct work_item *item) {
        ready_items_append(&queue->ready, item);
        queue->n_ready++;
        metrics_count(&queue->counts.depth, 1);
}

static void add(struct work_queue *queue, struct work_item *item) {
        if (item->dirty)
                return;
        item->dirty = true;
        metrics_count(&queue->counts.adds, 1);
        if (!item->active)
                make_ready(queue, item);
}

int work_add(struct work_queue *queue, const char *key) {
        struct work_item *item;
        int r = want(queue, key, &item);

        if (r < 0)
                return r;
        add(queue, item);
        return 0;
}

static void wait_or_add(struct work_queue *queue, struct work_item *item, uint64_t now, uint64_t delay) {
        uint64_t until = delay < WORK_NEVER - now ? now + delay : WORK_NEVER;

        metrics_count(&queue->counts.retries, 1);
        if (delay == 0) {
                add(queue, item);
                return;
        }
        if (item->wait_at > 0 && item->wait_until <= until)
                return;
        if (item->wait_at > 0)
                stop_waiting(queue, item);
        start_waiting(queue, item, until);
}

int work_add_after(struct work_queue *queue, const char *key, uint64_t now, uint64_t delay) {
        struct work_item *item;
        int r = want(queue, key, &item);

        if (r < 0)
                return r;
        wait_or_add(queue, item, now, delay);
        return 0;
}

/* How long the next token is away; takes it, also when it is not there yet. */
static uint64_t take_token(struct work_queue *queue, uint64_t now) {
        const struct work_options *o = &queue->options;
        double wait_for;

        if (now > queue->tokens_at) {
                queue->tokens += (double)(now - queue->tokens_at) / (double)WORK_SECOND * o->rate;
                if (queue->tokens > o->burst)
                        queue->tokens = o->burst;
                queue->tokens_at = now;
        }
        queue->tokens -= 1;
        if (queue->tokens >= 0)
                return 0;
        wait_for = -queue->tokens / o->rate * (double)WORK_SECOND;
        return wait_for < (double)(WORK_NEVER / 2) ? (uint64_t)wait_for : WORK_NEVER / 2;
}

static uint64_t backoff(const struct work_queue *queue, unsigned failures) {
        const struct work_options *o = &queue->options;
        uint64_t delay = o->delay_first;

        for (; failures > 0 && delay < o->delay_max; failures--)
                if (__builtin_mul_overflow(delay, 2, &delay))
                        return o->delay_max;
        return delay < o->delay_max ? delay : o->delay_max;
}

static void retry(struct work_queue *queue, struct work_item *item, uint64_t now) {
        uint64_t delay = backoff(queue, item->failures), token = take_token(queue, now);

        item->failures++;
        wait_or_add(queue, item, now, delay > token ? delay : token);
}

int work_add_limited(struct work_queue *queue, const char *key, uint64_t now) {
        struct work_item *item;
        int r = want(queue, key, &item);

        if (r < 0)
                return r;
        retry(queue, item, now);
        return 0;
}

void work_retry(struct work_queue *queue, struct work_item *item, uint64_t now) {
        assert(item->active);
        if (!queue->shut_down)
                retry(queue, item, now);
}

void work_forget(struct work_queue *queue, const char *key) {
        struct work_item *item = find(queue, key);

        if (!item)
                return;
        item->failures = 0;
        drop_idle(queue, item);
}

unsigned work_failures(const struct work_queue *queue, const char *key) {
        const struct work_item *item = find(queue, key);

        return item ? item->failures : 0;
}

struct work_item *work_get(struct work_queue *queue, uint64_t now) {
        struct work_item *item;

        while ((item = first_waiting(queue)) && item->wait_until <= now) {
                stop_waiting(queue, item);
                add(queue, item);
        }
        item = ready_items_pop(&queue->ready);
        if (!item)
                return NULL;
        queue->n_ready--;
        metrics_count(&queue->counts.depth, -1);
        queue->n_active++;
        item->active = true;
        item->dirty = false;
        return item;
}

const char *work_key(const struct work_item *item) {
        return item->key;
}

void work_done(struct work_queue *queue, struct work_item *item) {
        assert(item->active);
        item->active = false;
        queue->n_active--;
        if (item->dirty)
                make_ready(queue, item);
        else
                drop_idle(queue, item);
}

uint64_t work_due(const struct work_queue *queue) {
        const struct work_item *item;

        if (queue->n_ready > 0)
                return 0;
        item = first_waiting(queue);
        return item ? item->wait_until : WORK_NEVER;
}

size_t work_ready(const struct work_queue *queue) {
        return queue->n_ready;
}

size_t work_waiting(const struct work_queue *queue) {
        return queue->n_waiting;
}

size_t work_active(const struct work_queue *queue) {
        return queue->n_active;
}

const struct work_counts *work_counts(const struct work_queue *queue) {
        return &queue->counts;
}

void work_shut_down(struct work_queue *queue) {
        struct work_item *item;

        queue->shut_down = true;
        while ((item = first_waiting(queue))) {
                stop_waiting(queue, item);
                drop_idle(queue, item);
        }
}

bool work_drained(const struct work_queue *queue) {
        return queue->shut_down && queue->n_ready == 0 && queue->n_active == 0;
}
