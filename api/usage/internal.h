/* What the files of this room share. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/usage/points.h"
#include "api/usage/usage.h"
#include "lib/ip.h"
#include "lib/list.h"
#include "lib/table.h"

struct http_client;
struct http_exchange;
struct mailbox;
struct usage_rounds;

/* A node that is scraped. @points is under the lock; all else is the scraper's. */
struct usage_node {
        struct table_node in_all;
        struct list_node in_queue; /* of those to be scraped in this round */
        struct api_usage *usage;
        struct usage_points *points; /* NULL: none yet */
        uint64_t round, asked;       /* in which it was there last, and was to be asked */
        struct ip address;
        unsigned port;
        uint64_t generation;        /* of the TLS context that @client was made with */
        struct http_client *client; /* NULL: none yet */
        struct http_exchange *x;    /* NULL: it is not being asked */
        uv_timer_t *timer;          /* until when it answers */
        bool gone;                  /* it goes when its exchange has ended */
        int status;
        char *body;
        size_t length, room;
        bool failed; /* it did last time: that was logged */
        char name[];
};

LIST_DEFINE(usage_queue, struct usage_node, in_queue)

/* A request that waits for the first rounds. In the request's arena. */
struct usage_wait {
        struct api_request *r;
        struct list_node in_waits;
};

LIST_DEFINE(usage_waits, struct usage_wait, in_waits)

struct api_usage {
        struct api_state *state;
        pthread_mutex_t lock;
        struct table nodes; /* by name: looked up under the lock; changed by the scraper, under the lock */
        struct usage_waits waits;
        struct mailbox *mailbox, *closed; /* mailbox NULL: nothing is scraped (any more) */
        uint64_t asked_ns;                /* last; 0: never */
        uint64_t done_ns;                 /* when the last round had ended; 0: none has */
        bool first;                       /* the first two rounds are under way */

        struct tls_context *tls; /* of the next connections; NULL: as they are */

        struct usage_rounds *rounds; /* the scraper's */
};

/* The scraper: of its loop's thread. */
struct usage_rounds {
        struct api_usage *usage;
        uv_loop_t *loop;
        struct tls_context *tls;
        uv_timer_t *timer, *patience;
        struct usage_queue queue;
        unsigned under_way, left;   /* scrapes; nodes of this round that have not answered */
        unsigned firsts;            /* rounds that are left of the first two */
        uint64_t round, generation; /* of @tls */
};

/* nodes.c: queues all nodes of which an address is known; drops those that were not there in this round. */
int usage_nodes_queue(struct usage_rounds *rounds);
void usage_nodes_drop(struct usage_rounds *rounds);
void usage_node_free(struct usage_node *node); /* it is not being asked, and in no table */

/* scrape.c: asks @node. rounds.c: one has answered. */
void usage_scrape(struct usage_rounds *rounds, struct usage_node *node);
void usage_rounds_go_on(struct usage_rounds *rounds);

/* The scraper (rounds.c): something was asked for, and nothing is there. On its loop. */
void usage_wake(void *usage);

/* Lets all go on that wait. Under the lock. */
void usage_release(struct api_usage *usage);
