/* How many requests are under way at a time, as kube-apiserver's --max-requests-inflight bounds them: those that read
 * and those that change apart; watches, logs and tunnels count in neither.
 *
 * This is the seam for queues: all requests pass api_enter() once they are authenticated, and api/priority has said
 * which FlowSchema and priority level they are of. What would queue them returns API_WAIT there, and calls api_resume()
 * when their turn has come.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/server/pipeline.h"

struct api_request;

#define API_READS_MAX 400
#define API_WRITES_MAX 200
#define API_TIMEOUT_MS 60000

enum api_load { API_LOAD_NONE, API_LOAD_READ, API_LOAD_WRITE, API_LOAD_LONG, _API_LOADS };

struct api_limits {
        unsigned in_flight[_API_LOADS]; /* 0: as many as come */
        uint64_t timeout_ms;            /* of a request that is not long-running; 0: API_TIMEOUT_MS */
        double goaway_chance;           /* that a request of HTTP/2 has its connection end, so that clients spread */
};

/* What the request counts as; r->load from then on. */
enum api_load api_load_of(struct api_request *r);

/* A stage: lets the request in, or refuses it with 429. Of system:masters all are let in. */
enum api_step api_enter(struct api_request *r);

/* 429, to come again in a second. */
enum api_step api_refuse_too_many(struct api_request *r);

/* It is over. */
void api_leave(struct api_request *r);

/* Whether there is room for a large answer of @size bytes, which counts until its exchange is over; one alone always
 * has it. */
bool api_hold_answer(struct api_request *r, size_t size);

/* Requests of @load that are under way. From any thread. */
struct api_server;
unsigned api_in_flight(const struct api_server *server, enum api_load load);
