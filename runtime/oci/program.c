#include <errno.h>
#include <stdio.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/init/part.h"
#include "runtime/oci/oci.h"
#include "runtime/plan/sealed.h"
#include "runtime/sys.h"

/* nacelle-init as it was built. */
__asm__(".pushsection .rodata\n"
        "init_program:\n"
        ".incbin \"" NACELLE_INIT "\"\n"
        "init_program_end:\n"
        ".popsection\n");
extern const char init_program[], init_program_end[];

/* Where nothing in memory may be executed (vm.memfd_noexec): this program itself, on a read-only mount without a path.
 */
static int open_readonly(int *ret_fd) {
        _cleanup_close_ int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), tree = -EBADF;
        struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

        if (exe >= 0)
                tree = sys_open_tree(exe, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
                return -errno;
        *ret_fd = TAKE_FD(tree);
        return 0;
}

int oci_program_open(int *ret_fd, struct err **err) {
        size_t size = (size_t)(init_program_end - init_program);
        int r = sealed_copy(INIT_PROGRAM, init_program, size, true, ret_fd);

        if (r == -EACCES)
                r = open_readonly(ret_fd);
        return r < 0 ? err_errno(err, -r, "a copy of " INIT_PROGRAM " that the container cannot write to") : 0;
}

int oci_program_run(int program, int socket, int pid_ns, unsigned preserve) {
        char numbers[2][16], *args[] = { (char[]){ INIT_PROGRAM }, numbers[0], pid_ns < 0 ? NULL : numbers[1], NULL },
                             *env[] = { NULL };
        const int given[] = { socket, pid_ns };

        for (int i = 0; args[i + 1]; i++) {
                int fd = fcntl(given[i], F_DUPFD, 3 + preserve);

                if (fd < 0)
                        return -errno;
                snprintf(numbers[i], sizeof(numbers[i]), "%d", fd);
        }
        syscall(SYS_execveat, program, "", args, env, AT_EMPTY_PATH);
        return -errno;
}
