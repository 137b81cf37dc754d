/* A container's process is this program until its execve(), and what it executes may be a way back to /proc/self/exe: a
 * link, an interpreter. So the program runs from where it cannot be written to, whatever rights the container has
 * (CVE-2019-5736): a read-only mount of itself that has no path, or without the right to mount a sealed copy in memory.
 */
#include <errno.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/oci/oci.h"
#include "runtime/sys.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static bool is_protected(int exe) {
        int seals = fcntl(exe, F_GET_SEALS);
        struct statfs fs;

        return (fstatfs(exe, &fs) == 0 && fs.f_flags & ST_RDONLY) || (seals >= 0 && (seals & SEALS) == SEALS);
}

static int open_readonly(int exe) {
        _cleanup_close_ int tree = sys_open_tree(exe, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

        if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
                return -errno;
        return TAKE_FD(tree);
}

static int open_copy(int exe) {
        _cleanup_close_ int copy = memfd_create("nacelle-oci", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        ssize_t n;

        if (copy < 0)
                return -errno;
        while ((n = sendfile(copy, exe, NULL, 1 << 24)) > 0)
                ;
        if (n < 0 || fcntl(copy, F_ADD_SEALS, SEALS) < 0)
                return -errno;
        return TAKE_FD(copy);
}

int oci_protect(char *const *argv, struct err **err) {
        _cleanup_close_ int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), from = -EBADF;

        if (exe < 0)
                return err_errno(err, errno, "/proc/self/exe");
        if (is_protected(exe)) {
                prctl(PR_SET_NAME, "nacelle-oci", 0, 0, 0);
                return 0;
        }
        from = open_readonly(exe);
        if (from < 0)
                from = open_copy(exe);
        if (from < 0)
                return err_errno(err, -from, "a copy of the runtime that the container cannot write to");
        syscall(SYS_execveat, from, "", argv, environ, AT_EMPTY_PATH);
        return err_errno(err, errno, "run a copy of the runtime that the container cannot write to");
}
