/* The parts of admission. Included by them only. */
#pragma once

#include "agent/admission/admission.h"

/* Each: true when it has nothing against @pod. */
bool admission_resources(const struct admission_node *node, const struct pod *pod, struct rejection *ret_rejection);

/* Sets the rejection; returns false. */
bool admission_reject(struct rejection *ret_rejection, const char *reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
