#include "runtime/plan/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/sys.h"

static const char *source_name(const struct mount_spec *mount) {
        return mount->source ? mount->source : mount->destination;
}

static int set_attributes(int tree, const struct mount_spec *mount, struct err **err) {
        unsigned long propagation = mount->propagation ? mount->propagation : MS_PRIVATE | MS_REC;
        struct sys_mount_attr attr = { .propagation = propagation & ~(unsigned long)MS_REC };
        unsigned flags = AT_EMPTY_PATH | (mount->recursive_attributes ? AT_RECURSIVE : 0);
        bool single = !mount->recursive && !mount->detached; /* all is said of one mount, in one call */

        if (!single) {
                if (sys_mount_setattr(tree, "", AT_EMPTY_PATH | (propagation & MS_REC ? AT_RECURSIVE : 0), &attr) < 0)
                        return err_errno(err, errno, "mount propagation of %s", source_name(mount));
                attr.propagation = 0;
        }
        attr.attr_set = mount->attributes;
        attr.attr_clr = mount->attributes_clear;
        /* The time policy is one field: setting one of it means clearing the field. */
        if (attr.attr_set & MOUNT_ATTR__ATIME)
                attr.attr_clr |= MOUNT_ATTR__ATIME;
        if ((single || attr.attr_set || attr.attr_clr) && sys_mount_setattr(tree, "", flags, &attr) < 0)
                return err_errno(err, errno, "mount options of %s", source_name(mount));
        return 0;
}

int bind_open(const struct mount_spec *mount, int user_fd, int *ret_tree, bool *ret_directory, struct err **err) {
        unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (mount->recursive ? AT_RECURSIVE : 0);
        struct sys_mount_attr attr;
        _cleanup_close_ int tree = -EBADF;
        struct stat st;
        int r;

        if (mount->detached)
                tree = fcntl(mount->source_fd, F_DUPFD_CLOEXEC, 3);
        else if (mount->source_fd >= 0)
                tree = sys_open_tree(mount->source_fd, "", flags | AT_EMPTY_PATH);
        else
                tree = sys_open_tree(AT_FDCWD, mount->source, flags);
        if (tree < 0 || fstat(tree, &st) < 0)
                return err_errno(err, errno, "bind mount source %s", source_name(mount));
        r = set_attributes(tree, mount, err);
        if (r < 0)
                return r;
        if (mount->idmap) {
                attr = (struct sys_mount_attr){ .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_fd };
                if (sys_mount_setattr(tree, "", AT_EMPTY_PATH | (mount->recursive ? AT_RECURSIVE : 0), &attr) < 0)
                        return err_errno(err, errno, "idmapped mount of %s (its file system must support that)",
                                         source_name(mount));
        }
        *ret_tree = TAKE_FD(tree);
        *ret_directory = S_ISDIR(st.st_mode);
        return 0;
}
