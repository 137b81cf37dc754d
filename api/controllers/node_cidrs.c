#include "api/controllers/node_cidrs.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/err.h"

/* An address as a number: enough for both families. */
typedef unsigned __int128 number;

static number number_of(const struct ip *ip) {
        number n = 0;

        for (size_t i = 0; i < ip_size(ip->family); i++)
                n = n << 8 | ip->bytes[i];
        return n;
}

static struct ip address_of(number n, uint8_t family) {
        struct ip ip = { .family = family };

        for (size_t i = ip_size(family); i-- > 0; n >>= 8)
                ip.bytes[i] = (uint8_t)n;
        return ip;
}

static unsigned bits_of(const struct ip_cidr *cidr) {
        return (unsigned)ip_size(cidr->ip.family) * 8;
}

static number first_of(const struct ip_cidr *cidr) {
        const struct ip base = ip_cidr_base(cidr);

        return number_of(&base);
}

bool node_cidrs_meet(const struct ip_cidr *a, const struct ip_cidr *b) {
        return a->prefix < b->prefix ? ip_cidr_contains(a, &b->ip) : ip_cidr_contains(b, &a->ip);
}

int node_cidrs_check(const struct ip_cidr *range, unsigned prefix, struct err **err) {
        char text[IP_CIDR_TEXT_MAX];

        if (prefix > bits_of(range) || prefix < range->prefix)
                return err_set(err, EINVAL, "%s has no blocks of /%u: give a size from %u to %u",
                               ip_cidr_format(range, text), prefix, range->prefix, bits_of(range));
        if (prefix - range->prefix > NODE_CIDRS_BITS_MAX)
                return err_set(err, EINVAL, "%s has too many blocks of /%u: give a size of %u at most",
                               ip_cidr_format(range, text), prefix, range->prefix + NODE_CIDRS_BITS_MAX);
        return 0;
}

int node_cidrs_init(struct node_cidrs *cidrs, const struct ip_cidr *range, uint8_t prefix) {
        *cidrs = (struct node_cidrs){ .range = *range, .prefix = prefix, .n = UINT32_C(1) << (prefix - range->prefix) };
        cidrs->holders = calloc(cidrs->n, sizeof(*cidrs->holders));
        return cidrs->holders ? 0 : -ENOMEM;
}

void node_cidrs_done(struct node_cidrs *cidrs) {
        free(cidrs->holders);
        *cidrs = (struct node_cidrs){ 0 };
}

bool node_cidrs_take(struct node_cidrs *cidrs, struct ip_cidr *ret_block) {
        unsigned shift = bits_of(&cidrs->range) - cidrs->prefix;

        for (uint32_t i = 0; i < cidrs->n; i++) {
                uint32_t at = (cidrs->next + i) % cidrs->n;

                if (cidrs->holders[at] > 0)
                        continue;
                cidrs->holders[at] = 1;
                cidrs->next = (at + 1) % cidrs->n;
                /* A range of /0 is one block of /0 as well: nothing is shifted by all bits, since @at is 0. */
                *ret_block = (struct ip_cidr){ address_of(first_of(&cidrs->range) + (at ? (number)at << shift : 0),
                                                          cidrs->range.ip.family),
                                               cidrs->prefix };
                return true;
        }
        return false;
}

/* The first and last block that meet @cidr. */
static bool blocks_of(const struct node_cidrs *cidrs, const struct ip_cidr *cidr, uint32_t *ret_first,
                      uint32_t *ret_last) {
        unsigned shift = bits_of(&cidrs->range) - cidrs->prefix;
        uint32_t first;

        if (!node_cidrs_meet(&cidrs->range, cidr))
                return false;
        if (cidr->prefix <= cidrs->range.prefix) {
                *ret_first = 0;
                *ret_last = cidrs->n - 1;
                return true;
        }
        first = (uint32_t)((first_of(cidr) - first_of(&cidrs->range)) >> shift);
        *ret_first = first;
        *ret_last = first + (cidr->prefix < cidrs->prefix ? (UINT32_C(1) << (cidrs->prefix - cidr->prefix)) - 1 : 0);
        return true;
}

void node_cidrs_hold(struct node_cidrs *cidrs, const struct ip_cidr *cidr) {
        uint32_t first, last;

        if (!blocks_of(cidrs, cidr, &first, &last))
                return;
        for (uint32_t i = first; i <= last; i++)
                if (cidrs->holders[i] < UINT16_MAX)
                        cidrs->holders[i]++;
}

void node_cidrs_release(struct node_cidrs *cidrs, const struct ip_cidr *cidr) {
        uint32_t first, last;

        if (!blocks_of(cidrs, cidr, &first, &last))
                return;
        for (uint32_t i = first; i <= last; i++)
                if (cidrs->holders[i] > 0 && cidrs->holders[i] < UINT16_MAX)
                        cidrs->holders[i]--;
}
