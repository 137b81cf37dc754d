/* The rules of core/v1's kinds, for the table in core.c. */
#pragma once

#include <stddef.h>

struct validation;

void validate_config_map(struct validation *v, const void *object, const void *old);
void validate_secret(struct validation *v, const void *object, const void *old);

/* What Go's json.Unmarshal() into a map says of @text; NULL: it is one. */
const char *validate_json_problem(struct validation *v, const char *text, size_t length);
