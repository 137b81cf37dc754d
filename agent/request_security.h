/* securityContext of pods and containers as CRI has it (kubelet's kuberuntime/security_context.go). */
#pragma once

#include "agent/worker_internal.h"

struct arena;

/* Both NULL without memory. */
Cri__LinuxSandboxSecurityContext *request_sandbox_security(struct arena *arena, const struct pod *pod);
Cri__LinuxContainerSecurityContext *request_container_security(struct arena *arena, const struct member *m);
