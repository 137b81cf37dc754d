/* The RuntimeDefault seccomp profile as data: which system calls a container may make, and which more with a
 * capability.
 *
 * It is the profile that the field's runtimes share (every call but those that reach beyond the container). Names that
 * the library does not know on this architecture are passed over.
 */
#pragma once

#include <stdint.h>

/* Allowed for every container; NULL-terminated. */
extern const char *const seccomp_rules_allowed[];

/* Allowed with a capability of its bounding set. */
struct seccomp_rules_capability {
        unsigned capability;
        const char *const *names; /* NULL-terminated */
};

extern const struct seccomp_rules_capability seccomp_rules_capabilities[];
extern const unsigned seccomp_rules_capabilities_n;
