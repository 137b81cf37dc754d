/* The image pulls of a node: at most so many at once, the others wait for their turn. One queue, shared by all
 * containers of all pods. */
#pragma once

#include <stdbool.h>

#include "cri/cri.h"
#include "lib/list.h"

struct op;

LIST_TYPE(pulls);

/* Zeroed memory with @most is an empty queue. */
struct pull_queue {
        unsigned most; /* 0: no limit */
        unsigned under_way;
        bool beginning; /* those that waited for one to end */
        struct pulls waiting;
};

/* Calls PullImage with @request, which lies in op->arena, now or when it is its turn. The operation's end makes room
 * for the next, heard or not. */
void pulls_put(struct pull_queue *queue, struct op *op, const Cri__PullImageRequest *request);
