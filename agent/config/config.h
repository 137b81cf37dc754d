/* A KubeletConfiguration file (kubelet.config.k8s.io/v1beta1, YAML or JSON) into options: the fields that mean
 * something to this agent; any other field is named once in a warning, an unknown kind is an error.
 */
#pragma once

#include "agent/config/options.h"

/* Reads @path into @options, replacing what is there. Errors are EINVAL with the field and what it wants, or what
 * reading the file gave. */
int config_read(const char *path, struct options *options, struct err **err);
