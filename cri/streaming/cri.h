/* The streaming server in front of cri: Exec, Attach and PortForward answer with its URLs, and its clients get cri's
 * descriptors (cri/exec/exec.h). */
#pragma once

#include <uv.h>

struct cri;
struct err;
struct streaming;
struct streaming_cri;

#define STREAMING_CRI_ADDRESS "127.0.0.1:0"

/* Listens on @address (NULL: STREAMING_CRI_ADDRESS) and hooks itself into @cri. */
int streaming_cri_new(uv_loop_t *loop, struct cri *cri, const char *address, struct streaming_cri **ret_streaming,
                      struct err **err);

/* Its sessions, for streaming_serve() by other servers of its loop. */
struct streaming *streaming_cri_sessions(const struct streaming_cri *streaming);

/* Unhooks and closes; memory goes once the loop has closed the handles. Processes started by clients live on until they
 * end, and @cri must, too. NULL is fine. */
void streaming_cri_free(struct streaming_cri *streaming);
