/* The hub of a server or client: what its exchanges have to be told at the end of an event of the loop.
 *
 * An exchange is ended once, by exchange_finish(), and told so from the hub's idle handle: no owner is called back from
 * within its own call, and no driver loses an exchange under its hands.
 */
#pragma once

#include <sys/queue.h>
#include <time.h>
#include <uv.h>

#include "lib/http/h2_memory.h"

#define HTTP_DATE_SIZE 32
#define HTTP_SPARE_MAX 64 /* exchanges that wait for the next request */

/* Connections that http_hold() holds back: few enough that they stay in the processor's cache. */
#define HTTP_HELD_MAX 16

struct http_connection;
struct http_exchange;
struct http_exchange_head;

TAILQ_HEAD(http_exchanges, http_exchange);
TAILQ_HEAD(http_collecting, http_exchange_head);

struct http_hub {
        uv_loop_t *loop;
        uv_idle_t later;
        struct http_exchanges finished;    /* their closed() is to come */
        STAILQ_HEAD(, http_exchange) dry;  /* their drained() is to come */
        unsigned n_holds;                  /* http_hold() */
        STAILQ_HEAD(, http_exchange) held; /* have sent meanwhile, and did not wait before */
        TAILQ_HEAD(, http_connection) due; /* have something to write then, HTTP_HELD_MAX at most */
        unsigned n_due;
        void (*turn)(struct http_hub *hub); /* after them; may be NULL */
        void (*on_closed)(struct http_hub *hub);
        struct http_exchanges spare;
        unsigned n_spare;
        unsigned n_exchanges; /* not yet freed */
        struct h2_memory memory;
        unsigned n_compressing;            /* up to HTTP_GZIP_AT_ONCE */
        struct http_collecting collecting; /* whose bodies are waited for, the first one longest */
        uv_timer_t *collecting_timer;      /* NULL until it is needed */
        time_t date_second;
        char date[HTTP_DATE_SIZE];
};

void hub_init(struct http_hub *hub, uv_loop_t *loop);

/* Tells what is finished, then closes the handle and calls @on_closed from the loop. */
void hub_close(struct http_hub *hub, void (*on_closed)(struct http_hub *hub));

/* Has closed(), drained() and turn() called from the loop. */
void hub_wake(struct http_hub *hub);

/* Calls them now, if they are due: at the end of an event of the loop, which saves it a turn. */
void hub_settle(struct http_hub *hub);

/* The time as Date has it (RFC 9110, 5.6.7). */
const char *hub_date(struct http_hub *hub);
