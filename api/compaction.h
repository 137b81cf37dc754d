/* The past ends: every so often what lists of earlier revisions need is forgotten (api/state/state.h), as
 * kube-apiserver has etcd compact itself. */
#pragma once

#include <stdint.h>

struct api_state;
struct err;

#define API_COMPACTION_S 300 /* apart, unless --etcd-compaction-interval says otherwise */

/* A timer that is readable when it is time, every @interval_ns (0: never); to be closed by the caller. */
int api_compaction_timer(int64_t interval_ns, int *ret_fd, struct err **err);

/* Compacts, when @timer says so. */
void api_compaction_run(int timer, struct api_state *state);
