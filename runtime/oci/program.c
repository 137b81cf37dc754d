#include <errno.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/init_part.h"
#include "runtime/oci/oci.h"
#include "runtime/sys.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* nacelle-init as it was built. */
__asm__(".pushsection .rodata\n"
        "init_program:\n"
        ".incbin \"" NACELLE_INIT "\"\n"
        "init_program_end:\n"
        ".popsection\n");
extern const char init_program[], init_program_end[];

static int open_copy(void) {
        size_t size = (size_t)(init_program_end - init_program);
        _cleanup_close_ int copy = memfd_create(INIT_PROGRAM, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

        if (copy < 0 && errno == EINVAL) /* before Linux 6.3 all can be executed */
                copy = memfd_create(INIT_PROGRAM, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (copy < 0)
                return -errno;
        for (size_t done = 0; done < size;) {
                ssize_t n = write(copy, init_program + done, size - done);

                if (n < 0)
                        return -errno;
                done += (size_t)n;
        }
        return fcntl(copy, F_ADD_SEALS, SEALS) < 0 ? -errno : TAKE_FD(copy);
}

/* Where nothing in memory may be executed (vm.memfd_noexec): this program itself, on a read-only mount without a path.
 */
static int open_readonly(void) {
        _cleanup_close_ int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), tree = -EBADF;
        struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

        if (exe >= 0)
                tree = sys_open_tree(exe, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
                return -errno;
        return TAKE_FD(tree);
}

int oci_program_open(int *ret_fd, struct err **err) {
        int fd = open_copy();

        if (fd == -EACCES)
                fd = open_readonly();
        if (fd < 0)
                return err_errno(err, -fd, "a copy of " INIT_PROGRAM " that the container cannot write to");
        *ret_fd = fd;
        return 0;
}

int oci_program_run(int program, int socket, unsigned preserve) {
        char number[16], *args[] = { (char[]){ INIT_PROGRAM }, number, NULL }, *env[] = { NULL };
        int fd = fcntl(socket, F_DUPFD, 3 + preserve);

        if (fd < 0)
                return -errno;
        snprintf(number, sizeof(number), "%d", fd);
        syscall(SYS_execveat, program, "", args, env, AT_EMPTY_PATH);
        return -errno;
}
