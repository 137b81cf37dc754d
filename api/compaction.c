#include "api/compaction.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "api/state/state.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define NS_OF_SECOND INT64_C(1000000000)

int api_compaction_timer(int64_t interval_ns, int *ret_fd, struct err **err) {
        const struct timespec time = { interval_ns / NS_OF_SECOND, interval_ns % NS_OF_SECOND };
        const struct itimerspec spec = { time, time };
        _cleanup_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

        if (fd < 0 || timerfd_settime(fd, 0, &spec, NULL) < 0)
                return err_errno(err, errno, "cannot have a timer for compaction");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

void api_compaction_run(int timer, struct api_state *state) {
        uint64_t times;

        if (read(timer, &times, sizeof(times)) == (ssize_t)sizeof(times))
                api_state_compact(state);
}
