/* Output that waits: a queue of byte ranges, each a reference to shared bytes. What was given is never copied again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/uio.h>

struct bytes;

struct queue_piece;

struct queue {
        TAILQ_HEAD(queue_pieces, queue_piece) pieces;
        size_t size; /* bytes in all */
};

void queue_init(struct queue *queue);

/* Drops all that waits. */
void queue_clear(struct queue *queue);

/* Adds @bytes from @offset on and takes over the caller's reference, also on failure. 0 or -ENOMEM. */
int queue_add(struct queue *queue, struct bytes *bytes, size_t offset);

/* Adds @size bytes at @data, which lie in @bytes; the reference is the queue's own. 0 or -ENOMEM. */
int queue_add_part(struct queue *queue, struct bytes *bytes, const void *data, size_t size);

/* Adds a copy of @size bytes; small ones in a row share memory. 0 or -ENOMEM. */
int queue_add_copy(struct queue *queue, const void *data, size_t size);

/* Describes the front of the queue by at most @n ranges; returns how many. */
unsigned queue_peek(const struct queue *queue, struct iovec *ret_ranges, unsigned n);

/* Describes the first piece of a queue that is not empty; returns the bytes that it lies in, still the queue's. */
struct bytes *queue_first(const struct queue *queue, struct iovec *ret_range);

/* Forgets the first @size bytes. */
void queue_drop(struct queue *queue, size_t size);

/* Copies up to @size bytes of the front to @to and forgets them; returns how many. */
size_t queue_take(struct queue *queue, void *to, size_t size);

static inline bool queue_empty(const struct queue *queue) {
        return queue->size == 0;
}
