/* Networks as ranges of addresses that do not overlap, as nftables' interval sets want them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/ip.h"

struct range {
        struct ip first, past; /* @past: the first address behind it */
        bool open;             /* it goes on to the family's end: there is no @past */
};

/* The ranges that @cidrs of @family make, in order, those that overlap or touch as one; @ret_ranges has room for @n.
 * Returns how many. */
size_t cni_ranges_make(uint8_t family, const struct ip_cidr *cidrs, size_t n, struct range *ret_ranges);
