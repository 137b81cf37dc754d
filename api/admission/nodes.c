/* What nodes write, what a new node is, and what a pod has of its node. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/admission/admission.h"
#include "api/admission/builtin.h"
#include "api/server/attributes.h"
#include "api/pki/csr.h"
#include "api/rbac/nodes.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/certificates_v1.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "kube/pod/pod.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_text.h"
#include "lib/value.h"

/* --- NodeRestriction: a node writes what is its own --- */

enum api_step api_admit_node(struct api_request *r, const struct value *object, const struct value *old) {
        struct auth_attributes attributes = api_attributes(r);
        const char *text = "", *name = r->name ?: r->path.name ?: "";
        int error;

        if (!auth_user_node(&r->user))
                return API_NEXT;
        if (r->creates)
                attributes.verb = "create"; /* also by an applied configuration or an update */
        error = rbac_node_restriction(&attributes, object, old, r->arena, &text);
        if (error == -EACCES)
                return api_refuse_object(r, API_FORBIDDEN, name, "%s%s%s \"%s\" is forbidden: %s", r->kind->resource,
                                         *r->kind->group ? "." : "", r->kind->group, name, text);
        return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
}

/* A mirror pod's owner is the Node as it is now. */
static enum api_step check_mirror(struct admission *a) {
        const char *name = auth_user_node(&a->r->user), *uid;
        const struct value *owner = value_at(value_find(a->r->next, "metadata.ownerReferences"), 0);
        const struct kube_node *node;
        const void *found;
        int error = admission_get(a, "", "nodes", "", name, &found);

        if (error == -ENOENT)
                return admission_forbid(a, "node \"%s\" not found", name);
        if (error < 0)
                return api_fail(a->r, error, NULL);
        node = found;
        uid = value_string_or(value_get(owner, "uid"), "");
        return kube_is(node->metadata.uid, uid) ? API_NEXT :
                                                  admission_forbid(a, "node %s UID mismatch: expected %s got %s", name,
                                                                   uid, node->metadata.uid ?: "");
}

/* It asks for certificates of its own name. */
static enum api_step check_certificate(struct admission *a) {
        const struct kube_certificates_v1_certificate_signing_request *csr = admission_object(a);
        const char *node = auth_user_node(&a->r->user), *name;
        _cleanup_err_ struct err *err = NULL;
        struct pki_csr read;
        int error;

        if (!csr)
                return API_END;
        if (!kube_is(csr->spec.signer_name, PKI_SIGNER_KUBELET_SERVING) &&
            !kube_is(csr->spec.signer_name, PKI_SIGNER_KUBELET_CLIENT))
                return API_NEXT;
        error = pki_csr_read(a->arena, csr->spec.request.data, csr->spec.request.length, &read, &err);
        if (error == -ENOMEM)
                return api_fail(a->r, error, NULL);
        if (error < 0)
                return admission_forbid(a, "unable to parse csr: %s", err_text(err));
        name = arena_printf(a->arena, "system:node:%s", node);
        if (!name)
                return api_fail(a->r, -ENOMEM, NULL);
        return strcmp(read.common_name, name) == 0 ? API_NEXT :
                                                     admission_forbid(a, "can only create a node CSR with CN=%s", name);
}

static bool is_of(const struct api_request *r, const char *group, const char *resource) {
        return !r->sub && strcmp(r->kind->group, group) == 0 && strcmp(r->kind->resource, resource) == 0;
}

enum api_step admission_node(struct admission *a) {
        struct api_request *r = a->r;
        enum api_step step;

        if (a->operation == ADMISSION_DELETE)
                return api_admit_node(r, NULL, r->current_tree);
        step = api_admit_node(r, r->next, r->creates ? NULL : r->current_tree);
        if (step != API_NEXT || !r->creates || !auth_user_node(&r->user))
                return step;
        if (is_of(r, "", "pods"))
                return check_mirror(a);
        return is_of(r, "certificates.k8s.io", "certificatesigningrequests") ? check_certificate(a) : API_NEXT;
}

/* --- TaintNodesByCondition: nothing runs on a node before it is ready --- */

enum api_step admission_taint_node(struct admission *a) {
        static const char not_ready[] = "node.kubernetes.io/not-ready";
        struct kube_node *node = admission_object(a);
        struct kube_taint *last;

        if (!node)
                return API_END;
        list_for_each (taint, &node->spec.taints)
                if (kube_is(taint->key, not_ready) && kube_is(taint->effect, "NoSchedule"))
                        return API_NEXT;
        last = admission_grow(a->arena, &node->spec.taints, sizeof(*last));
        if (!last)
                return api_fail(a->r, -ENOMEM, NULL);
        *last = (struct kube_taint){ .key = not_ready, .effect = "NoSchedule" };
        a->changed = true;
        return API_NEXT;
}

