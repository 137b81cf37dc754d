/* What controllers ask of namespaces. */
#pragma once

#include <stdbool.h>

struct informer;

/* Whether @name is there and not being deleted: nothing is made in one that is. */
bool namespaces_is_active(const struct informer *namespaces, const char *name);
