/* How the service ends at a signal, as kube-apiserver does: it says at /readyz that it leaves, serves on for as long as
 * load balancers need to hear that, then takes no more connections; watches get their end, what is under way is
 * finished within its time, but who neither reads nor sends is waited for no longer than HTTP_LINGER_MS.
 */
#pragma once

#include <stdint.h>

struct api_server;

struct api_leave_times {
        int64_t delay_ns;  /* of what goes on as before */
        int64_t finish_ns; /* for what is under way */
};

/* Blocks. Another of the signals that @signals, a signalfd, tells of ends it at once. */
void api_leave_server(struct api_server *server, const struct api_leave_times *times, int signals);
