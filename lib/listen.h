/* Listening sockets on paths, made so that a crashed predecessor's socket is no obstacle and a living one is not
 * robbed. */
#pragma once

#include <sys/types.h>
#include <uv.h>

struct err;

/* Listens on the Unix socket @path (absolute, at most 107 bytes) with permission bits @mode. Missing directories are
 * made (0755). A socket nobody listens on is replaced; one in use is -EADDRINUSE; anything but a socket is left alone,
 * -EEXIST. Returns 0 with a non-blocking, close-on-exec descriptor, or a negative errno with *@err. */
int listen_unix(const char *path, mode_t mode, int *ret_fd, struct err **err);

/* The path of "unix:///run/x.sock", "unix:/run/x.sock" or "/run/x.sock", within @endpoint; NULL for anything else. */
const char *listen_unix_path(const char *endpoint);
