/* A queue of work to be done on objects, with the semantics of client-go's workqueue.
 *
 * An item is a text key (namespace/name). It is handed out to one worker at a time: added while it is queued it is
 * there once, added while it is worked on it is handed out again after work_done(). What failed comes back after a time
 * that doubles with each failure of the item, and all retries together go through a token bucket; the longer wait
 * counts.
 *
 * Time is the caller's: nanoseconds of a monotonic clock that never go back. The queue has no timer and no thread:
 * work_due() says when to ask again, and changes only by the calls here. Not for several threads at once.
 *
 *     while ((item = work_get(queue, now)))
 *             if (reconcile(work_key(item)) < 0)
 *                     work_retry(queue, item, now), work_done(queue, item);
 *             else
 *                     work_forget(queue, work_key(item)), work_done(queue, item);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORK_SECOND UINT64_C(1000000000)
#define WORK_NEVER UINT64_MAX

/* client-go's defaults: 5 ms, 1,000 s, 10 a second, 100 at once. */
struct work_options {
        uint64_t delay_first; /* after an item's first failure; 0: WORK_DELAY_FIRST */
        uint64_t delay_max;   /* 0: WORK_DELAY_MAX */
        double rate;          /* retries a second of all items; 0: WORK_RATE */
        unsigned burst;       /* so many at once; 0: WORK_BURST */
        size_t items_max;     /* items that are known at a time; 0: WORK_ITEMS_MAX */
};

#define WORK_DELAY_FIRST (5 * (WORK_SECOND / 1000))
#define WORK_DELAY_MAX (1000 * WORK_SECOND)
#define WORK_RATE 10.0
#define WORK_BURST 100
#define WORK_ITEMS_MAX ((size_t)1 << 20)
#define WORK_KEY_MAX 1024 /* bytes, with the NUL */

struct work_queue;
struct work_item;

/* NULL without memory. @options may be NULL. */
struct work_queue *work_new(const struct work_options *options);

/* Frees the queue with all its items; NULL is fine. Returns NULL. */
struct work_queue *work_free(struct work_queue *queue);

/* All that add give 0, -ENOMEM, -E2BIG (the key is too long), -ENOBUFS (items_max) or -ESHUTDOWN (nothing is added any
 * more). */
int work_add(struct work_queue *queue, const char *key);

/* Adds @key at @now + @delay. Where it waits already the earlier time counts; where it is queued or worked on it is
 * added again all the same when the time comes. */
int work_add_after(struct work_queue *queue, const char *key, uint64_t now, uint64_t delay);

/* Adds @key after its back-off, and counts a failure. */
int work_add_limited(struct work_queue *queue, const char *key, uint64_t now);

/* The same for an item that was handed out, which cannot fail: nothing is lost for want of memory. */
void work_retry(struct work_queue *queue, struct work_item *item, uint64_t now);

/* Forgets the failures of @key: its next one waits shortly again. */
void work_forget(struct work_queue *queue, const char *key);

/* The failures of @key since it was forgotten. */
unsigned work_failures(const struct work_queue *queue, const char *key);

/* The item that waited longest, which is the caller's to work on until work_done(); NULL: none is ready. */
struct work_item *work_get(struct work_queue *queue, uint64_t now);

/* Valid until work_done(). */
const char *work_key(const struct work_item *item);

void work_done(struct work_queue *queue, struct work_item *item);

/* When work_get() has something: 0 at once, WORK_NEVER not before something is added or done. */
uint64_t work_due(const struct work_queue *queue);

/* Items that are ready; that wait for their time; that are worked on. */
size_t work_ready(const struct work_queue *queue);
size_t work_waiting(const struct work_queue *queue);
size_t work_active(const struct work_queue *queue);

/* What has come and gone, as client-go counts it: metrics_read() reads it, from any thread, as long as there is the
 * queue. */
struct work_counts {
        uint64_t depth; /* items that are ready */
        uint64_t adds, retries;
};
const struct work_counts *work_counts(const struct work_queue *queue);

/* Takes nothing more, drops what waits for its time, and hands out what is ready until nothing is. */
void work_shut_down(struct work_queue *queue);

/* Shut down, all handed out and all done. */
bool work_drained(const struct work_queue *queue);
