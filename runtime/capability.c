#include "runtime/capability.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>

#include "lib/err.h"

#define BIT(name) ((uint64_t)1 << (name))

/* In the order of their numbers (linux/capability.h). */
/* clang-format off */
static const char *const names[] = {
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
        "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
        "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
        "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};
/* clang-format on */
#define NAMES (sizeof(names) / sizeof(names[0]))

uint64_t capability_all(void) {
        static _Atomic uint64_t all;

        if (all == 0) {
                uint64_t mask = 0;

                for (unsigned i = 0; i < NAMES; i++)
                        if (cap_get_bound((cap_value_t)i) >= 0)
                                mask |= BIT(i);
                all = mask;
        }
        return all;
}

uint64_t capability_default(void) {
        return BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) | BIT(CAP_MKNOD) |
               BIT(CAP_NET_RAW) | BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) |
               BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE);
}

int capability_parse(const char *name, uint64_t *ret_mask, struct err **err) {
        const char *plain = strncasecmp(name, "CAP_", 4) == 0 ? name + 4 : name;

        if (strcasecmp(name, "ALL") == 0) {
                *ret_mask = capability_all();
                return 0;
        }
        for (unsigned i = 0; i < NAMES; i++)
                if (strcasecmp(names[i] + 4, plain) == 0) {
                        *ret_mask = BIT(i) & capability_all();
                        return 0;
                }
        return err_set(err, EINVAL, "unknown capability \"%s\"", name);
}

const char *capability_name(unsigned number) {
        return number < NAMES ? names[number] : NULL;
}
