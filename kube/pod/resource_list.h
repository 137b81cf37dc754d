/* Lists of resource amounts that grow, in an arena. */
#pragma once

#include "kube/types.h"

struct arena;

/* Adds @name in its place (lists are sorted), or replaces its amount. False without memory. @name is kept. */
bool resource_list_add(struct arena *arena, resource_list *list, const char *name, struct quantity amount);
