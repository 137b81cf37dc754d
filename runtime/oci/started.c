/* Whether a container's process became its program, or was killed for its memory on the way. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/oom.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "runtime/init/part.h"
#include "runtime/oci/oci.h"
#include "runtime/sys.h"

#define END_MILLISECONDS 10000

/* A process that ends has no executable any more, but still the name of the last one. */
static bool ends_as_init(struct oci *oci, pid_t pid) {
        _cleanup_free_ char *name = NULL;
        char exe[64];

        return readlink(arena_printf(oci->arena, "/proc/%d/exe", pid), exe, sizeof(exe)) < 0 && errno == ENOENT &&
               files_read(arena_printf(oci->arena, "/proc/%d/comm", pid), sizeof(exe), &name, NULL, NULL) == 0 &&
               strcmp(name, INIT_PROGRAM "\n") == 0;
}

static bool was_killed(struct oci *oci, const char *cgroup, char text[OOM_TEXT_MAX]) {
        struct cgroup_oom_state oom;

        if (!cgroup[0] || oci_cgroups(oci, NULL) < 0 || cgroup_oom_read(oci->cgroups, cgroup, &oom, NULL) < 0 ||
            oom.kills == 0)
                return false;
        cgroup_oom_explain(&oom, text);
        return true;
}

int oci_check_started(struct oci *oci, const char *id, const char *cgroup, pid_t pid, struct err **err) {
        struct pollfd ended = { .fd = -1, .events = POLLIN };
        char text[OOM_TEXT_MAX];

        if (!ends_as_init(oci, pid))
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
