/* The client's end of exec and attach: WebSocket with the protocol v5.channel.k8s.io to the agent's streaming server.
 */
#pragma once

#include <stdbool.h>

struct err;

/* The first byte of each message; 255 announces that the channel named by the second byte has ended. */
enum stream_channel { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAM_STATUS, STREAM_RESIZE, STREAM_CLOSE = 255 };

struct stream_options {
        bool in;     /* standard input goes to the process */
        bool tty;    /* the terminal is put into raw mode, and its size is told */
        bool detach; /* Ctrl-P Ctrl-Q leaves */
};

/* Connects to @url and moves bytes until the other side ends. Returns 0 with the process's exit code in *@ret_code, or
 * a negative errno with *@err. */
int stream_run(const char *url, const struct stream_options *options, int *ret_code, struct err **err);
