/* Tells the subscribers; for cri's own files. */
#pragma once

#include "cri/state/events.h"
#include "cri/state/state.h"

struct cgroup_oom_state;

void emit_container(struct cri_container *container, enum cri_event_type type);
void emit_sandbox(struct cri_sandbox *sandbox, enum cri_event_type type);
void emit_oom(struct cri_container *container, const struct cgroup_oom_state *state);
