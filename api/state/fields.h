/* Which fields selectors may name, by resource: a table. */
#pragma once

#include <stdint.h>

struct api_field;

/* NULL with 0 in *ret_n: names and namespaces alone. */
const struct api_field *api_fields_of(const char *group, const char *resource, uint16_t *ret_n);
