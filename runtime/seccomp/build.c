#include "runtime/seccomp/build.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/seccomp/seccomp.h"
#include "runtime/seccomp/oci.h"

/* A call number with this bit is one of x32, not a high number of x86-64. */
#define X32_BIT 0x40000000u

/* The architectures whose programs a native kernel also runs. */
static const struct {
        uint32_t native;
        uint32_t others[2];
} families[] = {
        { SCMP_ARCH_X86_64, { SCMP_ARCH_X86, SCMP_ARCH_X32 } },
        { SCMP_ARCH_AARCH64, { SCMP_ARCH_ARM, 0 } },
        { SCMP_ARCH_S390X, { SCMP_ARCH_S390, 0 } },
};

int seccomp_build_begin(struct seccomp_build *build, const char *name, uint32_t action, struct err **err) {
        uint32_t native = seccomp_arch_native();

        *build = (struct seccomp_build){
                .context = seccomp_init(action), .highest = -1, .name = name, .oci = build->oci
        };
        if (!build->context)
                return err_set(err, ENOMEM, "seccomp profile %s: cannot begin a filter", name);
        for (size_t i = 0; i < ELEMENTS(families); i++)
                for (size_t j = 0; families[i].native == native && j < 2 && families[i].others[j]; j++)
                        if (seccomp_arch_add(build->context, families[i].others[j]) < 0)
                                return err_set(err, EINVAL, "seccomp profile %s: cannot add an architecture", name);
        /* no_new_privileges is the container's to choose, and a binary tree costs a call 9 comparisons, not 300. */
        seccomp_attr_set(build->context, SCMP_FLTATR_CTL_NNP, 0);
        seccomp_attr_set(build->context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        if (build->oci)
                seccomp_oci_begin(build->oci, action);
        return 0;
}

int seccomp_build_rule(struct seccomp_build *build, uint32_t action, const char *name,
                       const struct scmp_arg_cmp *conditions, unsigned n, struct err **err) {
        int number = seccomp_syscall_resolve_name(name), r;

        if (number == __NR_SCMP_ERROR)
                return 0;
        if (number > build->highest)
                build->highest = number;
        r = seccomp_rule_add_array(build->context, action, number, n, conditions);
        /* EACCES: the rule's action is the default one, which needs no rule. EDOM: no such call on one architecture. */
        if (r < 0 && r != -EACCES && r != -EDOM && r != -EEXIST)
                return err_errno(err, -r, "seccomp profile %s: rule for %s", build->name, name);
        if (build->oci && r != -EACCES)
                seccomp_oci_rule(build->oci, action, name, conditions, n);
        return 0;
}

void seccomp_build_end_oci(struct seccomp_build *build) {
        seccomp_oci_end(build->oci, build->flags);
}

/* The library's program in a memory file: it writes to descriptors only. */
static int export(struct seccomp_build *build, int *ret_fd, size_t *ret_size, struct err **err) {
        _cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
        struct stat st;
        int r;

        if (fd < 0)
                return err_errno(err, errno, "seccomp profile %s: memory file", build->name);
        r = seccomp_export_bpf(build->context, fd);
        if (r < 0 || fstat(fd, &st) < 0)
                return err_errno(err, r < 0 ? -r : errno, "seccomp profile %s: compile", build->name);
        if ((size_t)st.st_size > (SECCOMP_INSTRUCTIONS_MAX - 8) * sizeof(struct sock_filter))
                return err_set(err, E2BIG, "seccomp profile %s: more than %d instructions", build->name,
                               SECCOMP_INSTRUCTIONS_MAX);
        *ret_fd = TAKE_FD(fd);
        *ret_size = (size_t)st.st_size;
        return 0;
}

/* Writes the instructions that answer ENOSYS to calls beyond @highest; returns how many. */
static unsigned newer_calls(struct sock_filter *out, int highest) {
        uint32_t native = seccomp_arch_native();
        bool x32 = native == SCMP_ARCH_X86_64;
        unsigned n = 0;

        out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
        out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, native, 0, (uint8_t)(x32 ? 4 : 3));
        out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        if (x32)
                out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0);
        out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)highest, 0, 1);
        out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
        return n;
}

int seccomp_build_end(struct seccomp_build *build, struct seccomp_filter **ret_filter, struct err **err) {
        _cleanup_free_ struct seccomp_filter *filter = NULL;
        struct sock_filter *program;
        _cleanup_close_ int fd = -EBADF;
        unsigned n = 0;
        size_t size = 0;
        int r;

        r = export(build, &fd, &size, err);
        if (r < 0)
                return r;
        filter = malloc(sizeof(*filter) + 8 * sizeof(struct sock_filter) + size);
        if (!filter)
                return err_set(err, ENOMEM, "seccomp profile %s: out of memory", build->name);
        program = (struct sock_filter *)(filter + 1);
        if (build->highest >= 0)
                n = newer_calls(program, build->highest);
        if (pread(fd, program + n, size, 0) != (ssize_t)size)
                return err_set(err, EIO, "seccomp profile %s: cannot read the filter back", build->name);
        filter->program = program;
        filter->size = n * sizeof(struct sock_filter) + size;
        filter->flags = build->flags;
        *ret_filter = TAKE_PTR(filter);
        return 0;
}

void seccomp_build_free(struct seccomp_build *build) {
        if (build->context)
                seccomp_release(build->context);
        build->context = NULL;
}
