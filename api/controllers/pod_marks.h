/* What controllers say of pods whose node, or whose time, is over: in their status, before they are deleted. */
#pragma once

#include <stdbool.h>

#include "api/controllers/controller.h"
#include "kube/core_v1.h"

/* Why a pod is deleted by the cluster: a condition of type DisruptionTarget. */
struct pod_reason {
        const char *reason, *message;
};

/* The end of @pod, which is in the task's arena: its status says so, and then it is deleted. Both name its uid. */
struct pod_end {
        const struct kube_kind *kind; /* that of pods */
        const struct kube_pod *pod;
        const struct pod_reason *reason; /* NULL: nothing is said */
        bool fails;                      /* it becomes Failed, if it has not ended, and goes at once: nobody runs it */
};
void pod_marks_end(struct task *task, const struct pod_end *end);

/* Its condition Ready becomes False, if it has one that is not: true, and @answered hears of it. */
bool pod_marks_unready(struct task *task, const struct kube_kind *kind, const struct kube_pod *pod,
                       task_answered answered, void *data);

/* Whether it has ended, for the garbage collector of pods: what is no phase counts as an end. */
bool pod_marks_has_ended(const char *phase);

/* Lists the pods of the node that @task is about; @pods: their kind. 0 or -ENOMEM. */
int pod_marks_list(struct task *task, const struct kube_kind *pods, task_listed listed);

/* The name of the node of @object, a pod, in @arena; "": none. NULL without memory. */
const char *pod_marks_node(struct arena *arena, const struct client_object *object);
