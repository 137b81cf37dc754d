/* Whether a container's process became its program, or was killed for its memory on the way. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/oom.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"
#include "runtime/init_part.h"
#include "runtime/oci/oci.h"
#include "runtime/sys.h"

#define END_MILLISECONDS 10000

/* A process that ends has no executable any more; one that waits for `start` has ours. */
static bool is_ending(pid_t pid) {
        char path[64], exe[64];

        snprintf(path, sizeof(path), "/proc/%d/exe", pid);
        return readlink(path, exe, sizeof(exe)) < 0 && errno == ENOENT;
}

static bool was_killed(struct oci *oci, const char *cgroup, char text[OOM_TEXT_MAX]) {
        struct oom_state oom;

        if (!cgroup[0] || oci_cgroups(oci, NULL) < 0 || oom_read(oci->cgroups, cgroup, &oom, NULL) < 0 ||
            oom.kills == 0)
                return false;
        oom_explain(&oom, text);
        return true;
}

int oci_check_started(struct oci *oci, const char *id, const char *cgroup, pid_t pid, struct err **err) {
        struct pollfd ended = { .fd = -1, .events = POLLIN };
        char text[OOM_TEXT_MAX];

        if (!is_ending(pid))
                return 0;
        ended.fd = sys_pidfd_open(pid);
        if (ended.fd >= 0)
                poll(&ended, 1, END_MILLISECONDS);
        close_fd(ended.fd);
        if (!was_killed(oci, cgroup, text))
                return 0;
        return err_set(err, ENOMEM, "container %s: killed for its memory before its program ran: %s; raise the limit",
                       id, text);
}

void oci_warn_of_oom(struct oci *oci, const char *id, const char *cgroup) {
        char text[OOM_TEXT_MAX];

        if (was_killed(oci, cgroup, text))
                log_warning("container %s: killed for its memory: %s", id, text);
}
