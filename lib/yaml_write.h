/* Writing of values as YAML, in the very form of sigs.k8s.io/yaml, in which Kubernetes' programs write it: keys in
 * their natural order (a2 before a10), block style, lists at the column of their key, long texts folded at 80
 * characters, quotes where a text would be read as something else. */
#pragma once

#include <stddef.h>

struct value;

/* Of NEL, LS and PS, which YAML 1.1 takes for line breaks, the form is libyaml's own, with the same meaning.
 *
 * @value as one document, allocated, with a NUL behind it. 0, -ENOMEM, or -EINVAL for what YAML cannot hold. */
int yaml_write(const struct value *value, char **ret_text, size_t *ret_length);
