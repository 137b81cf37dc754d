/* Times as kubectl's columns have them: "45s", "5m30s", "3h", "2d5h", "400d", "3y". */
#pragma once

#include <stdint.h>

#include "kube/types.h"

#define PRINT_AGE_MAX 32 /* bytes, with the NUL */

/* Whole seconds in apimachinery's HumanDuration form; less than -1 is "<invalid>". Returns @ret_text. */
const char *print_duration(int64_t seconds, char ret_text[PRINT_AGE_MAX]);

/* How long @then has been; "<unknown>" for a time that is not set or is Go's zero time. */
const char *print_age(const struct kube_time *then, const struct kube_time *now, char ret_text[PRINT_AGE_MAX]);

/* From @from to @to. */
const char *print_between(const struct kube_time *from, const struct kube_time *to, char ret_text[PRINT_AGE_MAX]);
