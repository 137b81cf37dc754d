/* What the agent tells of the pods of its watched directory (cri/extension.proto, service Node), read into value trees.
 */
#pragma once

#include "cli/cli.h"
#include "lib/value.h"

struct arena;

struct node_view {
        struct arena *arena;
        bool known;                /* the endpoint is an agent's that runs pods of a directory */
        const struct value *files; /* {directory, nodeName, items}: agent/directory/manifest_files.h */
        const struct value *events;
        const struct value **pods;
        size_t n_pods, allocated;
        int error;
};

/* Returns 0, also where the endpoint is another runtime's, or an agent's with --runtime-only: then nothing is known. */
int node_view_read(struct cli *cli, struct node_view *ret_view, struct err **err);
void node_view_done(struct node_view *view);
#define _cleanup_node_view_ __attribute__((cleanup(node_view_done)))

/* The pod of this uid; NULL when there is none. */
const struct value *node_view_pod(const struct node_view *view, const char *uid);

/* Whether @text is the pod's name @name, or that of a pod of the directory without "-NODE" behind it. */
bool node_view_names(const struct node_view *view, const char *text, size_t n_text, const char *name);

/* Whether @text is NAME or NAMESPACE/NAME; with @whole the node's name may not be left out. */
bool node_view_is_pod(const struct node_view *view, const char *text, const char *namespace, const char *name,
                      bool whole);

/* Whether @text is the file's name, or that without what follows a dot. */
bool node_view_is_file(const struct value *file, const char *text);

/* "metadata.name" and the like; "" where it is not there. */
const char *node_view_text(const struct value *value, const char *path);
