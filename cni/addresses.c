#include "cni/addresses.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/err.h"

/* Offsets from the CIDR's base: 0 the network, 1 the gateway, pods from here. */
#define FIRST_POD 2

struct addresses {
        struct ip_cidr cidr;
        uint32_t end;  /* one past the last offset given out */
        uint32_t next; /* where the search for a free one starts */
        uint32_t used;
        uint64_t taken[]; /* a bit for each offset below end */
};

int cni_addresses_new(const struct ip_cidr *cidr, uint32_t limit, struct addresses **ret_addresses, struct err **err) {
        unsigned bits = (unsigned)ip_size(cidr->ip.family) * 8 - cidr->prefix;
        uint64_t size = bits > 31 ? (uint64_t)1 << 32 : (uint64_t)1 << bits;
        uint64_t end = size - (cidr->ip.family == AF_INET && size > 0);
        struct addresses *pool;
        char text[IP_CIDR_TEXT_MAX];

        if (end > (uint64_t)limit + FIRST_POD)
                end = (uint64_t)limit + FIRST_POD;
        if (end <= FIRST_POD)
                return err_set(err, EINVAL, "pod CIDR %s has no room for a pod", ip_cidr_format(cidr, text));
        pool = calloc(1, sizeof(*pool) + (end + 63) / 64 * sizeof(pool->taken[0]));
        if (!pool)
                return err_errno(err, ENOMEM, "pod CIDR %s", ip_cidr_format(cidr, text));
        pool->cidr = (struct ip_cidr){ .ip = ip_cidr_base(cidr), .prefix = cidr->prefix };
        pool->end = (uint32_t)end;
        pool->next = FIRST_POD;
        *ret_addresses = pool;
        return 0;
}

void cni_addresses_free(struct addresses *addresses) {
        free(addresses);
}

struct ip_cidr cni_addresses_cidr(const struct addresses *addresses) {
        return addresses->cidr;
}

struct ip_cidr cni_addresses_gateway(const struct addresses *addresses) {
        return (struct ip_cidr){ .ip = ip_add(&addresses->cidr.ip, 1), .prefix = addresses->cidr.prefix };
}

static bool is_taken(const struct addresses *pool, uint32_t offset) {
        return pool->taken[offset / 64] >> (offset % 64) & 1;
}

static void take(struct addresses *pool, uint32_t offset) {
        pool->taken[offset / 64] |= (uint64_t)1 << (offset % 64);
        pool->used++;
        pool->next = offset + 1 < pool->end ? offset + 1 : FIRST_POD;
}

int cni_addresses_take(struct addresses *addresses, struct ip *ret_ip, struct err **err) {
        uint32_t room = addresses->end - FIRST_POD, offset = addresses->next;
        char text[IP_CIDR_TEXT_MAX];

        if (addresses->used == room)
                return err_set(err, ENOSPC, "no free address in pod CIDR %s: all %u are in use",
                               ip_cidr_format(&addresses->cidr, text), room);
        while (is_taken(addresses, offset))
                offset = offset + 1 < addresses->end ? offset + 1 : FIRST_POD;
        take(addresses, offset);
        *ret_ip = ip_add(&addresses->cidr.ip, offset);
        return 0;
}

int cni_addresses_mark(struct addresses *addresses, const struct ip *ip, struct err **err) {
        char text[IP_TEXT_MAX], cidr[IP_CIDR_TEXT_MAX];
        uint32_t offset;

        offset = ip_cidr_contains(&addresses->cidr, ip) ? ip_distance(&addresses->cidr.ip, ip) : 0;
        if (offset < FIRST_POD || offset >= addresses->end)
                return err_set(err, ERANGE, "address %s is not one of pod CIDR %s's", ip_format(ip, text),
                               ip_cidr_format(&addresses->cidr, cidr));
        if (is_taken(addresses, offset))
                return err_set(err, EADDRINUSE, "address %s is in use", ip_format(ip, text));
        take(addresses, offset);
        return 0;
}

void cni_addresses_give(struct addresses *addresses, const struct ip *ip) {
        uint32_t offset = ip_cidr_contains(&addresses->cidr, ip) ? ip_distance(&addresses->cidr.ip, ip) : 0;

        if (offset < FIRST_POD || offset >= addresses->end || !is_taken(addresses, offset))
                return;
        addresses->taken[offset / 64] &= ~((uint64_t)1 << (offset % 64));
        addresses->used--;
}

uint32_t cni_addresses_used(const struct addresses *addresses) {
        return addresses->used;
}
