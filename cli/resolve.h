/* What people type for a container or a pod, to its id.
 *
 * A container: its id or the beginning of it, its name, POD/NAME or NAMESPACE/POD/NAME; or POD and NAMESPACE/POD for
 * the pod's only container, or the only one that runs. A pod: its id or the beginning of it, its name or
 * NAMESPACE/NAME. The node's name behind the name of a pod of the watched directory ("web-node1") may be left out where
 * no pod is called so. Of attempts the newest is meant. A name outranks the beginning of an id.
 */
#pragma once

#include "cli/cli.h"

#define RESOLVE_ID_MAX 256

/* Returns 0; -ENOENT when nothing is called so, -EINVAL when more than one thing is (the text lists them); or what the
 * calls give. */
int resolve_container(struct cli *cli, const char *text, char ret_id[RESOLVE_ID_MAX + 1], struct err **err);
int resolve_pod(struct cli *cli, const char *text, char ret_id[RESOLVE_ID_MAX + 1], struct err **err);

/* For a list's filter: what is called by no name stays as it is, and finds nothing or what the runtime takes it for.
 * NULL stays NULL. *@ret_text is @text or @buffer. */
typedef int resolve_fn(struct cli *cli, const char *text, char ret_id[RESOLVE_ID_MAX + 1], struct err **err);
int resolve_filter(struct cli *cli, const char *text, resolve_fn *resolve, char buffer[RESOLVE_ID_MAX + 1],
                   const char **ret_text, struct err **err);
