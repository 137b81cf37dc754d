/* What the shims tell: containers that started, ended, or were killed for their memory. */
#pragma once

#include "cri/state/state.h"
#include "runtime/container.h"

#define EXIT_CODE_UNKNOWN 255
#define EXIT_CODE_KILLED 137
#define EXIT_CODE_START_ERROR 128

/* What writes a container's end down, for container->end_job; NULL without memory. */
struct end_job *exits_end_job(struct arena *arena);

/* The container's process runs; its STARTING or CREATED phase ends. */
void cri_container_started(struct cri_container *container, const struct container_state *state);

/* Its process has ended, or never ran. What is left of it is killed and its end written down, on the pool; then the
 * phase is EXITED and whoever waits is told. */
void cri_container_ended(struct cri_container *container, const struct container_state *state);

/* Ends what a container's first process left behind in its cgroup: in a pid namespace that is not the container's own
 * (the host's, the pod's, another container's) children and execs outlive it. Blocks. */
void exits_end_rest(const struct cri_container *container);

/* Its start failed with @err. */
void cri_container_start_failed(struct cri_container *container, const struct err *err);

/* Calls waiter->ended when the container is EXITED; at once when it is (or not yet runs: then false is returned and
 * nothing is called). */
bool cri_container_wait(struct cri_container *container, struct cri_waiter *waiter);
void cri_container_unwait(struct cri_container *container, struct cri_waiter *waiter);

/* One descriptor for all containers' OOM kills; without it kills are seen at the container's end only. */
int exits_open(struct cri *cri, struct err **err);
void exits_close(struct cri *cri);

/* What a record of an end says, at the start of the agent. */
void cri_container_take_exit(struct cri_container *container, const Record__Exit *exit);
