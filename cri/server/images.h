/* nacelle.v1.Images on the CRI socket: transfers with their progress, and names, for the `nacelle` command. See
 * cri/extension.proto. */
#pragma once

struct cri;
struct err;
struct grpc_server;
struct server_images;

/* Adds the service to @grpc. Free when @grpc has gone; NULL is fine. */
int server_images_new(struct grpc_server *grpc, struct cri *cri, struct server_images **ret_images, struct err **err);
void server_images_free(struct server_images *images);
