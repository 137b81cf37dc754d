/* What became of each file of the watched directory, for whoever asks why a pod is not there: files that cannot be read
 * as a pod, that have no effect, or whose pod the node does not take. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "agent/directory/desired.h"
#include "lib/err.h"

struct json_writer;
struct options;

/* Files that could not be read as a pod, by name, with what was said of them last. Zeroed: none. */
struct broken_file {
        char *file, *text;
};

struct broken_files {
        struct broken_file *items;
        size_t n;
};

/* Without memory for it, the file is not listed: the log has it all the same. */
void manifest_broken_set(struct broken_files *files, const char *file, const char *text);
void manifest_broken_drop(struct broken_files *files, const char *file);
void manifest_broken_clear(struct broken_files *files);

/* {directory, nodeName, podLogsDir, items: [{file, namespace, name, uid, reason, message}]}: the pod where one is
 * known; reason and message where the file is refused. */
void manifest_files_write(const struct options *options, const struct desired_pods *desired,
                          const struct broken_files *broken, struct json_writer *writer);
