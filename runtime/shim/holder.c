/* Process 1 of a pod's shared pid namespace.
 *
 * It was cloned by root of the host, outside of every container's cgroup, and a container that was given SYS_PTRACE can
 * make it run whatever it likes. So it has no right of its own left, and the kernel takes nothing from it but what it
 * needs to wait.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "runtime/shim/shim.h"
#include "runtime/sys.h"

/* Nobody's: pause images have it. */
#define HOLDER_ID 65535

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define OWN_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define OWN_ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define OWN_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define OWN_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define OWN_ARCH AUDIT_ARCH_S390X
#else
#error "name this architecture as seccomp(2) does"
#endif

#define ALLOW_CALL(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int confine_calls(void) {
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_wait4
                ALLOW_CALL(SYS_wait4),
#endif
                ALLOW_CALL(SYS_waitid),
#ifdef SYS_rt_sigtimedwait
                ALLOW_CALL(SYS_rt_sigtimedwait),
#endif
#ifdef SYS_rt_sigtimedwait_time64
                ALLOW_CALL(SYS_rt_sigtimedwait_time64),
#endif
                ALLOW_CALL(SYS_restart_syscall),
                ALLOW_CALL(SYS_rt_sigreturn),
                ALLOW_CALL(SYS_exit_group),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        };
        struct sock_fprog program = { .len = ELEMENTS(filter), .filter = filter };

        /* EINVAL: a kernel without filters. */
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 && errno != EINVAL ? -errno : 0;
}

static int give_up_rights(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[2] = { 0 };

        for (unsigned long i = 0; prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0; i++)
                ;
        syscall(SYS_setgroups, 0, NULL);
        if (syscall(SYS_setresgid, HOLDER_ID, HOLDER_ID, HOLDER_ID) < 0 ||
            syscall(SYS_setresuid, HOLDER_ID, HOLDER_ID, HOLDER_ID) < 0 || syscall(SYS_capset, &header, none) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        return 0;
}

/* Says on @ready when it is nobody; what it then still may do, it cannot say any more. */
static _Noreturn void hold(int ready) {
        sigset_t all;
        int signal;

        prctl(PR_SET_NAME, "nacelle-pause", 0, 0, 0);
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        dup2(ready, 0);
        sys_close_range(1, ~0U, 0);
        if (give_up_rights() < 0 || write(0, "", 1) != 1)
                _exit(1);
        close(0);
        if (confine_calls() < 0)
                _exit(1);
        for (;;) {
                while (waitpid(-1, NULL, WNOHANG) > 0)
                        ;
                sigwait(&all, &signal);
        }
}

int shim_holder_start(int *ret_pid_fd, pid_t *ret_pid) {
        _cleanup_close_ int ready = -EBADF, theirs = -EBADF, pid_fd = -EBADF;
        int pipes[2];
        pid_t pid;
        char byte;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return -errno;
        ready = pipes[0];
        theirs = pipes[1];
        pid = sys_clone(CLONE_NEWPID, -EBADF, &pid_fd);
        if (pid < 0)
                return -errno;
        if (pid == 0)
                hold(theirs);
        theirs = close_fd(theirs);
        if (read(ready, &byte, 1) != 1)
                return -EPERM;
        *ret_pid_fd = TAKE_FD(pid_fd);
        *ret_pid = pid;
        return 0;
}
