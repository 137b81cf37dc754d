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

/* Takes the connection that @server, a pipe or TCP listener whose connection callback this is called from, has to give,
 * and closes it: for want of memory, say. Left alone it would keep libuv from ever accepting another. Needs no memory;
 * on the loop's thread of a program with one loop. */
void listen_refuse(uv_stream_t *server);
