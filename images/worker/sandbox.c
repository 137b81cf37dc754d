#include "images/worker/sandbox.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* By version of the interface; headers may be older than the kernel. */
#define ACCESS_REFER (1ULL << 13)    /* 2: link and rename between directories */
#define ACCESS_TRUNCATE (1ULL << 14) /* 3 */

#define ACCESS_1                                                                                                       \
        (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                  \
         LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                 \
         LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                   \
         LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static int add_rule(int ruleset, int directory, unsigned long long access) {
        struct landlock_path_beneath_attr rule = { .allowed_access =
                                                           access & ~(unsigned long long)LANDLOCK_ACCESS_FS_EXECUTE,
                                                   .parent_fd = directory };

        return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

int sandbox_enter(int directory, struct err **err) {
        struct landlock_ruleset_attr attr = { .handled_access_fs = ACCESS_1 };
        long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        _cleanup_close_ int ruleset = -EBADF;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return err_errno(err, errno, "set no-new-privileges");
        if (version < 2) /* the first version forbids links between directories, which layers need */
                return 0;
        attr.handled_access_fs |= ACCESS_REFER | (version >= 3 ? ACCESS_TRUNCATE : 0);
        ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
        if (ruleset < 0)
                return err_errno(err, errno, "make a landlock ruleset");
        if (add_rule(ruleset, directory, attr.handled_access_fs) < 0 ||
            syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                return err_errno(err, errno, "enter the landlock ruleset");
        return 0;
}
