/* CNI capability arguments: what a sandbox asks of its network, in the words of CNI's conventions (CONVENTIONS.md). */
#pragma once

#include "cni/network.h"

struct arena;
struct value;

/* A map in @arena with portMappings, bandwidth and dns, each where the request has it. Returns 0 or -ENOMEM. */
int cni_capabilities_make(const struct network_request *request, struct arena *arena, const struct value **ret_map);
