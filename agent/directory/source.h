/* The watched directory: which pods its files want, noticed by inotify and read on the pool.
 *
 * One pod a file, YAML or JSON, as kubelet's static pods. Dot files, editors' temporary files and subdirectories
 * are passed over. The directory may be missing (it is waited for), be a symlink or hold symlinks (a swap of
 * `..data` or of the directory itself is a new look at all files). Nothing is polled.
 *
 * The caller hears of a file only when its bytes changed. A broken file says so once and does not end the pod
 * that the file held before.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "lib/err.h"
#include "lib/pool.h"

#define SOURCE_FILES_MAX 4096               /* files in the directory; more are passed over with a warning */
#define SOURCE_RETRY_SECONDS 2              /* after a look that failed for want of descriptors or memory */
#define SOURCE_FILE_BYTES_MAX (1024 * 1024) /* a manifest's size */

struct pod;
struct source;

/* Reads a manifest's bytes into a pod: on a pool thread, so it must touch nothing but its arguments. */
typedef int (*source_decode)(const char *file, const char *text, size_t length, const void *data, struct pod **ret_pod,
                             struct err **err);

/* What is heard, on the loop. @file is the name in the directory, valid during the call. */
struct source_events {
        source_decode decode;
        const void *decode_data;
        void (*pod)(void *data, const char *file, struct pod *pod);     /* new or changed; the pod is the callee's */
        void (*broken)(void *data, const char *file, const char *text); /* could not be read; said once a content */
        void (*unread)(void *data, const char *file); /* is there, and will be read later: nothing is known of it */
        void (*gone)(void *data, const char *file);
        void (*looked)(
                void *data); /* after what one look found was told; the first comes also when there is no directory */
        void (*discard)(struct pod *pod); /* frees a pod that nobody took */
        void *data;
};

/* Starts to watch @dir (an absolute path). Errors: what inotify_init1() gives, -ENOMEM. */
int source_new(uv_loop_t *loop, struct pool *pool, const char *dir, const struct source_events *events,
               struct source **ret_source, struct err **err);

/* Ends the watch; no event comes after it. NULL is fine. Work under way on the pool is waited for by the pool. */
void source_free(struct source *source);

/* Whether a file of this name is looked at. */
bool source_name_counts(const char *name);
