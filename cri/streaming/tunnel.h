/* SPDY within WebSocket ("SPDY/3.1+portforward.k8s.io"): the tunnel is a wire around the SPDY wire. */
#pragma once

#include <stddef.h>

struct client;

/* Writes a frame of SPDY, its head and its data, as it is, or in a binary message for a client that tunnels. */
void streaming_tunnel_write(struct client *client, const void *head, size_t n_head, const void *data, size_t n);
