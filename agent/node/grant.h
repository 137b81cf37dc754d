/* What a container gets of the node beside what its spec says: of its devices' plugins, and which CPUs it runs on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kube/types.h"

struct node_mount {
        const char *host, *container;
        bool read_only;
};

struct node_device {
        const char *host, *container, *permissions;
};

/* Everything lies in the arena of who asked. Of names that come twice the first counts. */
struct node_grant {
        string_map environment, annotations;
        struct node_mount *mounts;
        size_t n_mounts;
        struct node_device *devices;
        size_t n_devices;
        string_list cdi_devices;
        const char *cpus;   /* "1,3-5"; NULL: all that there are */
        bool exclusive;     /* those are nobody else's */
        bool pod_exclusive; /* some container of the pod has such */
};
