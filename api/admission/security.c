/* PodSecurity: what the labels of its namespace let a pod be. Pods are refused, or warned of; what makes pods is warned
 * of; a namespace whose labels change hears which of its pods would not pass any more. */
#include <errno.h>
#include <string.h>

#include "api/admission/builtin.h"
#include "api/admission/pod_security.h"
#include "api/admission/pod_security_namespace.h"
#include "api/cache/collection.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/codec/codec.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"

static const char *label_of_object(const void *data, const char *key) {
        return object_label(data, key);
}

static const char *label_of_tree(const void *data, const char *key) {
        return value_string(value_get(value_find(data, "metadata.labels"), key));
}

/* --- pods and what makes them --- */

/* Whether the image of a container is another, or a container is new. */
static bool has_other_images(const kube_container_items *now, const kube_container_items *before) {
        if (now->count != before->count)
                return true;
        for (uint32_t i = 0; i < now->count; i++)
                if (strcmp(now->items[i].image ?: "", before->items[i].image ?: "") != 0)
                        return true;
        return false;
}

static bool has_other_ephemeral(const struct kube_pod *now, const struct kube_pod *before) {
        list_for_each (c, &now->spec.ephemeral_containers) {
                bool same = false;

                list_for_each (old, &before->spec.ephemeral_containers)
                        same |= kube_is(old->container.name, c->container.name ?: "") &&
                                strcmp(old->container.image ?: "", c->container.image ?: "") == 0;
                if (!same)
                        return true;
        }
        return false;
}

/* Most of a pod cannot change. */
static bool is_significant(const struct kube_pod *now, const struct kube_pod *before) {
        return has_other_images(&now->spec.containers, &before->spec.containers) ||
               has_other_images(&now->spec.init_containers, &before->spec.init_containers) ||
               has_other_ephemeral(now, before);
}

struct question {
        struct admission *a;
        struct pod_security_policy policy;
        const struct problems *problems; /* of the labels that say it */
        const struct kube_object_meta *meta;
        const struct kube_pod_spec *spec;
};

static enum api_step refuse(const struct question *q, const char *details) {
        struct admission *a = q->a;
        const char *bar = pod_security_name(a->arena, &q->policy.enforce);

        if (!bar)
                return api_fail(a->r, -ENOMEM, NULL);
        return admission_forbid(a, "violates PodSecurity \"%s\": %s", bar, details);
}

static enum api_step warn(const struct question *q) {
        struct pod_security_verdict verdict;
        const char *bar, *text;

        if (pod_security_evaluate(q->a->arena, &q->policy.warn, q->meta, q->spec, &verdict) < 0)
                return api_fail(q->a->r, -ENOMEM, NULL);
        if (!verdict.reasons)
                return API_NEXT;
        bar = pod_security_name(q->a->arena, &q->policy.warn);
        text = bar ? arena_printf(q->a->arena, "would violate PodSecurity \"%s\": %s", bar, verdict.details) : NULL;
        if (!text)
                return api_fail(q->a->r, -ENOMEM, NULL);
        api_warn(q->a->r, text);
        return API_NEXT;
}

/* Labels that are no levels, as one text; NULL without memory. */
static const char *say_problems(struct arena *arena, const struct problems *problems) {
        const char *text = problems->count > 1 ? "[" : "";

        for (uint32_t i = 0; text && i < problems->count; i++)
                text = arena_printf(arena, "%s%s%s", text, i > 0 ? ", " : "", problems->items[i].text);
        return text && problems->count > 1 ? arena_printf(arena, "%s]", text) : text;
}

/* What the audit is told: nothing is refused, and the client hears nothing of it. */
static int note(const struct question *q) {
        struct arena *arena = q->a->arena;
        struct pod_security_verdict verdict;
        const char *bar = pod_security_name(arena, &q->policy.audit), *text;

        if (q->problems->count > 0) {
                text = say_problems(arena, q->problems);
                text = text ? arena_printf(arena, "Failed to parse policy: %s", text) : NULL;
                if (!text)
                        return -ENOMEM;
                api_annotate(q->a->r, POD_SECURITY_LABELS "error", text);
        }
        if (!bar || pod_security_evaluate(arena, &q->policy.audit, q->meta, q->spec, &verdict) < 0)
                return -ENOMEM;
        if (!verdict.reasons)
                return 0;
        text = arena_printf(arena, "would violate PodSecurity \"%s\": %s", bar, verdict.details);
        api_annotate(q->a->r, POD_SECURITY_LABELS "audit-violations", text);
        return text ? 0 : -ENOMEM;
}

static int note_enforced(const struct question *q, const struct pod_security_bar *bar) {
        const char *name = pod_security_name(q->a->arena, bar);

        api_annotate(q->a->r, POD_SECURITY_LABELS "enforce-policy", name);
        return name ? 0 : -ENOMEM;
}

static enum api_step enforce(const struct question *q) {
        struct pod_security_verdict verdict;

        if (pod_security_evaluate(q->a->arena, &q->policy.enforce, q->meta, q->spec, &verdict) < 0 ||
            note_enforced(q, &q->policy.enforce) < 0 || note(q) < 0)
                return api_fail(q->a->r, -ENOMEM, NULL);
        return verdict.reasons ? refuse(q, verdict.details) : warn(q);
}

