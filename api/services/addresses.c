#include "api/services/addresses.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/cache/object.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* A range of a ServiceCIDR. */
struct range {
        struct cluster_range range;
        struct list_node in_all;
        char name[]; /* of the ServiceCIDR */
};

LIST_DEFINE(ranges, struct range, in_all)

struct addresses {
        pthread_mutex_t lock;
        struct ranges ranges;
        struct table entries; /* by text */
};

struct addresses *addresses_new(void) {
        struct addresses *all = calloc(1, sizeof(*all));

        if (all)
                pthread_mutex_init(&all->lock, NULL);
        return all;
}

static void free_entry(struct addresses_entry *entry) {
        object_unref(entry->object);
        free(entry->owner);
        free(entry);
}

struct addresses *addresses_free(struct addresses *all) {
        struct range *range;

        if (!all)
                return NULL;
        while ((range = ranges_pop(&all->ranges)))
                free(range);
        for (size_t i = 0; i < all->entries.n_buckets; i++)
                for (struct table_node *node = all->entries.buckets[i], *next; node; node = next) {
                        next = node->next;
                        free_entry(table_object(node, struct addresses_entry, in_all));
                }
        table_clear(&all->entries);
        pthread_mutex_destroy(&all->lock);
        free(all);
        return NULL;
}

/* --- entries, with the lock held --- */

static struct addresses_entry *find(const struct addresses *all, const struct cluster_ip *address) {
        char text[CLUSTER_IP_TEXT_MAX];

        cluster_ip_format(address, text);
        return table_object(table_find(&all->entries, text), struct addresses_entry, in_all);
}

/* NULL without memory. */
static struct addresses_entry *get(struct addresses *all, const struct cluster_ip *address) {
        struct addresses_entry *entry = find(all, address);

        if (entry)
                return entry;
        entry = calloc(1, sizeof(*entry));
        if (!entry)
                return NULL;
        cluster_ip_format(address, entry->text);
        if (table_add(&all->entries, &entry->in_all, entry->text) < 0) {
                free(entry);
                return NULL;
        }
        return entry;
}

static void drop_unused(struct addresses *all, struct addresses_entry *entry) {
        if (entry->services > 0 || entry->claims > 0 || entry->object)
                return;
        table_remove(&all->entries, &entry->in_all);
        free_entry(entry);
}

/* An IPAddress that outlives its service is about to go, and keeps nobody from the address. */
static bool is_taken(const struct addresses_entry *entry) {
        return entry && (entry->services > 0 || entry->claims > 0 || (entry->object && !entry->managed));
}

/* --- what objects say --- */

static int add_range(struct addresses *all, const char *name, const struct cluster_range *from) {
        size_t n = strlen(name) + 1;
        struct range *range = calloc(1, sizeof(*range) + n);

        if (!range)
                return -ENOMEM;
        range->range = *from;
        memcpy(range->name, name, n);
        ranges_append(&all->ranges, range);
        return 0;
}

int addresses_set_ranges(struct addresses *all, const char *name, const struct cluster_range *ranges, unsigned n,
                         bool ready) {
        int r = 0;

        pthread_mutex_lock(&all->lock);
        LIST_EACH (ranges, range, &all->ranges)
                if (strcmp(range->name, name) == 0) {
                        ranges_remove(range);
                        free(range);
                }
        for (unsigned i = 0; r == 0 && ready && i < n; i++)
                r = add_range(all, name, &ranges[i]);
        pthread_mutex_unlock(&all->lock);
        return r;
}

int addresses_hold(struct addresses *all, const struct cluster_ip *address, const char *owner, bool holds) {
        struct addresses_entry *entry;

        pthread_mutex_lock(&all->lock);
        entry = holds ? get(all, address) : find(all, address);
        if (entry && holds) {
                entry->services++;
                free(entry->owner);
                entry->owner = strdup(owner);
        } else if (entry && entry->services > 0) {
                entry->services--;
                drop_unused(all, entry);
        }
        pthread_mutex_unlock(&all->lock);
        return entry || !holds ? 0 : -ENOMEM;
}

int addresses_set_object(struct addresses *all, const struct cluster_ip *address, struct object *object, bool managed) {
        struct addresses_entry *entry;

        pthread_mutex_lock(&all->lock);
        entry = object ? get(all, address) : find(all, address);
        if (entry) {
                object_unref(entry->object);
                entry->object = object ? object_ref(object) : NULL;
                entry->managed = managed;
                drop_unused(all, entry);
        }
        pthread_mutex_unlock(&all->lock);
        return entry || !object ? 0 : -ENOMEM;
}

