/* Which sysctls a container may set, and where they are. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/plan/prepare.h"

#define SYSCTL_KEY_MAX 256

/* A sysctl's path below /proc/sys. Keys as sysctl(8) and Kubernetes take them: the first separator, dot or slash, is
 * the one; the other is then part of a name (net.ipv4.conf.eth0/100.forwarding). -EINVAL: not a key. */
static int path_of(const char *key, char *ret_key, size_t size) {
        bool dots = key[strcspn(key, "./")] == '.';

        if (strlen(key) >= size || strstr(key, "..") || key[0] == '\0')
                return -EINVAL;
        strcpy(ret_key, key);
        for (char *p = ret_key; *p && dots; p++)
                *p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
        return 0;
}

/* What the kernel keeps for each namespace, below /proc/sys; a "/" at the end stands for all below. */
static const struct {
        uint64_t namespace_;
        const char *key;
} namespaced[] = {
        { CLONE_NEWNET, "net/" },
        { CLONE_NEWIPC, "fs/mqueue/" },
        { CLONE_NEWIPC, "kernel/msgmax" },
        { CLONE_NEWIPC, "kernel/msgmnb" },
        { CLONE_NEWIPC, "kernel/msgmni" },
        { CLONE_NEWIPC, "kernel/sem" },
        { CLONE_NEWIPC, "kernel/shmall" },
        { CLONE_NEWIPC, "kernel/shmmax" },
        { CLONE_NEWIPC, "kernel/shmmni" },
        { CLONE_NEWIPC, "kernel/shm_rmid_forced" },
        { CLONE_NEWUTS, "kernel/domainname" },
};

static bool is_namespaced(const char *key, uint64_t own) {
        for (size_t i = 0; i < ELEMENTS(namespaced); i++) {
                size_t n = strlen(namespaced[i].key);

                if (namespaced[i].namespace_ & own &&
                    (namespaced[i].key[n - 1] == '/' ? strncmp(key, namespaced[i].key, n) == 0 :
                                                       strcmp(key, namespaced[i].key) == 0))
                        return true;
        }
        return false;
}

int prepare_sysctls(const struct key_value *sysctls, size_t n, uint64_t own, struct plan *plan, struct err **err) {
        for (size_t i = 0; i < n; i++) {
                char key[SYSCTL_KEY_MAX];
                const char *strings[2] = { key, sysctls[i].value };

                if (path_of(sysctls[i].key, key, sizeof(key)) < 0)
                        return err_set(err, EINVAL, "sysctl \"%s\": not a key", sysctls[i].key);
                if (!is_namespaced(key, own))
                        return err_set(err, EPERM,
                                       "sysctl \"%s\": not of a namespace that is the pod's or container's own",
                                       sysctls[i].key);
                plan_add_strings(plan, PLAN_SYSCTL, -1, strings, 2);
        }
        return 0;
}
