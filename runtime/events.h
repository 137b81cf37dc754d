/* What happens to a pod's containers, called back on the loop.
 *
 * One connection to the shim for as long as the watch lives. The shim first tells the state of every container it
 * knows, then each change, in order; nothing is lost while nobody watches, because the shim keeps an exit until
 * container_delete().
 */
#pragma once

#include <uv.h>

#include "runtime/container.h"

struct shim_watch;

struct shim_watch_callbacks {
        /* A container started or exited; also called for each known one at the beginning. All output of an exited
         * container is in its log by then. Whether it was OOM-killed stands in its cgroup (cgroups/). */
        void (*changed)(void *data, const struct container_state *state);
        /* The shim is gone and was not told to go: sandbox_recover() is next. No callback after this one; the watch
         * must still be freed (from inside the callback is fine). */
        void (*gone)(void *data);
        void *data;
};

/* Only on the loop's thread; does not block. -ENOENT: no shim there. */
int shim_watch_new(uv_loop_t *loop, struct runtime *runtime, const char *sandbox,
                   const struct shim_watch_callbacks *callbacks, struct shim_watch **ret_watch, struct err **err);

/* Ends it without a callback. NULL is fine. Returns NULL. */
struct shim_watch *shim_watch_free(struct shim_watch *watch);
