/* User namespaces, and the ones that a pod has inside of its own. */
#pragma once

#include <stdint.h>

#include "runtime/spec.h"

#define USERNS_RANGES_MAX 340 /* lines in a uid_map */

/* The descriptors of new namespaces, owned by the new user namespace; -EBADF: not asked for. */
struct userns {
        int user_fd, net_fd, ipc_fd, uts_fd;
};
#define USERNS_NONE ((struct userns){ -EBADF, -EBADF, -EBADF, -EBADF })

/* Makes a user namespace with @mappings, and the others in @flags (CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS). */
int userns_open(const struct id_mappings *mappings, uint64_t flags, struct userns *ret_userns, struct err **err);
void userns_close(struct userns *userns);
#define _cleanup_userns_ __attribute__((cleanup(userns_close)))
