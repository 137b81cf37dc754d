/* The parts of admission. Included by them only. */
#pragma once

#include "agent/admission/admission.h"

/* Each: true when it has nothing against @pod. */
bool admission_resources(const struct admission_node *node, const struct pod *pod, struct rejection *ret_rejection);

/* The same of all but resources. */
bool admission_others(const struct admission_node *node, const struct pod *pod);

/* What of it is lacking for @pod, in the order in which kubelet tells of it. False without memory. */
#define ADMISSION_NEEDS_MAX 16
struct admission_needs {
        struct admission_need {
                const char *name; /* of the pod's, or a literal */
                int64_t amount;   /* CPU in thousandths */
        } items[ADMISSION_NEEDS_MAX];
        size_t n;
};
bool admission_lacks(const struct admission_node *node, const struct pod *pod, struct admission_needs *ret_needs);
int64_t admission_request(const struct pod *pod, const char *name); /* in the same unit; a place is "pods" */

/* Sets the rejection; returns false. */
bool admission_reject(struct rejection *ret_rejection, const char *reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
