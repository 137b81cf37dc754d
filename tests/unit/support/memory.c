#include "tests/unit/support/memory.h"

#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* gcc's name for it */
#endif
#endif

static atomic_uint asked, from, length, until;
static atomic_long balance;

void memory_fail(unsigned n, unsigned count) {
        void *chain[1];

        until = 0;
        if (getenv("NACELLE_SWEEP_WHERE"))
                backtrace(chain, 1); /* its first call allocates */
        asked = 0;
        from = n;
        length = count;
        until = n ? n + count : 0;
}

unsigned memory_asked(void) {
        return asked;
}

long memory_balance(void) {
        return balance;
}

unsigned memory_sweep_step(unsigned n, unsigned most) {
        const char *which = getenv("NACELLE_SWEEP");

        return (which && strcmp(which, "all") == 0) || n <= most ? 1 : (n + most - 1) / most;
}

#ifdef __SANITIZE_ADDRESS__

bool memory_can_fail(void) {
        return false;
}

bool memory_fails(void) {
        return false;
}

#else

bool memory_can_fail(void) {
        return true;
}

/* glibc's own, below. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static void *counted(void *p, void *old) {
        if (p && !old)
                balance++;
        return p;
}

bool memory_fails(void) {
        unsigned n = ++asked;

        if (n < from || n >= until)
                return false;
        if (getenv("NACELLE_SWEEP_WHERE")) {
                void *chain[24];

                until = 0;
                backtrace_symbols_fd(chain, backtrace(chain, 24), STDERR_FILENO);
                until = from + length;
        }
        errno = ENOMEM;
        return true;
}

void *malloc(size_t size) {
        return memory_fails() ? NULL : counted(__libc_malloc(size), NULL);
}

void *calloc(size_t n, size_t size) {
        return memory_fails() ? NULL : counted(__libc_calloc(n, size), NULL);
}

void *realloc(void *old, size_t size) {
        return memory_fails() ? NULL : counted(__libc_realloc(old, size), old);
}

void free(void *p) {
        if (p)
                balance--;
        __libc_free(p);
}

#endif
