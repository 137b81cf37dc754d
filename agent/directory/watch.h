/* An inotify watch of a directory by its path, which may not exist yet and may lead through symlinks: each
 * component that decides where the path leads is watched in its folder.
 */
#pragma once

#include <uv.h>

#include "lib/err.h"

#define WATCH_CHAIN_MAX 64 /* components and symlinks on the way to the directory */

struct watch;

struct watch_events {
        /* @name in the directory was made, changed, moved or removed; @mask is inotify's. */
        void (*entry)(void *data, const char *name, uint32_t mask);
        /* The directory is another one now, is there or gone, or events were lost: look at all of it. */
        void (*rescan)(void *data);
        void *data;
};

int watch_new(uv_loop_t *loop, const char *dir, const struct watch_events *events, struct watch **ret_watch,
              struct err **err);

/* No event comes after it. NULL is fine. */
void watch_free(struct watch *watch);
