#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/delegate/delegate.h"
#include "runtime/internal.h"
#include "runtime/sys.h"

static const char *const files[] = { "stdout", "stderr", "journal", "state", "state.new" };

int fifo_make(int dir, const char *id, struct fifo *fifo, struct err **err) {
        /* A descriptor keeps O_NOFOLLOW among its flags, with which nobody opens it anew by its link in /proc, as criu
         * does when the container is restored. */
        const struct sys_open_how how = { .flags = O_RDWR | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
        _cleanup_close_ int own = -EBADF, reader = -EBADF, writer = -EBADF;

        own = openat(dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (own < 0)
                return err_errno(err, errno, "container %s: its directory", id);
        unlinkat(own, fifo->name, 0);
        /* The container's user owns it, so that programs can open /dev/stdout anew. */
        if (mkfifoat(own, fifo->name, 0600) < 0 ||
            fchownat(own, fifo->name, fifo->uid, fifo->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return err_errno(err, errno, "container %s: its %s", id, fifo->name);
        writer = sys_openat2(own, fifo->name, &how);
        reader = openat(own, fifo->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (writer < 0 || reader < 0)
                return err_errno(err, errno, "container %s: open its %s", id, fifo->name);
        fifo->read = TAKE_FD(reader);
        fifo->write = TAKE_FD(writer);
        return 0;
}

int fifo_open(int dir, const char *id, const char *name, int flags, int *ret_fd) {
        _cleanup_close_ int own = openat(dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (own >= 0)
                fd = openat(own, name, O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | flags);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISFIFO(st.st_mode))
                return -EINVAL;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int fifo_journal(int dir, const char *id, int flags, int *ret_fd, struct err **err) {
        _cleanup_close_ int own = openat(dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int fd = own < 0 ? -1 : openat(own, "journal", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0600);

        if (fd < 0)
                return err_errno(err, errno, "container %s: its log's journal", id);
        *ret_fd = fd;
        return 0;
}

int fifo_remove_all(int dir, const char *id) {
        _cleanup_close_ int own = openat(dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (own < 0)
                return errno == ENOENT ? 0 : -errno;
        delegate_forget(dir, id);
        for (size_t i = 0; i < ELEMENTS(files); i++)
                if (unlinkat(own, files[i], 0) < 0 && errno != ENOENT)
                        return -errno;
        return unlinkat(dir, id, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}
