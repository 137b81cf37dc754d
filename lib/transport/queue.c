#include "lib/transport/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"

/* Copies up to this size leave room behind them for the next one. */
#define SMALL_PIECE 512

struct queue_piece {
        TAILQ_ENTRY(queue_piece) link;
        struct bytes *bytes;
        size_t begin, end; /* of @bytes; what was sent is before @begin */
        size_t room;       /* @bytes is this queue's alone, and may grow up to here */
};

void queue_init(struct queue *queue) {
        TAILQ_INIT(&queue->pieces);
        queue->size = 0;
}

static void drop_first(struct queue *queue) {
        struct queue_piece *piece = TAILQ_FIRST(&queue->pieces);

        TAILQ_REMOVE(&queue->pieces, piece, link);
        bytes_unref(piece->bytes);
        free(piece);
}

void queue_clear(struct queue *queue) {
        while (!TAILQ_EMPTY(&queue->pieces))
                drop_first(queue);
        queue->size = 0;
}

static int add(struct queue *queue, struct bytes *bytes, size_t begin, size_t end, size_t room) {
        struct queue_piece *piece = malloc(sizeof(*piece));

        if (!piece) {
                bytes_unref(bytes);
                return -ENOMEM;
        }
        *piece = (struct queue_piece){ .bytes = bytes, .begin = begin, .end = end, .room = room };
        TAILQ_INSERT_TAIL(&queue->pieces, piece, link);
        queue->size += end - begin;
        return 0;
}

int queue_add(struct queue *queue, struct bytes *bytes, size_t offset) {
        if (offset >= bytes->size) {
                bytes_unref(bytes);
                return 0;
        }
        return add(queue, bytes, offset, bytes->size, 0);
}

int queue_add_part(struct queue *queue, struct bytes *bytes, const void *data, size_t size) {
        size_t begin = (size_t)((const uint8_t *)data - bytes->data);

        return size > 0 ? add(queue, bytes_ref(bytes), begin, begin + size, 0) : 0;
}

int queue_add_copy(struct queue *queue, const void *data, size_t size) {
        struct queue_piece *last = TAILQ_LAST(&queue->pieces, queue_pieces);
        size_t room = size < SMALL_PIECE ? SMALL_PIECE : size;
        struct bytes *bytes;

        if (size == 0)
                return 0;
        if (last && last->room >= last->end && last->room - last->end >= size) {
                memcpy(last->bytes->data + last->end, data, size);
                last->end += size;
                queue->size += size;
                return 0;
        }
        bytes = bytes_new(room);
        if (!bytes)
                return -ENOMEM;
        memcpy(bytes->data, data, size);
        return add(queue, bytes, 0, size, room);
}

unsigned queue_peek(const struct queue *queue, struct iovec *ret_ranges, unsigned n) {
        struct queue_piece *piece;
        unsigned used = 0;

        TAILQ_FOREACH (piece, &queue->pieces, link) {
                if (used == n)
                        break;
                ret_ranges[used++] = (struct iovec){ piece->bytes->data + piece->begin, piece->end - piece->begin };
        }
        return used;
}

struct bytes *queue_first(const struct queue *queue, struct iovec *ret_range) {
        const struct queue_piece *piece = TAILQ_FIRST(&queue->pieces);

        *ret_range = (struct iovec){ piece->bytes->data + piece->begin, piece->end - piece->begin };
        return piece->bytes;
}

void queue_drop(struct queue *queue, size_t size) {
        queue->size -= size;
        while (size > 0) {
                struct queue_piece *piece = TAILQ_FIRST(&queue->pieces);
                size_t n = piece->end - piece->begin;

                if (size < n) {
                        piece->begin += size;
                        return;
                }
                size -= n;
                drop_first(queue);
        }
}

size_t queue_take(struct queue *queue, void *to, size_t size) {
        char *at = to;

        while (size > 0 && !queue_empty(queue)) {
                const struct queue_piece *piece = TAILQ_FIRST(&queue->pieces);
                size_t n = piece->end - piece->begin;

                if (n > size)
                        n = size;
                memcpy(at, piece->bytes->data + piece->begin, n);
                queue_drop(queue, n);
                at += n;
                size -= n;
        }
        return (size_t)(at - (char *)to);
}
