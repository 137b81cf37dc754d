/* What flow schemas and priority levels have in common. For kube/validate alone. */
#pragma once

#include <stdint.h>

struct validation;

/* status.conditions of which the type is all that is asked: it is there, and once. @types NULL: there was no memory. */
void validate_condition_types(struct validation *v, const char *const *types, uint32_t n);
