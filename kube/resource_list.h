/* Lists of resource amounts that grow, in an arena. */
#pragma once

#include "kube/types.h"

struct arena;

/* Adds @name in its place (lists are sorted), or replaces its amount. False without memory. @name is kept. */
bool resource_list_add(struct arena *arena, resource_list *list, const char *name, struct quantity amount);

/* Adds @amount to what the list has of @name. */
bool resource_list_sum(struct arena *arena, resource_list *list, const char *name, struct quantity amount);

/* Raises what the list has of @name to at least @amount. */
bool resource_list_max(struct arena *arena, resource_list *list, const char *name, struct quantity amount);
