/* Which addresses services have, and which are free: derived from objects (Services, IPAddresses, ServiceCIDRs), beside
 * what requests under way have claimed. From any thread.
 *
 * A claim is a request's, until the request has ended: by then the service is there, and holds the address, or it never
 * will be, and the address is free again. So nothing has to be undone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/services/cluster_ip.h"
#include "lib/list.h"
#include "lib/table.h"

struct object;

/* An address that somebody has. Its members are of this file, but for whom addresses_look() shows it to. */
struct addresses_entry {
        struct table_node in_all;
        char text[CLUSTER_IP_TEXT_MAX];
        unsigned services, claims; /* that hold it */
        char *owner;               /* "namespace/name" of the service that holds it; NULL: none, or no memory */
        struct object *object;     /* its IPAddress; NULL: there is none */
        bool managed;              /* which is of this service's making */
};

struct addresses;

struct addresses *addresses_new(void); /* NULL without memory */
struct addresses *addresses_free(struct addresses *all);

/* The ranges of ServiceCIDR @name, instead of those that it had; none with @n 0, or while it is not @ready. */
int addresses_set_ranges(struct addresses *all, const char *name, const struct cluster_range *ranges, unsigned n,
                         bool ready);

/* Service @owner has @address, or no more. -ENOMEM. */
int addresses_hold(struct addresses *all, const struct cluster_ip *address, const char *owner, bool holds);

/* Its IPAddress is @object, of which a reference is taken; NULL: it is gone. -ENOMEM. */
int addresses_set_object(struct addresses *all, const struct cluster_ip *address, struct object *object, bool managed);

/* Calls @look with what is known of @address, its entry, or NULL where nobody has it; under a lock. */
void addresses_look(struct addresses *all, const struct cluster_ip *address,
                    void (*look)(void *data, struct addresses_entry *entry), void *data);

/* All of which something is known, in @arena. -ENOMEM. */
struct arena;
int addresses_known(struct addresses *all, struct arena *arena, struct cluster_ip **ret_addresses, size_t *ret_n);

enum {
        ADDRESSES_TAKEN = 1, /* somebody has it */
        ADDRESSES_OUTSIDE,   /* it is in no range that is ready */
        ADDRESSES_FULL,      /* all are taken */
};

/* Claims @address, or one that is free. 0, one of the above, or -ENOMEM. */
int addresses_claim(struct addresses *all, const struct cluster_ip *address);
int addresses_claim_any(struct addresses *all, bool six, struct cluster_ip *ret_address);

/* A range of the family; false where none is ready. */
bool addresses_range(struct addresses *all, bool six, struct cluster_range *ret_range);

void addresses_unclaim(struct addresses *all, const struct cluster_ip *address);
