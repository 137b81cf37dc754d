/* The node's way down: when logind says that the host is to be shut down, the node is not ready any more, takes no
 * pods, and ends those that it has, group by group from the lowest priority on; then the host may go. Order, periods
 * and words are kubelet's (KEP-2000, KEP-2712; pkg/kubelet/nodeshutdown).
 *
 *   settings   the groups                    logind   what holds the host back, and says when
 *   shutdown   what is done, step by step    bus      the connection to it
 *                                            drop_in  how long it holds it back
 *
 * Unlike kubelet it lets the host go only when the API service has heard of all that (SHUTDOWN_TELL_MS at most), and
 * when a shutdown is called off, pods of files begin anew: nobody else would make them again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct err;
struct events;
struct options;
struct pool;
struct shutdown;
struct worker;

#define SHUTDOWN_REASON "NodeShutdown" /* of a pod that comes too late */
#define SHUTDOWN_REFUSAL "Pod was rejected as the node is shutting down."
#define SHUTDOWN_TELL_MS 2000 /* for what the API service is still to hear when all pods have ended */

/* What it needs of the rest; all outlives it. */
struct shutdown_world {
        uv_loop_t *loop;
        struct pool *pool;
        const struct options *options;
        struct events *events;
        void *data;
        /* Calls @each for every pod's worker until it returns false. */
        void (*each_worker)(void *data, bool (*each)(void *each_data, struct worker *worker), void *each_data);
        void (*changed)(void *data, bool under_way); /* it begins, or is called off */
        bool (*is_told)(void *data);                 /* the API service has heard of all that has changed */
};

/* When the host went down last, since this agent's start: seconds since 1970, 0: not. */
struct shutdown_times {
        int64_t began, ended;
};

/* Begins to hold the host back. *ret_shutdown is NULL where no period is configured. */
int shutdown_new(const struct shutdown_world *world, struct shutdown **ret_shutdown, struct err **err);

/* Of NULL: false. */
bool shutdown_is_under_way(const struct shutdown *shutdown);

/* A pod may have ended, or the API service heard of something. Cheap; NULL is fine. */
void shutdown_look(struct shutdown *shutdown);

void shutdown_get_times(const struct shutdown *shutdown, struct shutdown_times *ret_times); /* NULL is fine */

/* The host is not held back any more. NULL is fine. */
void shutdown_free(struct shutdown *shutdown);
