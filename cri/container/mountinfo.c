#include "cri/container/mountinfo.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/mountinfo.h"

static bool covers(const char *mount, const char *path) {
        size_t n = strlen(mount);

        return n == 1 || (strncmp(mount, path, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

int mountinfo_check(const char *path, bool want_shared, struct err **err) {
        _cleanup_free_ char *text = NULL, *real = realpath(path, NULL), *best = NULL;
        bool shared = false, slave = false;
        struct mountinfo mount;
        size_t longest = 0;
        char *at;
        int r;

        if (!real)
                return err_errno(err, errno, "mount of %s", path);
        r = files_read("/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL, err);
        if (r < 0)
                return r;
        for (at = text; mountinfo_next(&at, &mount);) {
                if (!covers(mount.path, real) || strlen(mount.path) < longest)
                        continue;
                longest = strlen(mount.path); /* of two at one place the later one is on top */
                shared = mount.shared;
                slave = mount.slave;
                free(best);
                best = strdup(mount.path);
        }
        if (want_shared && !shared)
                return err_set(err, EINVAL, "path \"%s\" is mounted on \"%s\" but it is not a shared mount", path,
                               best ? best : "/");
        if (!want_shared && !shared && !slave)
                return err_set(err, EINVAL, "path \"%s\" is mounted on \"%s\" but it is not a shared or slave mount",
                               path, best ? best : "/");
        return 0;
}
