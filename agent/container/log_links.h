/* /var/log/containers: a link to each container's log, where log collectors look for them.
 *
 * As kubelet makes them (kuberuntime/legacy.go, KEP-1602's older layout): POD_NAMESPACE_CONTAINER-ID.log, once the
 * container was started, to its log below --pod-logs-dir; removed with the container, together with the log when a
 * later attempt has one. Only for pods of the watched directory. Links whose target lies below another directory are
 * others'.
 */
#pragma once

#include <stddef.h>

#include "lib/err.h"

#define LOG_LINKS_DIR "/var/log/containers"

struct cri_container_info;
struct cri_event;
struct pod;
struct pool;

/* Makes the directory, and removes links into @logs whose logs are gone. Blocks (start only). */
int log_links_prepare(const char *logs, struct err **err);

/* A container of @pod (NULL: of none that is ours) was started or deleted: what follows from it is done on @pool. @info
 * is NULL when it is gone. */
void log_links_heard(struct pool *pool, const struct pod *pod, const struct cri_event *event,
                     const struct cri_container_info *info, const char *logs);

/* Removes all links into the directory @logs. Blocks. */
void log_links_sweep(const char *logs);

/* The name of a container's link, without the directory: at most NAME_MAX bytes, a longer one is cut before ".log". */
void log_link_name(const char *pod, const char *namespace_, const char *container, const char *id, char *ret_name,
                   size_t size);
