/* The fields of a KubeletConfiguration that mean something to this agent, each a row that says which option it sets. */
#pragma once

#include "agent/config/options.h"
#include "lib/value.h"

struct config_field;

/* NULL: unknown, or not supported. */
const struct config_field *config_field_find(const char *name);

/* Sets the option to @value, which is not null. -EINVAL with line, field and what it wants; -ENOMEM. */
int config_field_set(const struct config_field *field, const struct value *value, struct options *options,
                     struct err **err);
