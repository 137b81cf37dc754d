#include "agent/container/pulls.h"

#include <assert.h>

#include "agent/op/op.h"

LIST_FUNCTIONS(pulls, struct op, in_queue)

static bool has_room(const struct pull_queue *queue) {
        return queue->most == 0 || queue->under_way < queue->most;
}

static void begin(struct pull_queue *queue, struct op *op);

/* Those that wait begin. One that ends at once leaves its place to the next, which begins here and not within it: all
 * of a node's pods may wait. */
static void ended(struct op *op) {
        struct pull_queue *queue = op->input;
        struct op *next;

        assert(queue->under_way > 0);
        queue->under_way--;
        if (queue->beginning)
                return;
        queue->beginning = true;
        while (has_room(queue) && (next = pulls_pop(&queue->waiting)))
                begin(queue, next);
        queue->beginning = false;
}

static void begin(struct pull_queue *queue, struct op *op) {
        queue->under_way++;
        op->dispose = ended;
        op_call(op, CRI_PULL_IMAGE, op->pointer);
}

void pulls_put(struct pull_queue *queue, struct op *op, const Cri__PullImageRequest *request) {
        op->input = queue;
        op->pointer = (void *)request;
        if (has_room(queue))
                begin(queue, op);
        else
                pulls_append(&queue->waiting, op);
}
