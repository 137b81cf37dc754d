/* securityContext of pods and containers as CRI has it (kubelet's kuberuntime/security_context.go). */
#pragma once

#include "agent/pod/internal.h"

struct arena;

/* The pod's block of ids as a mapping from 0: one message in a list. False without memory; an empty list with the
 * host's users. */
bool request_mappings(struct arena *arena, const struct worker *w, Cri__IDMapping ***ret_list, size_t *ret_n);

/* Both NULL without memory. */
Cri__LinuxSandboxSecurityContext *request_sandbox_security(struct arena *arena, const struct worker *w);
Cri__LinuxContainerSecurityContext *request_container_security(struct arena *arena, const struct member *m);
