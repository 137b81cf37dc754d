#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "api/auth/text.h"
#include "api/auth/user.h"
#include "api/rbac/graph.h"
#include "lib/arena.h"
#include "lib/go_text.h"
#include "lib/texts.h"
#include "lib/value.h"
#include "lib/value_keys.h"

#define MIRROR "kubernetes.io/config.mirror"

/* A write of a node's. Each check gives NULL where it may be, else the words of the refusal; "" without memory. */
struct node_write {
        const struct auth_attributes *a;
        const struct value *object, *old;
        const char *node, *quoted; /* quoted: as it stands in the words */
        struct arena *arena;
};

#define SAY(w, ...) (arena_printf((w)->arena, __VA_ARGS__) ?: "")

static const char *at(const struct value *value, const char *path) {
        return value_string_or(value_find(value, path), "");
}

static bool is_verb(const struct node_write *w, const char *verb) {
        return strcmp(w->a->verb, verb) == 0;
}

static bool is_own(const struct node_write *w, const struct value *pod) {
        return strcmp(at(pod, "spec.nodeName"), w->node) == 0;
}

static const char *check_owner(const struct node_write *w) {
        const struct value *owners = value_find(w->object, "metadata.ownerReferences"), *owner = value_at(owners, 0);

        if (value_count(owners) == 0)
                return SAY(w, "node %s can only create pods with an owner reference set to itself", w->quoted);
        if (value_count(owners) > 1)
                return SAY(w, "node %s can only create pods with a single owner reference set to itself", w->quoted);
        if (strcmp(at(owner, "apiVersion"), "v1") != 0 || strcmp(at(owner, "kind"), "Node") != 0 ||
            strcmp(at(owner, "name"), w->node) != 0)
                return SAY(w, "node %s can only create pods with an owner reference set to itself", w->quoted);
        if (!value_bool_or(value_get(owner, "controller"), false))
                return SAY(w, "node %s can only create pods with a controller owner reference set to itself",
                           w->quoted);
        if (value_bool_or(value_get(owner, "blockOwnerDeletion"), false))
                return SAY(w, "node %s must not set blockOwnerDeletion on an owner reference", w->quoted);
        return NULL;
}

/* The first kind of object that a pod names. */
static int keep_vertex(void *data, enum rbac_vertex vertex, const char *name) {
        *(enum rbac_vertex *)data = vertex;
        return 1;
}

static const char *check_references(const struct node_write *w) {
        static const struct {
                enum rbac_vertex vertex;
                const char *what;
        } kinds[] = {
                { RBAC_ACCOUNT, "a service account" },     { RBAC_SECRET, "secrets" },
                { RBAC_CONFIG_MAP, "configmaps" },         { RBAC_CLAIM, "persistentvolumeclaims" },
                { RBAC_RESOURCE_CLAIM, "resourceclaims" },
        };
        enum rbac_vertex vertex = 0;

        rbac_pod_references(w->object, keep_vertex, &vertex);
        for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                if (kinds[i].vertex == vertex)
                        return SAY(w, "node %s can not create pods that reference %s", w->quoted, kinds[i].what);
        }
        return NULL;
}

static const char *check_mirror(const struct node_write *w) {
        const char *why;

        if (!value_get(value_find(w->object, "metadata.annotations"), MIRROR))
                return SAY(w, "pod does not have \"" MIRROR "\" annotation, node %s can only create mirror pods",
                           w->quoted);
        if (!is_own(w, w->object))
                return SAY(w, "node %s can only create pods with spec.nodeName set to itself", w->quoted);
        why = check_owner(w);
        return why ?: check_references(w);
}

static const char *check_pod(const struct node_write *w) {
        if (is_verb(w, "create"))
                return check_mirror(w);
        if (!is_verb(w, "delete"))
                return SAY(w, "unexpected operation %s, node %s can only create and delete mirror pods",
                           is_verb(w, "update") || is_verb(w, "patch") ? "\"UPDATE\"" : "\"CONNECT\"", w->quoted);
        return is_own(w, w->old) ? NULL :
                                   SAY(w, "node %s can only delete pods with spec.nodeName set to itself", w->quoted);
}

/* Nothing is as nothing, whichever way that is said. */
static bool is_kept(const struct node_write *w, const char *field) {
        const struct value *now = value_find(w->object, field), *before = value_find(w->old, field);

        return (value_count(now) == 0 && value_count(before) == 0) || value_equal(now, before);
}

/* The claims that a pod's status names are the node's to read. The words are kube-apiserver's. */
static const char *check_claims(const struct node_write *w) {
        if (!is_kept(w, "status.resourceClaimStatuses"))
                return SAY(w, "node %s cannot update resource claim statues", w->quoted);
        return is_kept(w, "status.extendedResourceClaimStatus") ?
                       NULL :
                       SAY(w, "node %s cannot update extended resource claim status", w->quoted);
}

