#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/user.h"
#include "api/rbac/graph.h"
#include "lib/arena.h"

#define LEASES "kube-node-lease"

/* A question of a node's, and what answers it: NULL allows, a text is the reason why there is no opinion. */
struct node_question {
        struct rbac_nodes *nodes;
        const char *node;
        const struct auth_attributes *a;
        struct arena *arena;
};

/* Whether @verb is one of @verbs, which spaces divide. A verb may be anything, and nothing: what no HTTP method stands
 * for has none. */
static bool one_of(const char *verb, const char *verbs) {
        size_t n = strlen(verb);

        if (n == 0 || strchr(verb, ' '))
                return false;
        for (const char *at = verbs; (at = strstr(at, verb)); at += n)
                if ((at == verbs || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
                        return true;
        return false;
}

static const char *no_memory(const char *text) {
        return text ?: "out of memory";
}

static const char *ask_graph(const struct node_question *q, enum rbac_vertex vertex) {
        if (!q->a->name[0])
                return "No Object name found";
        if (rbac_nodes_related(q->nodes, q->node, vertex, q->a->namespace, q->a->name, q->arena))
                return NULL;
        return no_memory(arena_printf(q->arena, "no relationship found between node '%s' and this object", q->node));
}

/* Lists and watches of one object, too, as long as it is named. */
static const char *ask_read(const struct node_question *q, enum rbac_vertex vertex) {
        if (!one_of(q->a->verb, "get list watch"))
                return "can only read resources of this type";
        if (q->a->subresource[0])
                return "cannot read subresource";
        if (!q->a->namespace[0])
                return "can only read namespaced object of this type";
        return ask_graph(q, vertex);
}

static const char *ask_get(const struct node_question *q, enum rbac_vertex vertex) {
        if (strcmp(q->a->verb, "get") != 0)
                return "can only get individual resources of this type";
        if (q->a->subresource[0])
                return "cannot get subresource";
        return ask_graph(q, vertex);
}

static const char *ask_claim(const struct node_question *q, enum rbac_vertex vertex) {
        if (strcmp(q->a->subresource, "status") != 0)
                return ask_get(q, vertex);
        return one_of(q->a->verb, "update patch") ? ask_graph(q, vertex) : "can only get/update/patch this type";
}

static const char *ask_account(const struct node_question *q, enum rbac_vertex vertex) {
        if (strcmp(q->a->verb, "get") == 0 && !q->a->subresource[0])
                return ask_read(q, vertex);
        if (strcmp(q->a->verb, "create") != 0 || !q->a->name[0])
                return "can only create tokens for individual service accounts";
        if (strcmp(q->a->subresource, "token") != 0)
                return "can only create token subresource of serviceaccount";
        return ask_graph(q, vertex);
}

static const char *ask_lease(const struct node_question *q, enum rbac_vertex vertex) {
        if (!one_of(q->a->verb, "get create update patch delete"))
                return "can only get, create, update, patch, or delete a node lease";
        if (strcmp(q->a->namespace, LEASES) != 0)
                return "can only access leases in the \"" LEASES "\" system namespace";
        if (strcmp(q->a->verb, "create") != 0 && strcmp(q->a->name, q->node) != 0)
                return "can only access node lease with the same name as the requesting node";
        return NULL;
}

static const char *ask_csi_node(const struct node_question *q, enum rbac_vertex vertex) {
        if (!one_of(q->a->verb, "get create update patch delete"))
                return "can only get, create, update, patch, or delete a CSINode";
        if (q->a->subresource[0])
                return "cannot authorize CSINode subresources";
        if (strcmp(q->a->verb, "create") != 0 && strcmp(q->a->name, q->node) != 0)
                return "can only access CSINode with the same name as the requesting node";
        return NULL;
}

/* Whether the selector asks for @field of the node alone. */
static bool selects(const struct node_question *q, const char *field) {
        list_for_each (wanted, &q->a->fields) {
                if (wanted->key && strcmp(wanted->key, field) == 0 &&
                    wanted->operator&& strcmp(wanted->operator, "In") == 0 && wanted->values.count == 1 &&
                    strcmp(wanted->values.items[0], q->node) == 0)
                        return true;
        }
        return false;
}

static const char *ask_slice(const struct node_question *q, enum rbac_vertex vertex) {
        if (q->a->subresource[0])
                return "cannot authorize ResourceSlice subresources";
        if (strcmp(q->a->verb, "create") == 0)
                return NULL;
        if (one_of(q->a->verb, "get update patch delete"))
                return ask_graph(q, vertex);
        if (!one_of(q->a->verb, "list watch deletecollection"))
                return "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, "
                       "patch, delete, deletecollection";
        return selects(q, "spec.nodeName") ?
                       NULL :
                       "can only list/watch/deletecollection resourceslices with nodeName field selector";
}

static const char *ask_node(const struct node_question *q, enum rbac_vertex vertex) {
        if (strcmp(q->a->subresource, "status") == 0 && one_of(q->a->verb, "update patch"))
                return NULL;
        if (q->a->subresource[0])
                return "";
        if (one_of(q->a->verb, "create update patch"))
                return NULL;
        if (!one_of(q->a->verb, "get list watch"))
                return "";
        if (strcmp(q->a->name, q->node) == 0)
                return NULL;
        if (!q->a->name[0])
                return no_memory(
                        arena_printf(q->arena, "node '%s' cannot read all nodes, only its own Node object", q->node));
        return no_memory(
                arena_printf(q->arena, "node '%s' cannot read '%s', only its own Node object", q->node, q->a->name));
}

static const char *ask_pod(const struct node_question *q, enum rbac_vertex vertex) {
        if (strcmp(q->a->subresource, "status") == 0 && one_of(q->a->verb, "update patch"))
                return NULL;
        if (strcmp(q->a->subresource, "eviction") == 0 && strcmp(q->a->verb, "create") == 0)
                return NULL;
        if (q->a->subresource[0])
                return "";
        if (one_of(q->a->verb, "create delete"))
                return NULL;
        if (strcmp(q->a->verb, "get") == 0 || (q->a->name[0] && one_of(q->a->verb, "list watch")))
                return ask_graph(q, vertex);
        if (!one_of(q->a->verb, "list watch"))
                return "";
        if (selects(q, "spec.nodeName"))
                return NULL;
        return "can only list/watch pods with spec.nodeName field selector";
}

static const struct {
        const char *group, *resource;
        const char *(*ask)(const struct node_question *q, enum rbac_vertex vertex);
        enum rbac_vertex vertex;
} questions[] = {
        { "", "secrets", ask_read, RBAC_SECRET },
        { "", "configmaps", ask_read, RBAC_CONFIG_MAP },
        { "", "persistentvolumeclaims", ask_claim, RBAC_CLAIM },
        { "", "persistentvolumes", ask_get, RBAC_VOLUME },
        { "", "serviceaccounts", ask_account, RBAC_ACCOUNT },
        { "", "nodes", ask_node, 0 },
        { "", "pods", ask_pod, RBAC_POD },
        { "storage.k8s.io", "volumeattachments", ask_get, RBAC_ATTACHMENT },
        { "storage.k8s.io", "csinodes", ask_csi_node, 0 },
        { "coordination.k8s.io", "leases", ask_lease, 0 },
        { "resource.k8s.io", "resourceclaims", ask_get, RBAC_RESOURCE_CLAIM },
        { "resource.k8s.io", "resourceslices", ask_slice, RBAC_SLICE },
};

static void authorize(void *data, const struct auth_attributes *a, struct arena *arena, struct auth_verdict *ret) {
        struct node_question q = { .nodes = data, .node = auth_user_node(a->user), .a = a, .arena = arena };

        if (!q.node)
                return;
        for (unsigned i = 0; a->is_resource && i < sizeof(questions) / sizeof(questions[0]); i++) {
                const char *reason;

                if (strcmp(a->resource, questions[i].resource) != 0 || strcmp(a->group, questions[i].group) != 0)
                        continue;
                reason = questions[i].ask(&q, questions[i].vertex);
                ret->decision = reason ? AUTH_NO_OPINION : AUTH_ALLOW;
                ret->reason = reason ?: "";
                return;
        }
        if (rbac_nodes_rules_allow(q.nodes, a))
                ret->decision = AUTH_ALLOW;
}

struct auth_authorizer rbac_nodes_authorizer(struct rbac_nodes *nodes) {
        return (struct auth_authorizer){ .name = "Node", .authorize = authorize, .data = nodes };
}
