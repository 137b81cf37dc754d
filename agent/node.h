/* The running agent: the loop and all that stands on it, made in order and taken down in reverse.
 */
#pragma once

#include <uv.h>

#include "agent/config/options.h"

struct node;

/* Makes pool, cri, its socket and, unless runtime_only, the pods of the watched directory. @options must outlive the
 * node. @cni_shared: as network_options.conf_dir_shared. On failure nothing stays but what cri keeps on disk. */
int node_new(uv_loop_t *loop, const struct options *options, bool cni_shared, struct node **ret_node, struct err **err);

/* Takes it down and leaves pods running. Runs the loop until the calls under way have ended, for at most
 * NODE_DRAIN_SECONDS. NULL is fine. */
void node_free(struct node *node);
#define NODE_DRAIN_SECONDS 5
#define NODE_SPANS_SECONDS 1 /* and that long until the last spans are with their collector */
