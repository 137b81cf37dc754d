/* Removes interfaces in the background.
 *
 * The kernel takes an interface off at once but lets the caller wait for RCU grace periods, 15 to 40 ms, once for
 * each request. A pod's stop must not; so one thread, there only while there is something to remove, makes the
 * requests, and puts what has gathered meanwhile into one (by interface group). Usually the namespace's own end
 * has removed the pair by then.
 */
#pragma once

#include <stdint.h>

struct err;
struct reaper;

/* Interfaces waiting to be removed; more than that are removed by the caller's own thread. */
#define REAPER_QUEUE_MAX 1024

/* @group is an interface group that nothing else uses. The namespace is that of the thread that calls this. */
int cni_reaper_new(uint32_t group, struct reaper **ret_reaper, struct err **err);

/* Waits until all is removed. NULL is fine. */
void cni_reaper_free(struct reaper *reaper);

/* Removes the interface @name, soon. Never fails for the caller: what remains is found by the next sweep. */
void cni_reaper_remove(struct reaper *reaper, const char *name);

/* Waits until all is removed. */
void cni_reaper_wait(struct reaper *reaper);
