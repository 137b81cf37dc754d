/* nacelle.v1.Node on the CRI socket: the pods of the watched directory, for the `nacelle` command. See
 * cri/extension.proto. */
#pragma once

struct cri;
struct err;
struct grpc_server;
struct server_node;

/* Adds the service to @grpc. Free when @grpc has gone; NULL is fine. */
int server_node_new(struct grpc_server *grpc, struct cri *cri, struct server_node **ret_node, struct err **err);
void server_node_free(struct server_node *node);
