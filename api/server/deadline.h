/* How long a request may take: --request-timeout, or less where its `timeout` says so. Long-running ones have no end.
 *
 * What is not answered when its time is over gets 504. A change that is on its way to the store goes on, and nobody
 * hears of it. Each loop has one timer, which stands at the earliest time of all that wait on it.
 */
#pragma once

#include "api/server/pipeline.h"

struct api_loop;
struct api_request;

/* A stage: reads the parameter. 400 where it is no duration, in Go's words. */
enum api_step api_deadline_read(struct api_request *r);

/* The request waits, for its body or for others. */
void api_deadline_arm(struct api_request *r);
void api_deadline_disarm(struct api_request *r);

/* 504, of a request whose time is over. */
void api_answer_late(struct api_request *r);

/* Of a loop: after its uv_loop_t is there; closes the timer. */
void api_deadlines_start(struct api_loop *loop);
void api_deadlines_stop(struct api_loop *loop);
