/* malloc() that fails at the allocation that a test names, and counts what is not given back.
 *
 *     static int read_and_use(void);                  returns 0, or what it fails with
 *     fail_each_allocation(read_and_use);
 *
 * Under a sanitizer, which owns malloc() itself, there is no such test. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* gcc's name for it */
#endif
#endif

#ifndef __SANITIZE_ADDRESS__

/* glibc's own, below the ones that the sanitizers would have to have themselves. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static unsigned failing_countdown; /* 0: nothing fails */
static long failing_balance;

static int failing_now(void) {
        return failing_countdown > 0 && --failing_countdown == 0;
}

void *malloc(size_t size) {
        void *p = failing_now() ? NULL : __libc_malloc(size);

        failing_balance += p != NULL;
        return p;
}

void *calloc(size_t n, size_t size) {
        void *p = failing_now() ? NULL : __libc_calloc(n, size);

        failing_balance += p != NULL;
        return p;
}

void *realloc(void *old, size_t size) {
        void *p = failing_now() ? NULL : __libc_realloc(old, size);

        failing_balance += p != NULL && !old;
        return p;
}

void free(void *p) {
        failing_balance -= p != NULL;
        __libc_free(p);
}

/* Runs @work as often as it allocates, the first allocation failing, then the second, ... It may succeed all the same,
 * but fails with nothing but -ENOMEM or @other (0: none), and leaves nothing behind. Returns how many there were. */
static inline unsigned fail_each_allocation_or(int (*work)(void), int other) {
        int r = work(); /* once, for what libc keeps: the time zone */
        unsigned n = 0;

        assert_int_equal(r, 0);
        do {
                long before = failing_balance;

                failing_countdown = ++n;
                r = work();
                if (r != 0 && r != -ENOMEM && r != other) {
                        failing_countdown = 0;
                        fail_msg("allocation %u: %d", n, r);
                }
                if (failing_balance != before) {
                        failing_countdown = 0;
                        fail_msg("allocation %u leaks %ld", n, failing_balance - before);
                }
        } while (failing_countdown == 0 && n < 10000);
        failing_countdown = 0;
        assert_int_equal(r, 0);
        return n;
}

#else

static inline unsigned fail_each_allocation_or(int (*work)(void), int other) {
        assert_int_equal(work(), 0);
        return UINT32_MAX;
}

#endif

static inline unsigned fail_each_allocation(int (*work)(void)) {
        return fail_each_allocation_or(work, 0);
}
