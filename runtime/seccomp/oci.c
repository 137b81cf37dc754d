#include "runtime/seccomp/oci.h"

#include <linux/seccomp.h>
#include <stddef.h>

#include "lib/cleanup.h"
#include "lib/json_writer.h"

static const struct {
        uint32_t native;
        const char *names[4]; /* with those whose programs its kernel also runs */
} architectures[] = {
        { SCMP_ARCH_X86_64, { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32" } },
        { SCMP_ARCH_AARCH64, { "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM" } },
        { SCMP_ARCH_S390X, { "SCMP_ARCH_S390X", "SCMP_ARCH_S390" } },
        { SCMP_ARCH_PPC64LE, { "SCMP_ARCH_PPC64LE" } },
        { SCMP_ARCH_RISCV64, { "SCMP_ARCH_RISCV64" } },
};

static const struct {
        uint32_t action; /* without its data */
        const char *name;
} actions[] = {
        { SCMP_ACT_KILL_PROCESS, "SCMP_ACT_KILL_PROCESS" },
        { SCMP_ACT_KILL_THREAD, "SCMP_ACT_KILL_THREAD" },
        { SCMP_ACT_TRAP, "SCMP_ACT_TRAP" },
        { SCMP_ACT_ERRNO(0), "SCMP_ACT_ERRNO" },
        { SCMP_ACT_TRACE(0), "SCMP_ACT_TRACE" },
        { SCMP_ACT_LOG, "SCMP_ACT_LOG" },
        { SCMP_ACT_ALLOW, "SCMP_ACT_ALLOW" },
};

static const char *const operators[] = {
        [SCMP_CMP_NE] = "SCMP_CMP_NE",
        [SCMP_CMP_LT] = "SCMP_CMP_LT",
        [SCMP_CMP_LE] = "SCMP_CMP_LE",
        [SCMP_CMP_EQ] = "SCMP_CMP_EQ",
        [SCMP_CMP_GE] = "SCMP_CMP_GE",
        [SCMP_CMP_GT] = "SCMP_CMP_GT",
        [SCMP_CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

static const struct {
        uint32_t flag;
        const char *name;
} flag_names[] = {
        { SECCOMP_FILTER_FLAG_TSYNC, "SECCOMP_FILTER_FLAG_TSYNC" },
        { SECCOMP_FILTER_FLAG_LOG, "SECCOMP_FILTER_FLAG_LOG" },
        { SECCOMP_FILTER_FLAG_SPEC_ALLOW, "SECCOMP_FILTER_FLAG_SPEC_ALLOW" },
};

static void add_action(struct json_writer *w, uint32_t action, const char *key, const char *errno_key) {
        uint32_t kind = action & SECCOMP_RET_ACTION_FULL;

        for (size_t i = 0; i < ELEMENTS(actions); i++)
                if (actions[i].action == kind)
                        json_add_string(w, key, actions[i].name);
        if (kind == SCMP_ACT_ERRNO(0) || kind == SCMP_ACT_TRACE(0))
                json_add_int(w, errno_key, action & SECCOMP_RET_DATA);
}

void seccomp_oci_begin(struct json_writer *w, uint32_t action) {
        uint32_t native = seccomp_arch_native();

        json_begin_map(w);
        add_action(w, action, "defaultAction", "defaultErrnoRet");
        json_key(w, "architectures");
        json_begin_list(w);
        for (size_t i = 0; i < ELEMENTS(architectures); i++)
                for (size_t j = 0; architectures[i].native == native && architectures[i].names[j]; j++)
                        json_string(w, architectures[i].names[j]);
        json_end_list(w);
        json_key(w, "syscalls");
        json_begin_list(w);
}

void seccomp_oci_rule(struct json_writer *w, uint32_t action, const char *name, const struct scmp_arg_cmp *conditions,
                      unsigned n) {
        json_begin_map(w);
        json_key(w, "names");
        json_begin_list(w);
        json_string(w, name);
        json_end_list(w);
        add_action(w, action, "action", "errnoRet");
        if (n > 0) {
                json_key(w, "args");
                json_begin_list(w);
                for (unsigned i = 0; i < n; i++) {
                        json_begin_map(w);
                        json_add_int(w, "index", conditions[i].arg);
                        json_key(w, "value");
                        json_uint(w, conditions[i].datum_a);
                        json_key(w, "valueTwo");
                        json_uint(w, conditions[i].datum_b);
                        json_add_string(w, "op", operators[conditions[i].op]);
                        json_end_map(w);
                }
                json_end_list(w);
        }
        json_end_map(w);
}

void seccomp_oci_end(struct json_writer *w, uint32_t flags) {
        json_end_list(w);
        if (flags) {
                json_key(w, "flags");
                json_begin_list(w);
                for (size_t i = 0; i < ELEMENTS(flag_names); i++)
                        if (flags & flag_names[i].flag)
                                json_string(w, flag_names[i].name);
                json_end_list(w);
        }
        json_end_map(w);
}
