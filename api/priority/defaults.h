/* The FlowSchemas and PriorityLevelConfigurations that are there in every cluster. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;

#define PRIORITY_GROUP "flowcontrol.apiserver.k8s.io"
#define PRIORITY_AUTO_UPDATE "apf.kubernetes.io/autoupdate-spec"

/* The mandatory ones stay as they are; the suggested ones until somebody says otherwise, by that annotation. */
struct priority_default {
        bool level, mandatory; /* @level: a PriorityLevelConfiguration */
        const char *name, *spec;
};

/* In the order in which they are made; *ret_n of them. */
const struct priority_default *priority_defaults(size_t *ret_n);

/* NULL: it is none of them. */
const struct priority_default *priority_default_find(bool level, const char *name);

/* The object's JSON, in @arena. NULL without memory. */
const char *priority_default_json(struct arena *arena, const struct priority_default *wanted);