static enum api_step check_pod(struct question *q) {
        const struct kube_pod *pod = admission_object(q->a), *old = NULL;

        if (!pod || (q->a->operation == ADMISSION_UPDATE && !(old = admission_old(q->a))))
                return API_END;
        if (old && !is_significant(pod, old))
                return API_NEXT;
        q->meta = &pod->metadata;
        q->spec = &pod->spec;
        return enforce(q);
}

static const struct value *template_of(const struct admission *a) {
        static const struct {
                const char *resource, *path;
        } others[] = { { "podtemplates", "template" }, { "cronjobs", "spec.jobTemplate.spec.template" } };

        for (size_t i = 0; i < ELEMENTS(others); i++)
                if (strcmp(others[i].resource, a->r->kind->resource) == 0)
                        return value_find(a->r->next, others[i].path);
        return value_find(a->r->next, "spec.template");
}

static enum api_step check_template(struct question *q) {
        const struct value *tree = template_of(q->a);
        struct kube_pod_template_spec *template = arena_new_of(q->a->arena, struct kube_pod_template_spec);
        struct problems problems;

        if (value_is_null(tree))
                return API_NEXT;
        problems_init(&problems, q->a->arena, NULL, NULL);
        if (!template || kube_value_read(q->a->arena, &kube_pod_template_spec_type, tree, "", &problems, template) < 0)
                return api_fail(q->a->r, -ENOMEM, NULL);
        q->meta = &template->metadata;
        q->spec = &template->spec;
        return note(q) < 0 ? api_fail(q->a->r, -ENOMEM, NULL) : warn(q);
}

/* Nothing is asked of a pod, or of what makes pods, which may be enforced nothing. */
static bool is_privileged(const struct pod_security_policy *policy, bool pod) {
        return (!pod || policy->enforce.level == POD_SECURITY_PRIVILEGED) &&
               policy->audit.level == POD_SECURITY_PRIVILEGED && policy->warn.level == POD_SECURITY_PRIVILEGED;
}

static enum api_step let_pass(const struct question *q, bool pod) {
        static const struct pod_security_bar privileged = { POD_SECURITY_PRIVILEGED, POD_SECURITY_LATEST };

        return pod && note_enforced(q, &privileged) < 0 ? api_fail(q->a->r, -ENOMEM, NULL) : API_NEXT;
}

static enum api_step check_workload(struct admission *a) {
        struct api_resource *namespaces = api_state_find(a->r->server->config.state, "", "namespaces");
        _cleanup_object_ struct object *namespace = collection_get(namespaces->collection, "", a->namespace);
        struct question q = { .a = a };
        struct problems problems;
        bool pod = strcmp(a->r->kind->resource, "pods") == 0;

        if (!namespace)
                return pod ? api_refuse(a->r, API_INTERNAL,
                                        "Internal error occurred: failed to lookup namespace \"%s\"", a->namespace) :
                             API_NEXT;
        problems_init(&problems, a->arena, NULL, NULL);
        pod_security_read(label_of_object, namespace, &problems, &q.policy);
        q.problems = &problems;
        if (!a->r->server->config.audit) {
                q.policy.audit.level = POD_SECURITY_PRIVILEGED; /* nobody hears of it */
                problems.count = 0;
        }
        if (problems.count == 0 && is_privileged(&q.policy, pod))
                return let_pass(&q, pod);
        return pod ? check_pod(&q) : check_template(&q);
}

/* --- namespaces --- */

static bool is_same(const struct problems *a, const struct problems *b) {
        if (a->count != b->count)
                return false;
        for (uint32_t i = 0; i < a->count; i++)
                if (strcmp(a->items[i].text, b->items[i].text) != 0)
                        return false;
        return true;
}

static enum api_step check_namespace(struct admission *a) {
        struct pod_security_policy policy, old_policy;
        struct problems problems, old_problems;
        int error;

        problems_init(&problems, a->arena, NULL, NULL);
        problems_init(&old_problems, a->arena, NULL, NULL);
        pod_security_read(label_of_tree, a->r->next, &problems, &policy);
        if (a->operation == ADMISSION_CREATE)
                return problems.errors > 0 ? api_invalid(a->r, a->name, &problems) : API_NEXT;
        pod_security_read(label_of_tree, a->r->current_tree, &old_problems, &old_policy);
        if (problems.errors > 0 && !is_same(&problems, &old_problems))
                return api_invalid(a->r, a->name, &problems);
        if (policy.enforce.level == POD_SECURITY_PRIVILEGED ||
            (policy.enforce.minor == old_policy.enforce.minor && policy.enforce.level <= old_policy.enforce.level))
                return API_NEXT;
        error = pod_security_warn(a, &policy.enforce);
        return error < 0 ? api_fail(a->r, error, NULL) : API_NEXT;
}

enum api_step admission_pod_security(struct admission *a) {
        if (strcmp(a->r->kind->resource, "namespaces") == 0)
                return check_namespace(a);
        return check_workload(a);
}