static const char *check_pod_status(const struct node_write *w) {
        if (!is_own(w, w->old))
                return SAY(w, "node %s can only update pod status for pods with spec.nodeName set to itself",
                           w->quoted);
        if (!value_equal(value_find(w->object, "metadata.labels"), value_find(w->old, "metadata.labels")))
                return SAY(w, "node %s cannot update labels through pod status", w->quoted);
        return check_claims(w);
}

static const char *check_eviction(const struct node_write *w) {
        return is_own(w, w->old) ? NULL :
                                   SAY(w, "node %s can only evict pods with spec.nodeName set to itself", w->node);
}

static bool is_under(const char *namespace, size_t n, const char *domain) {
        size_t size = strlen(domain);

        return n >= size && strncmp(namespace + n - size, domain, size) == 0 &&
               (n == size || namespace[n - size - 1] == '.');
}

/* Labels that kubelets may set although they are Kubernetes' own. */
static bool is_kubelets(const char *label, size_t n) {
        static const char *const labels[] = {
                "kubernetes.io/hostname",
                "topology.kubernetes.io/zone",
                "topology.kubernetes.io/region",
                "failure-domain.beta.kubernetes.io/zone",
                "failure-domain.beta.kubernetes.io/region",
                "beta.kubernetes.io/instance-type",
                "node.kubernetes.io/instance-type",
                "beta.kubernetes.io/os",
                "beta.kubernetes.io/arch",
                "kubernetes.io/os",
                "kubernetes.io/arch",
        };

        for (unsigned i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
                if (strcmp(label, labels[i]) == 0)
                        return true;
        }
        return is_under(label, n, "kubelet.kubernetes.io") || is_under(label, n, "node.kubernetes.io");
}

static bool is_forbidden_label(const char *label) {
        const char *slash = strchr(label, '/');
        size_t n = slash ? (size_t)(slash - label) : 0;

        if (is_under(label, n, "node-restriction.kubernetes.io"))
                return true;
        return (is_under(label, n, "kubernetes.io") || is_under(label, n, "k8s.io")) && !is_kubelets(label, n);
}

/* Labels of @a that @b has not, or, where it counts, not so, and that no node may touch, are put into @list, which has
 * room. A node may send as many as a body has room for. */
static void add_changed(const struct value *a, const struct value *b, bool others_count, string_list *list) {
        _cleanup_value_keys_ struct value_keys keys = { 0 };

        if (value_is(b, VALUE_MAP))
                value_keys_init(&keys, b);
        for (uint32_t i = 0; value_is(a, VALUE_MAP) && i < a->count; i++) {
                const struct value_member *label = &a->members[i];
                uint32_t at = keys.map ? value_keys_find(&keys, label->key) : VALUE_NONE;
                bool same = at != VALUE_NONE && (!others_count || value_equal(&b->members[at].value, &label->value));

                if (!same && is_forbidden_label(label->key))
                        list->items[list->count++] = label->key;
        }
}

static const char *check_labels(const struct node_write *w, bool creates) {
        const struct value *labels = value_find(w->object, "metadata.labels"),
                           *before = value_find(w->old, "metadata.labels");
        string_list changed = { .items = arena_alloc_array(w->arena,
                                                           (size_t)value_count(labels) + value_count(before) + 1,
                                                           sizeof(*changed.items)) };
        char *names;

        if (!changed.items)
                return "";
        add_changed(labels, before, true, &changed);
        add_changed(before, labels, false, &changed);
        if (changed.count == 0)
                return NULL;
        qsort(changed.items, changed.count, sizeof(*changed.items), texts_order);
        names = auth_join(w->arena, &changed, ", ");
        if (!names)
                return "";
        return creates ? SAY(w, "node %s is not allowed to set the following labels: %s", w->quoted, names) :
                         SAY(w, "is not allowed to modify labels: %s", names);
}

/* What a node's configuration is taken from would be for it to read. */
static const char *check_source(const struct node_write *w, bool creates) {
        const struct value *source = value_find(w->object, "spec.configSource");

        if (value_is_null(source))
                return NULL;
        if (creates)
                return SAY(w, "node %s is not allowed to create pods with a non-nil configSource", w->quoted);
        return value_equal(source, value_find(w->old, "spec.configSource")) ?
                       NULL :
                       SAY(w, "node %s is not allowed to update configSource to a new non-nil configSource", w->quoted);
}

static const char *check_node(const struct node_write *w) {
        const char *name = w->a->name[0] ? w->a->name : at(w->object, "metadata.name"), *quoted, *why;

        if (strcmp(name, w->node) != 0) {
                quoted = go_text_quote(w->arena, name);
                return quoted ? SAY(w, "node %s is not allowed to modify node %s", w->quoted, quoted) : "";
        }
        if (is_verb(w, "create"))
                return (why = check_source(w, true)) ? why : check_labels(w, true);
        if (!w->object || !w->old)
                return NULL;
        if ((why = check_source(w, false)))
                return why;
        if (!value_equal(value_find(w->object, "spec.taints"), value_find(w->old, "spec.taints")))
                return SAY(w, "node %s is not allowed to modify taints", w->quoted);
        if (!value_equal(value_find(w->object, "metadata.ownerReferences"),
                         value_find(w->old, "metadata.ownerReferences")))
                return SAY(w, "node %s is not allowed to modify ownerReferences", w->quoted);
        return check_labels(w, false);
}

