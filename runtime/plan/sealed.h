/* A file in memory that nobody can change any more (memfd_create(2), F_ADD_SEALS). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A copy of @data, to be executed if @executable: -EACCES where the system forbids that (vm.memfd_noexec). 0 or a
 * negative errno. */
int sealed_copy(const char *name, const void *data, size_t size, bool executable, int *ret_fd);
