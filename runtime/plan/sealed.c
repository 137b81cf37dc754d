#include "runtime/plan/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/files.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

#define FLAGS (MFD_CLOEXEC | MFD_ALLOW_SEALING)
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int sealed_copy(const char *name, const void *data, size_t size, bool executable, int *ret_fd) {
        _cleanup_close_ int fd = memfd_create(name, FLAGS | (executable ? MFD_EXEC : 0));
        int r;

        if (fd < 0 && errno == EINVAL && executable) /* before Linux 6.3 all can be executed */
                fd = memfd_create(name, FLAGS);
        if (fd < 0)
                return -errno;
        if ((r = files_write_all(fd, data, size)) < 0)
                return r;
        if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}
