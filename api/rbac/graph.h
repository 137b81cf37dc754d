/* The graph of nodes.h, for node_graph.c, which keeps it, and node_authorizer.c. */
#pragma once

#include <stdbool.h>

#include "api/rbac/nodes.h"

/* What a node may have to do with. Letters are the keys of the graph. */
enum rbac_vertex {
        RBAC_POD = 'P',
        RBAC_SECRET = 'S',
        RBAC_CONFIG_MAP = 'M',
        RBAC_CLAIM = 'C',
        RBAC_VOLUME = 'V',
        RBAC_ATTACHMENT = 'A',
        RBAC_ACCOUNT = 'U',
        RBAC_RESOURCE_CLAIM = 'R',
        RBAC_SLICE = 'L',
};

bool rbac_nodes_related(struct rbac_nodes *nodes, const char *node, enum rbac_vertex vertex, const char *namespace,
                        const char *name, struct arena *arena);

/* Whether what every node may is this. */
bool rbac_nodes_rules_allow(const struct rbac_nodes *nodes, const struct auth_attributes *attributes);

/* Calls @visit with each object that the pod names; stops at the first that is not 0, and returns it. */
typedef int (*rbac_reference)(void *data, enum rbac_vertex vertex, const char *name);
int rbac_pod_references(const struct value *pod, rbac_reference visit, void *data);

/* The secrets that a kubelet needs for a volume; @namespace is where one without a namespace of its own is. */
typedef int (*rbac_volume_secret)(void *data, const char *namespace, const char *name);
int rbac_volume_secrets(const struct value *volume, rbac_volume_secret visit, void *data);
