#include "cni/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

static int open_setting(const char *name, int flags) {
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "/proc/sys/%s", name);
        return open(path, flags | O_CLOEXEC | O_NOFOLLOW);
}

int cni_sysctl_get(const char *name, char *ret_value, unsigned size, struct err **err) {
        _cleanup_close_ int fd = open_setting(name, O_RDONLY);
        ssize_t n = fd < 0 ? -1 : read(fd, ret_value, size - 1);

        if (n < 0)
                return err_errno(err, errno, "read sysctl %s", name);
        ret_value[n] = '\0';
        ret_value[strcspn(ret_value, "\n")] = '\0';
        return 0;
}

int cni_sysctl_set(const char *name, const char *value, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        char before[64];
        int r = cni_sysctl_get(name, before, sizeof(before), err);

        if (r < 0 || strcmp(before, value) == 0)
                return r;
        fd = open_setting(name, O_WRONLY);
        if (fd < 0 || write(fd, value, strlen(value)) < 0)
                return err_errno(err, errno, "set sysctl %s to %s", name, value);
        return 0;
}
