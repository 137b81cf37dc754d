/* What a YAML scalar means: for lib/yaml.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/value.h"

/* The longest text that may be a number. */
#define YAML_NUMBER_MAX 64

/* The meaning of the plain (unquoted, untagged) scalar @text, NUL-terminated: a null, boolean or integer, a
 * VALUE_NUMBER whose text goes to @ret_number as JSON writes it, or a string (then @ret_value->text is not set).
 * False when it is a number that JSON cannot hold (.inf, .nan). */
bool yaml_scalar_resolve(const char *text, struct value *ret_value, char ret_number[YAML_NUMBER_MAX]);
