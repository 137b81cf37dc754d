/* A notice that tasks have to wait for memory: the kernel's pressure stall information
 * (Documentation/accounting/psi.rst). Memory can run out much faster than anybody looks; with this nobody has to look
 * often.
 */
#pragma once

#include <uv.h>

struct notice;

#define NOTICE_STALL_US 200000   /* in all, within */
#define NOTICE_WINDOW_US 2000000 /* the shortest that needs no privilege */

/* Calls @heard on the loop, at most once a window. NULL where the kernel does not tell (logged at level debug). */
struct notice *notice_new(uv_loop_t *loop, void (*heard)(void *data), void *data);
void notice_free(struct notice *notice); /* NULL is fine */
