/* Allocations that fail on demand: malloc() and its kin are taken over in a test program that is linked with memory.c.
 *
 * NACELLE_SWEEP_WHERE=1 tells where each failing one is asked for.
 *
 * The sanitizers have allocators of their own; with them memory_can_fail() is false, and a sweep is skipped.
 */
#pragma once

#include <stdbool.h>

bool memory_can_fail(void);

/* The @n-th allocation from here on (from 1), and @length - 1 after it, fail. 0: none. On all threads. */
void memory_fail(unsigned n, unsigned length);

/* Counts one more allocation, for what is none to malloc(); whether it is to fail. */
bool memory_fails(void);

/* How many allocations were asked for since memory_fail(). */
unsigned memory_asked(void);

/* Allocations that were not freed, of all there ever were. */
long memory_balance(void);

/* What a sweep is told by the environment: NACELLE_SWEEP=all asks for each allocation, else about @most of @n are
 * tried: the distance between two. */
unsigned memory_sweep_step(unsigned n, unsigned most);
