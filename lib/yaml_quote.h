/* Which texts have to be quoted in YAML: for lib/yaml_write.c. */
#pragma once

#include <stdbool.h>

/* Whether go-yaml v2 reads the plain scalar @text as anything but this text, or writes it in quotes for others' sake.
 */
bool yaml_needs_quotes(const char *text);