/* --- PodTopologyLabels: where a pod runs, as its node has it --- */

const struct admission_topology_key admission_topology_keys[ADMISSION_TOPOLOGY_KEYS] = {
        { "topology.kubernetes.io/zone", "/metadata/labels/topology.kubernetes.io~1zone" },
        { "topology.kubernetes.io/region", "/metadata/labels/topology.kubernetes.io~1region" },
};

enum api_step admission_topology(struct admission *a) {
        struct kube_pod *pod = admission_object(a);
        const void *found;
        int error;

        if (!pod)
                return API_END;
        if (!pod->spec.node_name || !*pod->spec.node_name)
                return API_NEXT;
        error = admission_get(a, "", "nodes", "", pod->spec.node_name, &found);
        for (size_t i = 0; error == 0 && i < ELEMENTS(admission_topology_keys); i++) {
                const struct kube_node *node = found;
                const char *key = admission_topology_keys[i].label,
                           *value = string_map_get(&node->metadata.labels, key);

                error = value ? admission_put(a->arena, &pod->metadata.labels, key, value) : 0;
                a->changed |= value != NULL;
        }
        return error < 0 && error != -ENOENT ? api_fail(a->r, error, NULL) : API_NEXT;
}

/* --- PodResizeValidator: a pod does not outgrow its node --- */

static enum api_step refuse_resize(struct admission *a, const char *reason, const char *text) {
        const char *name = admission_named(a),
                   *message = text ? arena_printf(a->arena, "pods \"%s\" is forbidden: %s", name, text) : NULL;

        return message ? api_forbid_cause(a->r, name, message, &(struct api_cause){ reason, NULL, NULL }) :
                         api_fail(a->r, -ENOMEM, NULL);
}

static struct quantity allocatable(const struct kube_node *node, const char *name) {
        const struct quantity *amount = resource_get(&node->status.allocatable, name);

        return amount ? *amount : (struct quantity){ 0 };
}

/* What does not fit; "": all does. NULL without memory. */
static const char *find_excess(const struct admission *a, const struct pod *pod, const struct kube_node *node) {
        struct quantity cpu = pod_request(pod, "cpu"), memory = pod_request(pod, "memory"),
                        cpus = allocatable(node, "cpu"), memories = allocatable(node, "memory");
        const char *text = "";

        if (quantity_compare(cpu, cpus) > 0)
                text = arena_printf(a->arena, "cpu, requested: %lld, allocatable: %lld", (long long)quantity_milli(cpu),
                                    (long long)quantity_milli(cpus));
        if (text && quantity_compare(memory, memories) > 0)
                text = arena_printf(a->arena, "%s%smemory, requested: %lld, allocatable: %lld", text, *text ? "; " : "",
                                    (long long)quantity_units(memory), (long long)quantity_units(memories));
        return text;
}

static enum api_step check_node(struct admission *a, const struct kube_pod *pod, const struct kube_node *node) {
        const char *os = string_map_get(&node->metadata.labels, "kubernetes.io/os"), *text;
        const struct pod whole = { .metadata = pod->metadata, .spec = pod->spec };

        if (os && strcmp(os, "linux") != 0)
                return refuse_resize(a, "UnsupportedPlatform",
                                     arena_printf(a->arena,
                                                  "pod resize is only supported on linux nodes, node \"%s\" is %s",
                                                  node->metadata.name, go_text_quote(a->arena, os) ?: os));
        text = find_excess(a, &whole, node);
        if (text && !*text)
                return API_NEXT;
        return refuse_resize(a, "NodeCapacity",
                             text ? arena_printf(a->arena, "node didn't have enough allocatable resources: %s", text) :
                                    NULL);
}

enum api_step admission_resize_pod(struct admission *a) {
        const struct kube_pod *pod = admission_object(a), *old = pod ? admission_old(a) : NULL;
        const void *node;
        int error;

        if (!pod || !old)
                return API_END;
        if (!pod->spec.node_name || !*pod->spec.node_name || pod->metadata.generation == old->metadata.generation)
                return API_NEXT;
        error = admission_get(a, "", "nodes", "", pod->spec.node_name, &node);
        if (error == -ENOENT)
                return admission_forbid(a, "node \"%s\" not found", pod->spec.node_name);
        return error < 0 ? api_fail(a->r, error, NULL) : check_node(a, pod, node);
}