void addresses_look(struct addresses *all, const struct cluster_ip *address,
                    void (*look)(void *data, struct addresses_entry *entry), void *data) {
        pthread_mutex_lock(&all->lock);
        look(data, find(all, address));
        pthread_mutex_unlock(&all->lock);
}

int addresses_known(struct addresses *all, struct arena *arena, struct cluster_ip **ret_addresses, size_t *ret_n) {
        struct cluster_ip *known;
        size_t n = 0;

        pthread_mutex_lock(&all->lock);
        known = arena_alloc_array(arena, all->entries.n + 1, sizeof(*known));
        for (size_t i = 0; known && i < all->entries.n_buckets; i++)
                for (struct table_node *node = all->entries.buckets[i]; node; node = node->next)
                        n += cluster_ip_parse(node->key, &known[n]);
        pthread_mutex_unlock(&all->lock);
        if (!known)
                return -ENOMEM;
        *ret_addresses = known;
        *ret_n = n;
        return 0;
}

/* --- claims --- */

static int check(struct addresses *all, const struct cluster_ip *address) {
        LIST_EACH (ranges, range, &all->ranges)
                if (cluster_range_contains(&range->range, address))
                        return is_taken(find(all, address)) ? ADDRESSES_TAKEN : 0;
        return ADDRESSES_OUTSIDE;
}

static int take(struct addresses *all, const struct cluster_ip *address) {
        struct addresses_entry *entry = get(all, address);

        if (!entry)
                return -ENOMEM;
        entry->claims++;
        return 0;
}

int addresses_claim(struct addresses *all, const struct cluster_ip *address) {
        int r;

        pthread_mutex_lock(&all->lock);
        r = check(all, address) ?: take(all, address);
        pthread_mutex_unlock(&all->lock);
        return r;
}

/* From @from to @to, beginning anywhere: as many steps as there are entries find a free one where there is one. */
static int claim_between(struct addresses *all, struct cluster_ip address, uint64_t from, uint64_t to,
                         struct cluster_ip *ret_address) {
        uint64_t random = 0, n = to - from + 1, steps = all->entries.n;

        if (from > to || getrandom(&random, sizeof(random), 0) != sizeof(random))
                return ADDRESSES_FULL;
        address.low = from + (n ? random % n : random);
        for (uint64_t i = 0; i <= steps && (n == 0 || i < n); i++) {
                if (!is_taken(find(all, &address))) {
                        *ret_address = address;
                        return take(all, &address);
                }
                address.low = address.low == to ? from : address.low + 1;
        }
        return ADDRESSES_FULL;
}

static int claim_in(struct addresses *all, const struct cluster_range *range, struct cluster_ip *ret_address) {
        const struct cluster_ip network = { range->six, range->high, 0 };
        uint64_t behind = range->dynamic <= range->last ? range->dynamic - 1 : range->last;
        int r = claim_between(all, network, range->dynamic, range->last, ret_address);

        return r == ADDRESSES_FULL ? claim_between(all, network, range->first, behind, ret_address) : r;
}

int addresses_claim_any(struct addresses *all, bool six, struct cluster_ip *ret_address) {
        int r = ADDRESSES_FULL;

        pthread_mutex_lock(&all->lock);
        LIST_EACH (ranges, range, &all->ranges)
                if (r == ADDRESSES_FULL && range->range.six == six)
                        r = claim_in(all, &range->range, ret_address);
        pthread_mutex_unlock(&all->lock);
        return r;
}

bool addresses_range(struct addresses *all, bool six, struct cluster_range *ret_range) {
        bool found = false;

        pthread_mutex_lock(&all->lock);
        LIST_EACH (ranges, range, &all->ranges)
                if (!found && range->range.six == six) {
                        *ret_range = range->range;
                        found = true;
                }
        pthread_mutex_unlock(&all->lock);
        return found;
}

void addresses_unclaim(struct addresses *all, const struct cluster_ip *address) {
        struct addresses_entry *entry;

        pthread_mutex_lock(&all->lock);
        entry = find(all, address);
        if (entry && entry->claims > 0) {
                entry->claims--;
                drop_unused(all, entry);
        }
        pthread_mutex_unlock(&all->lock);
}
