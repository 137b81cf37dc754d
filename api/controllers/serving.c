/* Kubelets' serving certificates (signer kubernetes.io/kubelet-serving), which Kubernetes has no approver for: a
 * request is approved when the node that it names has made it, for addresses and names that its Node has recorded.
 *
 * A node writes its own addresses, so that they prove nothing by themselves. Hence no name is approved that somebody
 * else is known by: another Node, the API service (but on its own host, whose Node a control plane's label tells, which
 * no node can give itself), or Services. What is left is that a node may pass for a host that is in no cluster.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "api/controllers/certificates.h"
#include "api/controllers/kinds.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define NODE_PREFIX "system:node:"
#define NODES_GROUP "system:nodes"
#define CONTROL_PLANE "node-role.kubernetes.io/control-plane"

enum { REQUESTS, NODES };

typedef struct kube_certificates_v1_certificate_signing_request request;

static bool records(const struct kube_node *node, const char *name) {
        list_for_each (a, &node->status.addresses)
                if (strcasecmp(a->address ?: "", name) == 0)
                        return true;
        return false;
}

static bool is_of_services(const char *name) {
        static const char *const ends[] = { ".svc", ".cluster.local", "localhost" };
        size_t n = strlen(name);

        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                size_t m = strlen(ends[i]);

                if (n >= m && strcasecmp(name + n - m, ends[i]) == 0)
                        return true;
        }
        return false;
}

/* Another Node has recorded it. -EINVAL, -ENOMEM; 1 or 0. */
static int is_anothers(struct task *task, const char *name) {
        struct controller *c = task_controller(task);

        for (struct informer_walk w = informer_first(controller_informer(c, NODES), NULL); w.object;
             informer_next(&w)) {
                struct kube_node other = { 0 };
                int r;

                if (strcmp(w.object->name, task_data(task)) == 0)
                        continue;
                if ((r = client_object_read(task_arena(task), w.object, &kube_node_type, &other)) < 0)
                        return r;
                if (records(&other, name))
                        return 1;
        }
        return 0;
}

static bool is_the_services(struct task *task, const struct kube_node *node, const char *name) {
        const struct controllers_config *config = controller_config(task_controller(task));

        return config->own_name && config->own_name(config->data, name) &&
               !string_map_get(&node->metadata.labels, CONTROL_PLANE);
}

/* Why the node may not have all of @names; NULL: it may. */
static const char *refusal(struct task *task, const struct kube_node *node, const string_list *names) {
        list_for_each (name, names) {
                const char *why = NULL;

                if (!records(node, *name))
                        why = "its Node has not recorded it";
                else if (is_of_services(*name) || is_the_services(task, node, *name))
                        why = "the API service or Services are known by it";
                else if (is_anothers(task, *name) != 0)
                        why = "another Node has recorded it, too";
                if (why)
                        return arena_printf(task_arena(task), "%s: %s", *name, why) ?: why;
        }
        return NULL;
}

static int decide(struct task *task, request *csr, const struct pki_csr *read) {
        const struct client_object *object =
                informer_find(controller_informer(task_controller(task), NODES), "", task_data(task));
        struct kube_node node = { 0 };
        const char *why;
        int r;

        if (!object) /* which it comes to be when it is registered */
                return 0;
        if ((r = client_object_read(task_arena(task), object, &kube_node_type, &node)) < 0)
                return r;
        why = refusal(task, &node, &read->addresses) ?: refusal(task, &node, &read->dns);
        if (!why)
                return certificates_approve(task, csr,
                                            "Auto approving kubelet serving certificate: its Node has recorded "
                                            "all of its names.");
        log_warning("certificate signing request %s is left to others to approve: %s", csr->metadata.name, why);
        return 0;
}

static int reconcile(struct task *task) {
        request *csr = certificates_take_open(task);
        struct pki_csr_spec spec;
        struct pki_csr read;
        const char *user;

        if (!csr || strcmp(csr->spec.signer_name ?: "", PKI_SIGNER_KUBELET_SERVING) != 0)
                return 0;
        spec = certificates_spec(task, csr);
        user = csr->spec.username ?: "";
        if (pki_csr_read(task_arena(task), csr->spec.request.data, csr->spec.request.length, &read, NULL) < 0 ||
            pki_csr_check(&read, &spec, NULL) < 0 || strcmp(read.common_name, user) != 0 ||
            !kube_has(&csr->spec.groups, NODES_GROUP))
                return 0;
        task_set_data(task, (void *)(uintptr_t)(user + strlen(NODE_PREFIX)));
        return decide(task, csr, &read);
}

static bool same_addresses(const struct client_object *object, const struct client_object *old) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct kube_node now = { 0 }, before = { 0 };

        if (!arena || !old || client_object_read(arena, object, &kube_node_type, &now) < 0 ||
            client_object_read(arena, old, &kube_node_type, &before) < 0 ||
            now.status.addresses.count != before.status.addresses.count)
                return false;
        list_for_each (a, &now.status.addresses)
                if (!records(&before, a->address ?: ""))
                        return false;
        return string_map_get(&now.metadata.labels, CONTROL_PLANE) == NULL ||
               string_map_get(&before.metadata.labels, CONTROL_PLANE) != NULL;
}

/* What waits may be right now. */
static void on_node(struct controller *controller, const struct client_object *object,
                    const struct client_object *old) {
        struct informer_walk w = informer_first(controller_informer(controller, REQUESTS), NULL);

        if (!w.object || same_addresses(object, old))
                return;
        for (; w.object; informer_next(&w))
                controller_add_object(controller, w.object, NULL);
}

const struct controller_kind controller_csr_serving = {
        .name = "kubelet-serving-approving-controller",
        .alias = "kubeletservingapproving",
        .watches = { { .group = "certificates.k8s.io",
                       .resource = "certificatesigningrequests",
                       .keys = controller_add_object },
                     { .group = "", .resource = "nodes", .keys = on_node } },
        .reconcile = reconcile,
};
