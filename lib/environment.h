/* Environments as lists of "NAME=VALUE", as large as a hostile image makes them. */
#pragma once

#include <stddef.h>

/* execve(2): all strings of arguments and environment together, with a pointer for each, take at most three quarters of
 * the 8 MiB that the kernel calls _STK_LIM, and one of them 128 KiB, with its NUL. */
#define ENVIRONMENT_EXEC_MAX ((size_t)6 << 20)
#define ENVIRONMENT_STRING_MAX ((size_t)128 << 10)

/* The last of a name counts, in the place of the first: compacts @list of @n strings (one without '=' is all name), of
 * which none is NULL, in n log n steps whatever the names are. Returns how many are left; -ENOMEM. */
long environment_merge(const char **list, size_t n);

/* What execve(2) counts for @list of @n strings. */
size_t environment_exec_size(const char *const *list, size_t n);

/* What execve(2) takes with this process's limit of the stack, which its children inherit (ARG_MAX of getconf(1)). */
size_t environment_exec_max(void);
