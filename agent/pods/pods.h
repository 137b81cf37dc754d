/* All pods of the node: what the watched directory wants, a worker for each, and what is told of them.
 *
 * A pod is known by its uid. Of two files that want one pod the one that runs keeps it (agent/directory/desired.h), the
 * other is reported. An edit is
 * another uid: the old pod ends with its grace period, then the new one starts. Pods that cri knows from before a
 * restart are taken up; those that no file wants any more are ended.
 */
#pragma once

#include <uv.h>

#include "agent/config/options.h"

struct cri;
struct kubelet;
struct kubelet_world;
struct pods;
struct pool;

/* @options and @cri must outlive it. Takes up the pods of before; nothing is started until pods_start(). */
int pods_new(uv_loop_t *loop, struct pool *pool, struct cri *cri, const struct options *options, struct pods **ret_pods,
             struct err **err);

/* What kubelet's API may know of pods, and whom it asks about its clients. */
void pods_tell_kubelet(struct pods *pods, struct kubelet_world *world);

/* Who serves it, NULL: nobody. It gets the certificates that the cluster signs for it. */
void pods_set_kubelet(struct pods *pods, struct kubelet *kubelet);

/* Starts to watch the directory. */
void pods_start(struct pods *pods);

/* Forgets all pods and leaves them running; what is under way may still end. NULL is fine. */
void pods_stop(struct pods *pods);

/* Frees it, after pods_stop() and when nothing is under way any more. NULL is fine. */
void pods_free(struct pods *pods);
