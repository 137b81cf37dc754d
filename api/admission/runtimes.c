/* RuntimeClass: what a class costs beside its pod's containers, and which nodes have it. */
#include <errno.h>
#include <string.h>

#include "api/admission/builtin.h"
#include "api/admission/toleration.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/core_v1.h"
#include "kube/node_v1.h"
#include "lib/arena.h"
#include "lib/go_text.h"
#include "lib/value.h"

typedef struct kube_node_v1_runtime_class runtime_class;

/* *@ret_class NULL: the pod names none. */
static enum api_step find_class(struct admission *a, const struct kube_pod *pod, const runtime_class **ret_class) {
        const char *name = pod->spec.runtime_class_name;
        const void *found = NULL;
        int error = name ? admission_get(a, "node.k8s.io", "runtimeclasses", "", name, &found) : 0;

        if (error == -ENOENT)
                return admission_forbid(a, "pod rejected: RuntimeClass %s not found",
                                        go_text_quote(a->arena, name) ?: name);
        if (error < 0)
                return api_fail(a->r, error, NULL);
        *ret_class = found;
        return API_NEXT;
}

static bool is_same(const resource_list *x, const resource_list *y) {
        if (x->count != y->count)
                return false;
        list_for_each (amount, x) {
                const struct quantity *other = resource_get(y, amount->name);

                if (!other || quantity_compare(*other, amount->amount) != 0)
                        return false;
        }
        return true;
}

static enum api_step refuse_overhead(struct admission *a) {
        return admission_forbid(a, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
}

static enum api_step give_scheduling(struct admission *a, struct kube_pod_spec *spec,
                                     const struct kube_node_v1_scheduling *scheduling) {
        string_map selector = { 0 };
        int error = 0;

        list_for_each (pair, &spec->node_selector)
                error = error ?: admission_put(a->arena, &selector, pair->key, pair->value);
        list_for_each (pair, &scheduling->node_selector) {
                const char *own = string_map_get(&spec->node_selector, pair->key);

                if (own && strcmp(own, pair->value) != 0)
                        return admission_forbid(a,
                                                "conflict: runtimeClass.scheduling.nodeSelector[%s] = %s; "
                                                "pod.spec.nodeSelector[%s] = %s",
                                                pair->key, pair->value, pair->key, own);
                error = error ?: admission_put(a->arena, &selector, pair->key, pair->value);
        }
        error = error ?: toleration_merge(a->arena, &spec->tolerations, &scheduling->tolerations, &spec->tolerations);
        if (error == -E2BIG)
                return admission_forbid(a, "pod rejected: more than %d tolerations of the pod and its RuntimeClass",
                                        TOLERATION_MAX);
        spec->node_selector = selector;
        return error < 0 ? api_fail(a->r, error, NULL) : API_NEXT;
}

enum api_step admission_give_runtime(struct admission *a) {
        struct kube_pod *pod = admission_object(a);
        const runtime_class *class = NULL;
        enum api_step step = pod ? find_class(a, pod, &class) : API_END;

        if (step != API_NEXT || !class)
                return step;
        if (class->overhead) {
                if (pod->spec.overhead.count > 0 && !is_same(&class->overhead->pod_fixed, &pod->spec.overhead))
                        return refuse_overhead(a);
                pod->spec.overhead = class->overhead->pod_fixed;
                a->changed = true;
        }
        if (!class->scheduling)
                return API_NEXT;
        a->changed = true;
        return give_scheduling(a, &pod->spec, class->scheduling);
}

enum api_step admission_check_runtime(struct admission *a) {
        const struct value *spec = value_get(a->r->next, "spec");
        const runtime_class *class = NULL;
        struct kube_pod *pod;
        enum api_step step;

        if (value_is_null(value_get(spec, "runtimeClassName")) && value_is_null(value_get(spec, "overhead")))
                return API_NEXT;
        pod = admission_object(a);
        step = pod ? find_class(a, pod, &class) : API_END;
        if (step != API_NEXT)
                return step;
        if (class && class->overhead)
                return is_same(&class->overhead->pod_fixed, &pod->spec.overhead) ? API_NEXT : refuse_overhead(a);
        if (pod->spec.overhead.items)
                return admission_forbid(
                        a, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
        return API_NEXT;
}
