/* Work for a loop from other threads: a bounded queue, and one wake-up for all that waits in it. */
#pragma once

#include <uv.h>

struct mailbox;

/* A mailbox of @loop in which @size calls may wait. 0, -ENOMEM, or the negative errno of uv_async_init(). */
int mailbox_new(uv_loop_t *loop, unsigned size, struct mailbox **ret_mailbox);

/* Has @run(@data) called on the loop; what one thread posts comes in its order. From any thread. 0; -EAGAIN when
 * @size calls wait: the poster is faster than the loop, and has to hold back; -EPIPE once it is closed. */
int mailbox_post(struct mailbox *mailbox, void (*run)(void *data), void *data);

/* Runs what waits, and takes nothing more. On the loop's thread. */
void mailbox_close(struct mailbox *mailbox);

/* After mailbox_close(), when the loop has closed the handle. NULL is fine. */
void mailbox_free(struct mailbox *mailbox);
