/* What the API service had for a pod, kept for an agent that starts while the service is away: ConfigMaps and the
 * variables of Services beside the pod, in ROOT/pods/UID/sources, and Secrets where a power cut takes them, in
 * RUN/sources/UID. Tokens are not kept. All functions block.
 */
#pragma once

#include "agent/volumes/files.h"

#define REMEMBERED_BYTES_MAX ((size_t)64 << 20) /* of each of the two */

/* Keeps what @files knows, if that is all there is to know. What cannot be written is a warning: the pod does without.
 */
void remembered_write(const struct pod_files *files);

/* What was kept of the pod of this uid, with a reference; NULL: nothing was. What is broken is a warning. -ENOMEM. */
int remembered_read(const struct options *options, const char *uid, struct pod_sources **ret_sources);

/* Forgets the Secrets; the rest goes with the pod's directory. */
void remembered_remove(const struct pod_files *files);
