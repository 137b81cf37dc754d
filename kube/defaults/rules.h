/* The parts of defaulting. For kube/defaults alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kube/type.h"

struct arena;

struct defaults_work {
        struct arena *arena;
        int64_t now;
};

/* A field and what it is when nothing is given. */
struct defaults_row {
        const struct kube_type *type;
        const char *path;           /* from .type: "spec.strategy.type"; objects on the way are made */
        const char *json;           /* what it is then */
        const char *other, *equals; /* only where this field, a string, has this text; NULL: always */
};

/* What depends on more, at most one a type; it runs after the rows of its type, and before what is below the object. 0
 * or -ENOMEM. */
struct defaults_rule {
        const struct kube_type *type;
        int (*fill)(struct defaults_work *w, void *object);
};

/* Tables end with a row without a type. */
extern const struct defaults_row defaults_rows[];
extern const struct defaults_rule defaults_core_rules[], defaults_pod_rules[], defaults_other_rules[],
        defaults_hub_rules[];

/* Copies of what @from has and @map has not. 0 or -ENOMEM. */
int defaults_add_amounts(struct arena *arena, resource_list *map, const resource_list *from);

/* Whether the image's tag is "latest", by its name or for want of another. */
bool defaults_image_is_latest(const char *image);
