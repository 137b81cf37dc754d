#include "agent/volumes/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volumes/hugepages.h"
#include "agent/volumes/tmpfs.h"
#include "agent/volumes/tree.h"
#include "agent/volumes/written.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* -- hostPath ---------------------------------------------------------------------------------------------- */

static const struct host_type {
        const char *name;
        mode_t type;
        const char *what; /* kubelet's words */
} host_types[] = {
        { "DirectoryOrCreate", S_IFDIR, "a directory" }, { "Directory", S_IFDIR, "a directory" },
        { "FileOrCreate", S_IFREG, "a file" },           { "File", S_IFREG, "a file" },
        { "Socket", S_IFSOCK, "a socket file" },         { "CharDevice", S_IFCHR, "a character device" },
        { "BlockDevice", S_IFBLK, "a block device" },
};

static const struct host_type *host_type(const char *name) {
        for (size_t i = 0; i < ELEMENTS(host_types); i++)
                if (kube_is(name, host_types[i].name))
                        return &host_types[i];
        return NULL;
}

static int make_host_path(const struct kube_host_path_volume_source *wanted, struct err **err) {
        int fd;

        if (kube_is(wanted->type, "DirectoryOrCreate"))
                return pod_tree_make(wanted->path, 0755, err);
        if (!kube_is(wanted->type, "FileOrCreate"))
                return err_set(err, ENOENT, "hostPath type check failed: %s does not exist", wanted->path);
        fd = open(wanted->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
                return err_errno(err, errno, "cannot create the file %s", wanted->path);
        close(fd);
        return 0;
}

/* Without a type no check is made. */
static int check_host_path(const struct kube_host_path_volume_source *wanted, struct err **err) {
        const struct host_type *type;
        struct stat st;

        if (!wanted->type || !wanted->type[0])
                return 0;
        type = host_type(wanted->type);
        if (!type)
                return err_set(err, EINVAL, "hostPath type check failed: there is no type %s", wanted->type);
        if (stat(wanted->path, &st) < 0)
                return errno == ENOENT ? make_host_path(wanted, err) :
                                         err_errno(err, errno, "hostPath type check failed: %s", wanted->path);
        if ((st.st_mode & S_IFMT) != type->type)
                return err_set(err, EINVAL, "hostPath type check failed: %s is not %s", wanted->path, type->what);
        return 0;
}

/* -- emptyDir ---------------------------------------------------------------------------------------------- */

static int set_group(const struct pod_files *files, const char *path, struct err **err) {
        const struct kube_pod_security_context *security = files->pod->spec.security_context;

        if (!security || !security->fs_group.set)
                return 0;
        return pod_tree_set_group(path, (gid_t)security->fs_group.value, false,
                                  kube_is(security->fs_group_change_policy, "OnRootMismatch"), err);
}

static int make_empty_dir(const struct pod_files *files, const struct kube_empty_dir_volume_source *wanted,
                          const char *path, struct err **err) {
        const char *medium = wanted->medium ?: "";
        int r;

        if ((r = pod_tree_make(path, 0777, err)) < 0 ||
            (strcmp(medium, "Memory") == 0 &&
             (r = tmpfs_make(files, quantity_units(wanted->size_limit.amount), path, err)) < 0) ||
            (strncmp(medium, "HugePages", 9) == 0 && (r = hugepages_make(files, medium, path, err)) < 0))
                return r;
        return set_group(files, path, err);
}

/* -- all --------------------------------------------------------------------------------------------------- */

/* The folder of the plugin; NULL: the volume has none. */
static const char *plugin_of(const struct kube_volume *volume) {
        return volume->host_path    ? NULL :
               volume->downward_api ? "downward-api" :
               volume->projected    ? "projected" :
               volume->config_map   ? "configmap" :
               volume->secret       ? "secret" :
                                      "empty-dir";
}

const char *volumes_path(struct arena *arena, const char *dir, const struct kube_volume *volume) {
        const char *plugin = plugin_of(volume);

        return plugin ? arena_printf(arena, "%s/volumes/kubernetes.io~%s/%s", dir, plugin, volume->name) :
                        volume->host_path->path;
}

static int make_one(const struct pod_files *files, const struct kube_volume *volume, size_t *left, struct err **err) {
        const struct kube_field *kind = pod_volume_source(volume, NULL);
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *path = arena ? volumes_path(arena, files->dir, volume) : NULL;

        if (!path)
                return err_set(err, ENOMEM, "out of memory");
        if (volume->host_path)
                return check_host_path(volume->host_path, err);
        if (volume->empty_dir)
                return make_empty_dir(files, volume->empty_dir, path, err);
        if (written_is(volume))
                return written_make(files, volume, path, left, err);
        if (volume->image)
                return 0; /* cri mounts it */
        return err_set(err, EOPNOTSUPP, "nothing here mounts volumes of type %s", kind ? kind->name : "unknown");
}

static int make_named(const struct pod_files *files, const struct kube_volume *volume, size_t *left, struct err **err) {
        int r = make_one(files, volume, left, err);

        return r < 0 ? err_wrap(err, r, "MountVolume.SetUp failed for volume \"%s\" ", volume->name) : 0;
}

int volumes_make(const struct pod_files *files, struct err **err) {
        size_t left = WRITTEN_BYTES_MAX;
        int r;

        list_for_each (volume, &files->pod->spec.volumes)
                if ((r = make_named(files, volume, &left, err)) < 0)
                        return r;
        return 0;
}

/* One that fails keeps no other from being what it should be. */
int volumes_update(const struct pod_files *files, struct err **err) {
        size_t left = WRITTEN_BYTES_MAX;
        int result = 0;

        list_for_each (volume, &files->pod->spec.volumes) {
                int r = written_is(volume) ? make_named(files, volume, &left, result ? NULL : err) : 0;

                result = result ?: r;
        }
        return result;
}

void volumes_unmount(const struct pod_files *files) {
        list_for_each (volume, &files->pod->spec.volumes) {
                _cleanup_arena_ struct arena *arena = arena_new();
                const char *path = arena && written_is(volume) ? volumes_path(arena, files->dir, volume) : NULL;

                if (path)
                        umount2(path, UMOUNT_NOFOLLOW);
        }
}
