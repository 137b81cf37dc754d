/* Where a server is: https://HOST[:PORT]. */
#pragma once

#include <sys/socket.h>

#include "lib/err.h"

struct remote_place {
        char host[256], port[8], authority[272];
        struct sockaddr_storage address;
        socklen_t n_address;
};

/* Reads "https://HOST", "https://HOST:PORT" or "https://[ADDRESS]:PORT", without a path, and asks the resolver
 * (getaddrinfo(3)), which may block. Errors: -EINVAL, -ENOENT (no such host), -ENOMEM. */
int remote_place_find(struct remote_place *place, const char *server, struct err **err);
