/* What a container may ask and tell of the pod that it is one of. A pod's worker is one such host; a test may be
 * another. */
#pragma once

#include "agent/node/world.h"
#include "agent/volumes/files.h"

struct arena;
struct member;
struct op_owner;
struct pod;
struct pull_queue;

/* What the pod's containers have of its sandbox; the host's, and changed by it alone. */
struct member_sandbox {
        char id[NODE_ID_MAX + 1]; /* "": none */
        struct pod_addresses addresses;
        int userns; /* the pod's block of user ids; -1: the host's users */
};

struct member_host_ops {
        /* Something of the container is another than before: the pod looks at everything again, soon or now. */
        void (*changed)(void *data);

        /* What a restart of the agent would lose is another than before. */
        void (*keep)(void *data);

        /* Its process runs. */
        void (*runs)(void *data, const struct member *member);

        /* While the pod ends: until when containers that @member serves may go on; 0: there are none. */
        int64_t (*needed_until)(void *data, const struct member *member);

        /* Seconds that the pod's containers have to end. */
        int64_t (*grace)(void *data);

        /* The container that runs for the member of that name; NULL: none does. */
        const char *(*running)(void *data, const char *name);

        /* The sandbox's configuration for CRI's calls, in @arena; NULL with *err. */
        Cri__PodSandboxConfig *(*sandbox_config)(void *data, struct arena *arena, struct err **err);
};

struct member_host {
        const struct member_host_ops *ops;
        void *data; /* of ops */
        const struct node_world *world;
        const struct pod *pod;
        const struct member_sandbox *sandbox;
        struct op_owner *owner; /* of the containers' operations */
        struct pull_queue *pulls;
};
