/* Names of gRPC servers to addresses, off the loop. Addresses, Unix sockets and localhost need no look-up. */
#pragma once

#include <stddef.h>

struct pool;
struct resolve;

#define RESOLVE_TARGETS_MAX 8  /* addresses of a name that are told */
#define RESOLVE_TARGET_MAX 128 /* bytes of one, with its NUL: a socket's path, or an address and a port */

/* Whether @endpoint is HOST:PORT, [ADDRESS]:PORT, each also behind dns:///, or unix:///PATH. 0 or -EINVAL. */
int resolve_check(const char *endpoint);

/* Called once on the loop with the targets, as lib/grpc/client.h takes them; with none, @why says what went wrong. */
typedef void (*resolve_done)(void *data, const char (*targets)[RESOLVE_TARGET_MAX], size_t n, const char *why);

/* Begins a look-up of a checked endpoint; @done may be called before it returns, and *@ret_resolve is NULL then.
 * -ENOMEM. */
int resolve_begin(struct pool *pool, const char *endpoint, resolve_done done, void *data, struct resolve **ret_resolve);

/* @done will not be called. NULL is fine. */
void resolve_forget(struct resolve *resolve);
