/* CheckpointContainer needs criu, which needs a tree of processes that it can seize as it made them: not offered. */
#include "cri/call.h"
#include "cri/handlers.h"

void handle_checkpoint_container(struct cri_call *call) {
        const Cri__CheckpointContainerRequest *request = (const Cri__CheckpointContainerRequest *)call->request;

        if (!call_find_container(call, request->container_id))
                return;
        if (access("/usr/sbin/criu", X_OK) < 0 && access("/usr/bin/criu", X_OK) < 0)
                call_refuse(call, EOPNOTSUPP, "checkpointing containers needs the program criu, which this node does not have");
        else
                call_refuse(call, EOPNOTSUPP, "checkpointing containers is not supported by this version of nacelle");
}
