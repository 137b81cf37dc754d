/* Values as YAML for people: block style, strings quoted where a reader could take them for something else. */
#pragma once

#include <stdio.h>

struct value;

void yaml_print(FILE *out, const struct value *value);
