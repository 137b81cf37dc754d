/* SPDY within WebSocket ("SPDY/3.1+portforward.k8s.io"): the tunnel is a wire around the SPDY wire. */
#pragma once

#include <stddef.h>

struct client;

/* Writes bytes of SPDY as they are, or in binary messages for a client that tunnels. */
void tunnel_write(struct client *client, const void *data, size_t n);
