/* Zones: in which part of the cluster how many nodes are lost, and how fast pods may be evicted from them because of
 * it. As kube-controller-manager's node lifecycle controller has it: where many nodes of a zone are lost at once it is
 * more likely the network, so fewer are evicted, or none; where all nodes of all zones are, it is this side that is
 * lost, and nothing is evicted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/controllers/node_config.h"
#include "lib/list.h"
#include "lib/table.h"

enum node_zone_state { NODE_ZONE_INITIAL, NODE_ZONE_NORMAL, NODE_ZONE_PARTIAL, NODE_ZONE_FULL };

struct node_record;
LIST_TYPE(node_records);

struct node_zone {
        struct table_node in_all;
        struct list_node in_list;
        enum node_zone_state state;
        unsigned ready, lost;        /* nodes that count */
        double rate, tokens;         /* evictions a second; those that may be begun now: one at most */
        uint64_t filled_ns;          /* when @tokens was so */
        struct node_records waiting; /* nodes that are to be tainted, in order */
        char name[];
};

LIST_DEFINE(node_zone_list, struct node_zone, in_list)

/* A node, in the zone where it counts. */
struct node_record {
        struct table_node in_all;
        struct list_node in_waiting;
        struct node_zone *zone; /* NULL: it counts nowhere yet */
        bool counts, ready;     /* as it was counted */
        bool lost;              /* its Ready is there and not True */
        bool has_ready, known, gone, granted;
        char heartbeat[40], renewed[40]; /* last seen of the condition and the lease; "": never */
        uint64_t seen_ns;                /* when either changed */
        char *uid;
        char name[];
};

LIST_FUNCTIONS(node_records, struct node_record, in_waiting)

struct node_zones {
        const struct node_config *config;
        struct table by_name;
        struct node_zone_list list;
        bool all_down; /* nothing is evicted */
};

/* Counts @node in the zone @name; @counts: it is not left out by a label. 0 or -ENOMEM. */
int node_zones_count(struct node_zones *zones, struct node_record *node, const char *name, bool counts, bool ready,
                     uint64_t now);
void node_zones_leave(struct node_record *node); /* it is counted no more, and waits for nothing */

/* Brings states and rates up to date. What has come of it: */
enum node_zones_change { NODE_ZONES_SAME, NODE_ZONES_RATES, NODE_ZONES_DOWN, NODE_ZONES_UP };
enum node_zones_change node_zones_update(struct node_zones *zones, uint64_t now);

/* @node, which waits or begins to: true, it is its turn, and it waits no more; else *@ret_ns until it may be, 0 when
 * others are first or nothing moves. */
bool node_zones_turn(struct node_zones *zones, struct node_record *node, uint64_t now, uint64_t *ret_ns);

void node_zones_done(struct node_zones *zones); /* no node counts any more */
