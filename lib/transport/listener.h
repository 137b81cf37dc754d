/* Connections from a listening socket, one call each. Several loops may share a socket: each takes what it gets. */
#pragma once

#include <sys/un.h>
#include <uv.h>

struct err;
struct listener;

/* Has @on_connection called with each connected, non-blocking, close-on-exec socket, which is its to close. @fd, which
 * listens, is taken over also on failure. Returns 0 or a negative errno. */
int listener_new(uv_loop_t *loop, int fd, void (*on_connection)(void *data, int fd), void *data,
                 struct listener **ret_listener);

/* Stops and closes the socket; not from within on_connection(). NULL is fine. */
void listener_free(struct listener *listener);

/* Listens on TCP at @address, "127.0.0.1:0" or "[::1]:8080". Returns 0 with a non-blocking descriptor, or a negative
 * errno with *@err. */
int listener_tcp(const char *address, int *ret_fd, struct err **err);

/* "@ip:@port" as listener_tcp() takes it, an IPv6 address in brackets; cut off where it has no room. Returns @text. */
#define LISTENER_TEXT_MAX 160
const char *listener_text(const char *ip, unsigned port, char text[LISTENER_TEXT_MAX]);

/* Any address is one of both families: of "0.0.0.0" and "::" the other one; NULL: @ip is neither. */
const char *listener_other_any(const char *ip);

/* The port that a TCP socket listens on. */
int listener_port(int fd);
