/* The pod's hint on disk, ROOT/pods/UID/state: what containers and the manifest do not tell after a restart of the
 * agent. A hint that is missing or broken costs back-off and probe history, nothing else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct worker;

enum hint_state {
        HINT_KEPT,    /* what is on disk is what is to be kept, or nothing is yet */
        HINT_WRITING, /* on the pool */
        HINT_STALE,   /* on the pool, and no longer what is to be kept */
        HINT_DUE,     /* could not be written for want of memory; again at retry_at */
};

struct hint {
        enum hint_state state;
        bool pod_written; /* pod.json beside it */
        int64_t retry_at;
};

/* Writes it, now or after the writing under way. Does nothing before the pod has a directory and after it had one. */
void worker_keep_hint(struct worker *w);

/* Tries again what waits for memory, when it is due. */
void worker_tick_hint(struct worker *w);

/* It is on disk, as far as can be. */
bool worker_hint_is_kept(const struct worker *w);

/* Reads it. @ret_over: the pod had ended, and its containers are gone. What is broken is a warning. -ENOMEM. */
int worker_read_hint(struct worker *w, bool *ret_over);
