#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/oci/oci.h"
#include "runtime/sys.h"

/* Options of mount(8) and runc that are the mount's, not the file system's. */
static const struct {
        const char *name;
        uint64_t set, clear;
        unsigned long propagation;
        bool recursive;
} options[] = {
        { "ro", MOUNT_ATTR_RDONLY, 0, 0, false },
        { "rw", 0, MOUNT_ATTR_RDONLY, 0, false },
        { "nosuid", MOUNT_ATTR_NOSUID, 0, 0, false },
        { "suid", 0, MOUNT_ATTR_NOSUID, 0, false },
        { "nodev", MOUNT_ATTR_NODEV, 0, 0, false },
        { "dev", 0, MOUNT_ATTR_NODEV, 0, false },
        { "noexec", MOUNT_ATTR_NOEXEC, 0, 0, false },
        { "exec", 0, MOUNT_ATTR_NOEXEC, 0, false },
        { "noatime", MOUNT_ATTR_NOATIME, 0, 0, false },
        { "atime", 0, MOUNT_ATTR_NOATIME, 0, false },
        { "nodiratime", MOUNT_ATTR_NODIRATIME, 0, 0, false },
        { "diratime", 0, MOUNT_ATTR_NODIRATIME, 0, false },
        { "relatime", 0, MOUNT_ATTR__ATIME, 0, false },
        { "norelatime", 0, 0, 0, false },
        { "strictatime", MOUNT_ATTR_STRICTATIME, 0, 0, false },
        { "nostrictatime", 0, 0, 0, false },
        { "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0, 0, false },
        { "symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW, 0, false },
        { "rro", MOUNT_ATTR_RDONLY, 0, 0, true },
        { "rrw", 0, MOUNT_ATTR_RDONLY, 0, true },
        { "rnosuid", MOUNT_ATTR_NOSUID, 0, 0, true },
        { "rsuid", 0, MOUNT_ATTR_NOSUID, 0, true },
        { "rnodev", MOUNT_ATTR_NODEV, 0, 0, true },
        { "rdev", 0, MOUNT_ATTR_NODEV, 0, true },
        { "rnoexec", MOUNT_ATTR_NOEXEC, 0, 0, true },
        { "rexec", 0, MOUNT_ATTR_NOEXEC, 0, true },
        { "rnoatime", MOUNT_ATTR_NOATIME, 0, 0, true },
        { "ratime", 0, MOUNT_ATTR_NOATIME, 0, true },
        { "rnodiratime", MOUNT_ATTR_NODIRATIME, 0, 0, true },
        { "rdiratime", 0, MOUNT_ATTR_NODIRATIME, 0, true },
        { "rrelatime", 0, MOUNT_ATTR__ATIME, 0, true },
        { "rstrictatime", MOUNT_ATTR_STRICTATIME, 0, 0, true },
        { "rnosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0, 0, true },
        { "rsymfollow", 0, MOUNT_ATTR_NOSYMFOLLOW, 0, true },
        { "private", 0, 0, MS_PRIVATE, false },
        { "rprivate", 0, 0, MS_PRIVATE | MS_REC, false },
        { "slave", 0, 0, MS_SLAVE, false },
        { "rslave", 0, 0, MS_SLAVE | MS_REC, false },
        { "shared", 0, 0, MS_SHARED, false },
        { "rshared", 0, 0, MS_SHARED | MS_REC, false },
        { "unbindable", 0, 0, MS_UNBINDABLE, false },
        { "runbindable", 0, 0, MS_UNBINDABLE | MS_REC, false },
        { "defaults", 0, 0, 0, false },
        { "async", 0, 0, 0, false },
        { "silent", 0, 0, 0, false },
        { "loud", 0, 0, 0, false },
        { "nomand", 0, 0, 0, false },
};

static bool apply_option(struct mount_spec *mount, const char *option, bool *bind) {
        if (strcmp(option, "bind") == 0 || strcmp(option, "rbind") == 0) {
                *bind = true;
                mount->recursive |= option[0] == 'r';
                return true;
        }
        if (strcmp(option, "idmap") == 0 || strcmp(option, "ridmap") == 0) {
                mount->idmap = true;
                return true;
        }
        for (size_t i = 0; i < ELEMENTS(options); i++) {
                if (strcmp(options[i].name, option) != 0)
                        continue;
                mount->attributes = (mount->attributes & ~options[i].clear) | options[i].set;
                mount->attributes_clear = (mount->attributes_clear & ~options[i].set) | options[i].clear;
                mount->recursive_attributes |= options[i].recursive;
                if (options[i].propagation)
                        mount->propagation = options[i].propagation;
                return true;
        }
        return false;
}

static int read_options(struct oci *oci, const struct member_list *list, struct mount_spec *mount, bool *bind,
                        struct err **err) {
        const char *data = "";

        for (size_t i = 0; i < list->n; i++) {
                const char *option = *MEMBER_AT(*list, const char *, i);

                if (strcmp(option, "tmpcopyup") == 0) {
                        mount->copy_up = true;
                        continue;
                }
                if (strcmp(option, "remount") == 0)
                        return err_set(err, ENOTSUP, "mount option %s of %s: not supported", option,
                                       mount->destination);
                if (apply_option(mount, option, bind))
                        continue;
                data = arena_printf(oci->arena, "%s%s%s", data, data[0] ? "," : "", option);
                if (!data)
                        return err_set(err, ENOMEM, "out of memory");
        }
        mount->options = data;
        return 0;
}

static int read_mappings(struct oci *oci, const struct member_list *list, const struct id_mapping **ret_map,
                         size_t *ret_n, struct err **err) {
        struct id_mapping *map = arena_alloc_array(oci->arena, list->n + 1, sizeof(*map));

        if (!map)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < list->n; i++) {
                const struct oci_document_mapping *from = MEMBER_AT(*list, struct oci_document_mapping, i);

                map[i] = (struct id_mapping){ (uint32_t)from->container.u, (uint32_t)from->host.u,
                                              (uint32_t)from->size.u };
        }
        *ret_map = map;
        *ret_n = list->n;
        return 0;
}

int oci_config_mappings(struct oci *oci, const struct member_list *uids, const struct member_list *gids,
                        struct id_mappings *mappings, struct err **err) {
        int r = read_mappings(oci, uids, &mappings->uids, &mappings->n_uids, err);

        return r < 0 ? r : read_mappings(oci, gids, &mappings->gids, &mappings->n_gids, err);
}

static int read_mount(struct oci *oci, const struct oci_document_mount *from, const char *bundle,
                      struct mount_spec *mount, struct err **err) {
        const char *destination = from->destination ?: "";
        bool bind = false;
        int r;

        mount_spec_init(mount);
        mount->destination = destination[0] == '/' ? destination : arena_printf(oci->arena, "/%s", destination);
        mount->type = from->type;
        mount->source = from->source;
        if ((r = read_options(oci, &from->options, mount, &bind, err)) < 0 ||
            (r = oci_config_mappings(oci, &from->uid_mappings, &from->gid_mappings, &mount->mappings, err)) < 0)
                return r;
        mount->idmap |= mount->mappings.n_uids > 0;
        if (mount->copy_up && (!mount->type || strcmp(mount->type, "tmpfs") != 0))
                return err_set(err, EINVAL, "mount option tmpcopyup of %s: for a tmpfs only", mount->destination);
        if (bind || !mount->type || strcmp(mount->type, "bind") == 0 || strcmp(mount->type, "none") == 0) {
                mount->type = NULL;
                if (mount->source && mount->source[0] != '/')
                        mount->source = arena_printf(oci->arena, "%s/%s", bundle, mount->source);
        } else if (strcmp(mount->type, "cgroup2") == 0) {
                mount->type = "cgroup";
        }
        return 0;
}

int oci_config_mounts(struct oci *oci, const struct member_list *list, const char *bundle, struct container_spec *spec,
                      struct err **err) {
        struct mount_spec *mounts = arena_alloc_array(oci->arena, list->n + 1, sizeof(*mounts));

        if (!mounts)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < list->n; i++) {
                int r = read_mount(oci, MEMBER_AT(*list, struct oci_document_mount, i), bundle, &mounts[i], err);

                if (r < 0)
                        return r;
        }
        spec->mounts = mounts;
        spec->n_mounts = list->n;
        return 0;
}
