/* Checks of probes and lifecycle handlers. */
#pragma once

#include "kube/check/check.h"

/* The container's three probes, lifecycle included, where they are allowed. */
void check_probes(struct check *c, const struct kube_container *container);
