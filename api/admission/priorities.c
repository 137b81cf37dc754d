/* Priority: a pod's class as a number, and at most one class that is the default. */
#include <errno.h>
#include <string.h>

#include "api/admission/builtin.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/core_v1.h"
#include "kube/kinds.h"
#include "kube/scheduling_v1.h"

typedef struct kube_scheduling_v1_priority_class priority_class;

static bool is_pod(const struct admission *a) {
        return strcmp(a->r->kind->resource, "pods") == 0;
}

/* Of several the one of the lowest value. */
static int find_default(const struct admission *a, const priority_class **ret_class) {
        const priority_class *found = NULL;
        struct admission_list classes;
        int error = admission_list(a, "scheduling.k8s.io", "priorityclasses", "", &classes);

        if (error < 0)
                return error;
        for (size_t i = 0; i < classes.n; i++) {
                const priority_class *class = classes.items[i];

                if (class->global_default && (!found || found->value > class->value))
                        found = class;
        }
        *ret_class = found;
        return 0;
}

static enum api_step find_class(struct admission *a, const char *name, const priority_class **ret_class) {
        static const priority_class none = { .preemption_policy = "PreemptLowerPriority" };
        const void *found = NULL;
        int error = *name ? admission_get(a, "scheduling.k8s.io", "priorityclasses", "", name, &found) :
                            find_default(a, ret_class);

        if (error == -ENOENT)
                return admission_forbid(a, "no PriorityClass with name %s was found", name);
        if (error < 0)
                return api_fail(a->r, error, NULL);
        if (*name)
                *ret_class = found;
        else if (!*ret_class)
                *ret_class = &none;
        return API_NEXT;
}

static enum api_step give(struct admission *a, struct kube_pod_spec *spec, const priority_class *class) {
        const char *policy = class->preemption_policy;

        if (spec->priority.set && spec->priority.value != class->value)
                return admission_forbid(a,
                                        "the integer value of priority (%lld) must not be provided in pod spec; "
                                        "priority admission controller computed %d from the given PriorityClass name",
                                        (long long)spec->priority.value, class->value);
        if (policy && spec->preemption_policy && strcmp(spec->preemption_policy, policy) != 0)
                return admission_forbid(a,
                                        "the string value of PreemptionPolicy (%s) must not be provided in pod spec; "
                                        "priority admission controller computed %s from the given PriorityClass name",
                                        spec->preemption_policy, policy);
        spec->priority = (struct opt_int){ class->value, true };
        spec->preemption_policy = policy ?: spec->preemption_policy;
        if (class->metadata.name)
                spec->priority_class_name = class->metadata.name;
        a->changed = true;
        return API_NEXT;
}

/* Who replaces a pod need not say what it was given. */
static enum api_step keep(struct admission *a, struct kube_pod_spec *spec) {
        const struct kube_pod *old = admission_old(a);

        if (!old)
                return API_END;
        if (!spec->priority.set && old->spec.priority.set) {
                spec->priority = old->spec.priority;
                a->changed = true;
        }
        if (!spec->preemption_policy && old->spec.preemption_policy) {
                spec->preemption_policy = old->spec.preemption_policy;
                a->changed = true;
        }
        return API_NEXT;
}

enum api_step admission_give_priority(struct admission *a) {
        const priority_class *class = NULL;
        struct kube_pod *pod;
        enum api_step step;

        if (!is_pod(a))
                return API_NEXT;
        if (!(pod = admission_object(a)))
                return API_END;
        if (a->operation == ADMISSION_UPDATE)
                return keep(a, &pod->spec);
        step = find_class(a, pod->spec.priority_class_name ?: "", &class);
        return step == API_NEXT ? give(a, &pod->spec, class) : step;
}

enum api_step admission_check_priority(struct admission *a) {
        const priority_class *class, *there = NULL;
        int error;

        if (is_pod(a))
                return API_NEXT;
        if (!(class = admission_object(a)))
                return API_END;
        if (!class->global_default)
                return API_NEXT;
        error = find_default(a, &there);
        if (error < 0)
                return api_fail(a->r, error, NULL);
        if (!there || (a->operation == ADMISSION_UPDATE && kube_is(there->metadata.name, a->r->name)))
                return API_NEXT;
        return admission_forbid(a, "PriorityClass %s is already marked as default. Only one default can exist",
                                there->metadata.name);
}
