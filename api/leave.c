#include "api/leave.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "api/server/server.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define NS_PER_S INT64_C(1000000000)

static void on_drained(void *data) {
        eventfd_write(*(int *)data, 1);
}

/* Until @fd (-1: none) is readable or @ns are over. False: a signal came. */
static bool wait_for(int fd, int64_t ns, int signals) {
        struct pollfd all[] = { { .fd = signals, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
        const struct timespec time = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };

        return ppoll(all, ELEMENTS(all), &time, NULL) <= 0 || !all[0].revents;
}

void api_leave_server(struct api_server *server, const struct api_leave_times *times, int signals) {
        int drained = eventfd(0, EFD_CLOEXEC);

        api_server_announce(server);
        if (!wait_for(-1, times->delay_ns, signals))
                log_info("a second signal: leaving at once");
        else if (drained >= 0) {
                api_server_drain(server, on_drained, &drained);
                wait_for(drained, times->finish_ns, signals);
        }
        api_server_stop(server); /* nobody tells of being drained after it */
        close_fd(drained);
}