static const char *check_claim(const struct node_write *w) {
        static const char *const kept[] = { "spec", "metadata.labels", "metadata.annotations",
                                            "metadata.ownerReferences" };

        if (is_verb(w, "create") || is_verb(w, "delete"))
                return "may only update PVC status";
        for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
                if (!value_equal(value_find(w->object, kept[i]), value_find(w->old, kept[i])))
                        return SAY(w, "node %s is not allowed to update fields other than status", w->quoted);
        }
        return NULL;
}

static const char *refuse_claim(const struct node_write *w) {
        return "may only update PVC status";
}

/* A token is for a pod; @old is that pod. */
static const char *check_token(const struct node_write *w) {
        if (strcmp(at(w->object, "spec.boundObjectRef.kind"), "Pod") != 0 ||
            strcmp(at(w->object, "spec.boundObjectRef.apiVersion"), "v1") != 0)
                return "node requested token not bound to a pod";
        if (!at(w->object, "spec.boundObjectRef.uid")[0])
                return "node requested token with a pod binding without a uid";
        if (strcmp(at(w->object, "spec.boundObjectRef.uid"), at(w->old, "metadata.uid")) != 0)
                return SAY(w,
                           "the UID in the bound object reference (%s) does not match the UID in record. The object "
                           "might have been deleted and then recreated",
                           at(w->object, "spec.boundObjectRef.uid"));
        return is_own(w, w->old) ? NULL : "node requested token bound to a pod scheduled on a different node";
}

static const char *check_lease(const struct node_write *w) {
        const char *name = w->a->name[0] ? w->a->name : at(w->object, "metadata.name");

        if (strcmp(w->a->namespace, "kube-node-lease") != 0)
                return "can only access leases in the \"kube-node-lease\" system namespace";
        return strcmp(name, w->node) == 0 ? NULL :
                                            "can only access node lease with the same name as the requesting node";
}

static const char *check_csi_node(const struct node_write *w) {
        const char *name = w->a->name[0] ? w->a->name : at(w->object, "metadata.name");

        return strcmp(name, w->node) == 0 ? NULL : "can only access CSINode with the same name as the requesting node";
}

static const char *check_slice(const struct node_write *w) {
        const struct value *slice = is_verb(w, "create") ? w->object : w->old;

        if (strcmp(at(slice, "spec.nodeName"), w->node) == 0)
                return NULL;
        return is_verb(w, "create") ? "can only create ResourceSlice with the same NodeName as the requesting node" :
               is_verb(w, "delete") ? "can only delete ResourceSlice with the same NodeName as the requesting node" :
                                      "can only update ResourceSlice with the same NodeName as the requesting node";
}

static const struct {
        const char *group, *resource, *subresource;
        const char *(*check)(const struct node_write *w);
} checks[] = {
        { "", "pods", "", check_pod },
        { "", "pods", "status", check_pod_status },
        { "", "pods", "eviction", check_eviction },
        { "", "nodes", "", check_node },
        { "", "nodes", "status", check_node },
        { "", "persistentvolumeclaims", "status", check_claim },
        { "", "persistentvolumeclaims", "", refuse_claim },
        { "", "serviceaccounts", "token", check_token },
        { "coordination.k8s.io", "leases", "", check_lease },
        { "storage.k8s.io", "csinodes", "", check_csi_node },
        { "resource.k8s.io", "resourceslices", "", check_slice },
};

static const char *check(const struct node_write *w) {
        const char *sub;

        for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
                if (strcmp(w->a->resource, checks[i].resource) == 0 && strcmp(w->a->group, checks[i].group) == 0 &&
                    strcmp(w->a->subresource, checks[i].subresource) == 0)
                        return checks[i].check(w);
        }
        if (strcmp(w->a->resource, "pods") != 0 || w->a->group[0])
                return NULL;
        sub = go_text_quote(w->arena, w->a->subresource);
        return sub ? SAY(w, "unexpected pod subresource %s, only 'status' and 'eviction' are allowed", sub) : "";
}

int rbac_node_restriction(const struct auth_attributes *attributes, const struct value *object, const struct value *old,
                          struct arena *arena, const char **ret_message) {
        struct node_write w = {
                .a = attributes, .object = object, .old = old, .node = auth_user_node(attributes->user), .arena = arena
        };
        const char *why;

        if (!w.node)
                return 0;
        w.quoted = go_text_quote(arena, w.node);
        if (!w.quoted)
                return -ENOMEM;
        why = check(&w);
        if (!why)
                return 0;
        *ret_message = why;
        return why[0] ? -EACCES : -ENOMEM;
}
