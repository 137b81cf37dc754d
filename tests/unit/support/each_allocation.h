/* A sweep over work that is run again and again, its first allocation failing, then the second, ...
 *
 *     static int read_and_use(void);                  returns 0, or what it fails with
 *     assert_true(fail_each_allocation(read_and_use) > 20);
 */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/support/memory.h"

#define ALLOCATIONS_MAX 10000

/* @work may succeed all the same, but fails with nothing but -ENOMEM, and leaves nothing behind. Returns how many
 * allocations there were; UINT32_MAX where none can be made to fail. */
static inline unsigned fail_each_allocation(int (*work)(void)) {
        int r = work(); /* once, for what libc keeps */
        unsigned n = 0, asked;

        assert_int_equal(r, 0);
        if (!memory_can_fail())
                return UINT32_MAX;
        do {
                long before = memory_balance();

                memory_fail(++n, 1);
                r = work();
                asked = memory_asked();
                memory_fail(0, 0);
                if (r != 0 && r != -ENOMEM)
                        fail_msg("allocation %u: %d", n, r);
                if (memory_balance() != before)
                        fail_msg("allocation %u leaks %ld", n, memory_balance() - before);
        } while (asked >= n && n < ALLOCATIONS_MAX);
        assert_int_equal(r, 0);
        return n;
}
