/* The CRI socket: every method of cri/call/methods.h as gRPC on a Unix socket, nacelle's own image service beside it,
 * and no more: Exec, Attach and PortForward answer with the URLs of the streaming server (cri/streaming/cri.h), if cri
 * has been given one.
 *
 * A request becomes cri_call(); its answer or error goes back as message or status (grpc_code_from_errno()). Methods
 * whose answer is a stream send one message for each call of their callback until it ends with none.
 *
 * The socket is root's, mode 0660: who may write to it is root on this node.
 */
#pragma once

#include <uv.h>

struct cri;
struct err;
struct cri_server;

#define CRI_SERVER_SOCKET_MODE 0660

/* Serves @cri at @endpoint, "unix:///run/nacelle/nacelle.sock" or a path. The directory is made when missing (0755); a
 * socket that nobody listens on is replaced, one in use is -EADDRINUSE, and anything but a socket is left alone
 * (-EEXIST). Returns 0, or a negative errno with *@err. */
int cri_server_new(uv_loop_t *loop, struct cri *cri, const char *endpoint, struct cri_server **ret_server,
                   struct err **err);

/* Stops listening, removes the socket, cancels calls. Memory goes once the loop has run them out. NULL is fine. */
void cri_server_free(struct cri_server *server);
