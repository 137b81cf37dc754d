#include "cni/ranges.h"

#include <stdlib.h>
#include <string.h>

static struct range range_of(const struct ip_cidr *cidr) {
        struct range range = { .first = ip_cidr_base(cidr), .open = true };
        size_t bit = cidr->prefix;

        /* One is added at the prefix' last bit, and carried. */
        range.past = range.first;
        for (bool carry = true; carry && bit-- > 0;) {
                uint8_t mask = (uint8_t)(0x80 >> bit % 8), *byte = &range.past.bytes[bit / 8];

                carry = *byte & mask;
                *byte ^= mask;
                range.open = carry;
        }
        return range;
}

static int compare(const void *a, const void *b) {
        const struct range *one = a, *other = b;

        return memcmp(one->first.bytes, other->first.bytes, sizeof(one->first.bytes));
}

/* Whether @next, which begins no earlier, belongs to @range. */
static bool joins(const struct range *range, const struct range *next) {
        return range->open || memcmp(next->first.bytes, range->past.bytes, sizeof(range->past.bytes)) <= 0;
}

static void join(struct range *range, const struct range *next) {
        if (range->open || (!next->open && memcmp(next->past.bytes, range->past.bytes, sizeof(range->past.bytes)) <= 0))
                return;
        range->past = next->past;
        range->open = next->open;
}

size_t cni_ranges_make(uint8_t family, const struct ip_cidr *cidrs, size_t n, struct range *ret_ranges) {
        size_t found = 0, made = 0;

        for (size_t i = 0; i < n; i++)
                if (cidrs[i].ip.family == family)
                        ret_ranges[found++] = range_of(&cidrs[i]);
        qsort(ret_ranges, found, sizeof(*ret_ranges), compare);
        for (size_t i = 0; i < found; i++)
                if (made > 0 && joins(&ret_ranges[made - 1], &ret_ranges[i]))
                        join(&ret_ranges[made - 1], &ret_ranges[i]);
                else
                        ret_ranges[made++] = ret_ranges[i];
        return made;
}
