#include "api/controllers/node_zones.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1e9
#define NEVER_S 1e9 /* longer than anything is waited for */

static struct node_zone *find_or_add(struct node_zones *zones, const char *name, uint64_t now) {
        struct node_zone *zone = table_object(table_find(&zones->by_name, name), struct node_zone, in_all);
        size_t size = strlen(name) + 1;

        if (zone)
                return zone;
        zone = calloc(1, sizeof(*zone) + size);
        if (!zone)
                return NULL;
        memcpy(zone->name, name, size);
        if (table_add(&zones->by_name, &zone->in_all, zone->name) < 0) {
                free(zone);
                return NULL;
        }
        zone->rate = zones->config->rate;
        zone->tokens = 1;
        zone->filled_ns = now;
        node_zone_list_append(&zones->list, zone);
        return zone;
}

/* --- who counts where --- */

static void add(struct node_record *node, int n) {
        unsigned *at = node->ready ? &node->zone->ready : &node->zone->lost;

        if (node->counts)
                *at += (unsigned)n;
}

void node_zones_leave(struct node_record *node) {
        if (node_records_contains(node))
                node_records_remove(node);
        if (node->zone)
                add(node, -1);
        node->zone = NULL;
}

int node_zones_count(struct node_zones *zones, struct node_record *node, const char *name, bool counts, bool ready,
                     uint64_t now) {
        struct node_zone *zone = find_or_add(zones, name, now);

        if (!zone)
                return -ENOMEM;
        if (node->zone != zone)
                node_zones_leave(node);
        else
                add(node, -1);
        node->zone = zone;
        node->counts = counts;
        node->ready = ready;
        add(node, 1);
        return 0;
}

/* --- how fast --- */

static void fill(struct node_zone *zone, uint64_t now) {
        double filled = zone->tokens + (double)(now - zone->filled_ns) / SECOND * zone->rate;

        zone->tokens = filled < 1 ? filled : 1;
        zone->filled_ns = now;
}

/* Who was made to wait goes on waiting. */
static void set_rate(struct node_zone *zone, double rate, uint64_t now) {
        fill(zone, now);
        if (rate == zone->rate)
                return;
        zone->tokens = zone->tokens < 1 || zone->rate <= 0 ? 0 : 1;
        zone->rate = rate;
}

bool node_zones_turn(struct node_zones *zones, struct node_record *node, uint64_t now, uint64_t *ret_ns) {
        struct node_zone *zone = node->zone;
        double seconds;

        *ret_ns = 0;
        if (!node_records_contains(node))
                node_records_append(&zone->waiting, node);
        fill(zone, now);
        if (zones->all_down || zone->rate <= 0 || node_records_first(&zone->waiting) != node)
                return false;
        if (zone->tokens >= 1) {
                zone->tokens -= 1;
                node_records_remove(node);
                return true;
        }
        seconds = (1 - zone->tokens) / zone->rate;
        *ret_ns = (uint64_t)((seconds < NEVER_S ? seconds : NEVER_S) * SECOND) + 1;
        return false;
}

/* --- states --- */

static enum node_zone_state state_of(const struct node_zone *zone, double unhealthy) {
        if (zone->ready == 0)
                return NODE_ZONE_FULL;
        if (zone->lost > 2 && (double)zone->lost / (zone->lost + zone->ready) >= unhealthy)
                return NODE_ZONE_PARTIAL;
        return NODE_ZONE_NORMAL;
}

static double rate_of(const struct node_config *config, const struct node_zone *zone) {
        if (zone->state != NODE_ZONE_PARTIAL)
                return config->rate;
        return zone->lost + zone->ready > config->large ? config->slow_rate : 0;
}

static bool is_empty(const struct node_zone *zone) {
        return zone->ready + zone->lost == 0;
}

enum node_zones_change node_zones_update(struct node_zones *zones, uint64_t now) {
        bool any = false, any_up = false, was_down = zones->all_down, changed = false;

        LIST_EACH (node_zone_list, zone, &zones->list) {
                enum node_zone_state state = state_of(zone, zones->config->unhealthy);

                if (is_empty(zone))
                        continue;
                any = true;
                any_up = any_up || state != NODE_ZONE_FULL;
                changed = changed || state != zone->state;
                zone->state = state;
        }
        zones->all_down = any && !any_up;
        LIST_EACH (node_zone_list, zone, &zones->list)
                if (!is_empty(zone))
                        set_rate(zone, zones->all_down ? 0 : rate_of(zones->config, zone), now);
        if (zones->all_down != was_down)
                return zones->all_down ? NODE_ZONES_DOWN : NODE_ZONES_UP;
        return changed ? NODE_ZONES_RATES : NODE_ZONES_SAME;
}

void node_zones_done(struct node_zones *zones) {
        struct node_zone *zone;

        while ((zone = node_zone_list_pop(&zones->list))) {
                table_remove(&zones->by_name, &zone->in_all);
                free(zone);
        }
        table_clear(&zones->by_name);
}
