#include "lib/spread.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* The device's name, as /sys/fs/ext4 has it: the last part of where its number leads. */
static bool device_name(dev_t device, char *ret_name, size_t size) {
        char path[64], target[PATH_MAX];
        const char *slash;
        ssize_t n;

        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(device), minor(device));
        n = readlink(path, target, sizeof(target) - 1);
        if (n <= 0)
                return false;
        target[n] = '\0';
        slash = strrchr(target, '/');
        return slash && (size_t)snprintf(ret_name, size, "%s", slash + 1) < size;
}

/* The task that writes the journal is "<none>" where there is none. */
static bool has_no_journal(dev_t device) {
        char name[NAME_MAX + 1], path[NAME_MAX + 64], task[16] = "";
        _cleanup_close_ int fd = -EBADF;

        if (!device_name(device, name, sizeof(name)))
                return false;
        snprintf(path, sizeof(path), "/sys/fs/ext4/%s/journal_task", name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd >= 0 && read(fd, task, sizeof(task) - 1) > 0 && strncmp(task, "<none>", strlen("<none>")) == 0;
}

bool spread_directory(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct statfs fs;
        struct stat st;
        int flags;

        if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != EXT4_SUPER_MAGIC || fstat(fd, &st) < 0 ||
            !has_no_journal(st.st_dev) || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
                return false;
        flags |= FS_TOPDIR_FL;
        return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}
