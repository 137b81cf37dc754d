#include "agent/volumes/tmpfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kube/pod/resources.h"
#include "lib/cleanup.h"

bool tmpfs_is_mounted(const char *path) {
        _cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat st, above;

        return fd >= 0 && fstat(fd, &st) == 0 && fstatat(fd, "..", &above, 0) == 0 && st.st_dev != above.st_dev;
}

static int64_t size_of(const struct pod_files *files, int64_t given) {
        int64_t size = files->node_memory;
        struct quantity limit;

        if (pod_limit(files->pod, "memory", &limit) && quantity_units(limit) < size)
                size = quantity_units(limit);
        return given > 0 && given < size ? given : size;
}

int tmpfs_make(const struct pod_files *files, int64_t limit, const char *path, struct err **err) {
        long long size = size_of(files, limit);
        char options[64];
        int r;

        if (tmpfs_is_mounted(path))
                return 0;
        snprintf(options, sizeof(options), "mode=1777,size=%lld,noswap", size);
        r = mount("tmpfs", path, "tmpfs", 0, options);
        if (r < 0 && errno == EINVAL) {
                snprintf(options, sizeof(options), "mode=1777,size=%lld", size);
                r = mount("tmpfs", path, "tmpfs", 0, options);
        }
        return r < 0 ? err_errno(err, errno, "cannot mount a tmpfs (%s) at %s", options, path) : 0;
}
