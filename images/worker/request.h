/* What nacelle-image is asked to do: from the agent's socket, or from the command line. */
#pragma once

#include <stdint.h>

#include "images/message.h"
#include "images/transfer.h"

struct err;

struct image_request {
        struct image_transfer_request transfer; /* texts point into @message or argv */
        uint64_t max_bytes, max_entries;        /* of a layer; 0: the built-in maximum */
        int socket;                             /* negative on the command line */
        struct message message;
};

/* Reads the request from the socket @fd. */
int request_receive(int fd, struct image_request *ret_request, struct err **err);

/* Reads the command line; prints help or version and exits when asked to. */
int request_parse(int argc, char **argv, struct image_request *ret_request, struct err **err);
