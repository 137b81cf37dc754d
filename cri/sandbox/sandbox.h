/* What sandboxes are made of, below the calls. The blocking ones run on the pool. */
#pragma once

#include "cri/state/state.h"
#include "cni/network.h"
#include "runtime/sandbox.h"

/* The seconds a container may take to die of SIGKILL before its sandbox is taken apart around it. */
#define SANDBOX_KILL_SECONDS 10

/* Fills @ret_spec from the sandbox's configuration; what it points to is in @arena or the sandbox's. */
int sandbox_fill_spec(const struct cri_sandbox *sandbox, struct arena *arena, struct sandbox_spec *ret_spec,
                      struct err **err);

/* The pod's user namespace; empty with the host's. */
int sandbox_fill_mappings(const Cri__PodSandboxConfig *config, struct arena *arena, struct id_mappings *ret_mappings,
                          struct err **err);

/* What the network needs to know. */
int sandbox_fill_network(const struct cri_sandbox *sandbox, struct arena *arena, struct network_request *ret_request,
                         struct err **err);

/* RUN/pods/ID with resolv.conf, hostname and hosts. Blocks. */
int sandbox_make_files(const struct cri_sandbox *sandbox, const char *const *ips, struct err **err);

/* Makes or takes up all of it: namespaces, shim, network, as steps of @span (NULL: nobody's). Blocks. */
struct sandbox_made {
        struct sandbox_info info;
        struct network_result network;
};
int sandbox_make(struct cri_sandbox *sandbox, struct span *span, struct sandbox_made *ret_made, struct err **err);

/* Takes network, shim, namespaces and shared files away, whatever of it is there. Goes on after a failure. Blocks. */
int sandbox_unmake(const struct cri_sandbox *sandbox, struct span *span, struct err **err);

/* Begins or ends to watch the shim. */
int cri_sandbox_watch(struct cri_sandbox *sandbox, struct err **err);
void cri_sandbox_unwatch(struct cri_sandbox *sandbox);

/* Goes on with @then when call->sandbox has another shim than @met, which was found dead, or cannot have one. Not
 * behind a call that waits for a turn. */
void cri_sandbox_await_shim(struct cri_call *call, pid_t met, void (*then)(struct cri_call *call));

/* Goes on with @then, which takes the sandbox apart, when no recovery is under way; none is begun from now on. */
void cri_sandbox_end_recovery(struct cri_call *call, void (*then)(struct cri_call *call));

/* A container is no longer being started: a recovery that waited for this goes on. */
void cri_sandbox_start_ended(struct cri_sandbox *sandbox);

/* The texts of a network's result, in @arena, NULL-terminated. */
const char **sandbox_ips(struct arena *arena, const struct network_result *result);
