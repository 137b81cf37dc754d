#include "agent/volumes/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volumes/atomic_writer.h"
#include "agent/config/options.h"
#include "agent/volumes/tree.h"
#include "kube/pod/resources.h"
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

static bool is_mounted(const char *path) {
        _cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat st, above;

        return fd >= 0 && fstat(fd, &st) == 0 && fstatat(fd, "..", &above, 0) == 0 && st.st_dev != above.st_dev;
}

/* A tmpfs counts against the pod's memory: its size is the limit given, or the pod's, or the node's. */
static int64_t tmpfs_size(const struct pod_files *files, const struct kube_empty_dir_volume_source *wanted) {
        int64_t size = files->node_memory, given = quantity_units(wanted->size_limit.amount);
        struct quantity limit;

        if (pod_limit(files->pod, "memory", &limit) && quantity_units(limit) < size)
                size = quantity_units(limit);
        return given > 0 && given < size ? given : size;
}

static int make_tmpfs(const struct pod_files *files, const struct kube_empty_dir_volume_source *wanted,
                      const char *path, struct err **err) {
        char options[64];

        if (is_mounted(path))
                return 0;
        snprintf(options, sizeof(options), "mode=0777,size=%lld", (long long)tmpfs_size(files, wanted));
        if (mount("tmpfs", path, "tmpfs", MS_NODEV | MS_NOSUID, options) < 0)
                return err_errno(err, errno, "cannot mount a tmpfs (%s) at %s", options, path);
        return 0;
}

static int make_hugepages(const struct pod_files *files, const struct kube_empty_dir_volume_source *wanted,
                          const char *path, struct err **err) {
        char options[64] = "";

        if (is_mounted(path))
                return 0;
        if (wanted->medium[strlen("HugePages")] == '-')
                snprintf(options, sizeof(options), "pagesize=%.*s", (int)strlen(wanted->medium + 10) - 1,
                         wanted->medium + 10);
        if (mount("nodev", path, "hugetlbfs", 0, options) < 0)
                return err_errno(err, errno, "cannot mount hugetlbfs (%s) at %s", options, path);
        return 0;
}

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
            (strcmp(medium, "Memory") == 0 && (r = make_tmpfs(files, wanted, path, err)) < 0) ||
            (strncmp(medium, "HugePages", 9) == 0 && (r = make_hugepages(files, wanted, path, err)) < 0))
                return r;
        return set_group(files, path, err);
}

/* -- downwardAPI and projected ----------------------------------------------------------------------------- */

static int downward_text(const struct pod_files *files, struct arena *arena,
                         const struct kube_downward_api_volume_file *item, const char **ret_text, struct err **err) {
        const struct kube_container *container;

        if (item->field_ref)
                return pod_field_value(arena, files->pod, &files->facts, item->field_ref->field_path, ret_text, err);
        if (!item->resource_field_ref)
                return err_set(err, EINVAL, "file %s has no source", item->path);
        container = item->resource_field_ref->container_name ?
                            pod_find_container(files->pod, item->resource_field_ref->container_name) :
                            NULL;
        if (!container)
                return err_set(err, EINVAL, "no container %s", item->resource_field_ref->container_name);
        return pod_resource_value(arena, &(struct pod_place){ files->pod, container, &files->facts },
                                  item->resource_field_ref, ret_text, err);
}

/* Mode of a file: its own, or the volume's; readable for the group when there is an fsGroup. */
static mode_t file_mode(const struct pod_files *files, const struct opt_int *own, const struct opt_int *shared) {
        mode_t mode = own->set ? (mode_t)own->value : shared->set ? (mode_t)shared->value : POD_VOLUME_MODE_DEFAULT;

        return files->pod->spec.security_context && files->pod->spec.security_context->fs_group.set ? mode | 0440 :
                                                                                                      mode;
}

/* A volume's files as they are put together. */
struct written {
        const struct pod_files *files;
        struct arena *arena;
        struct atomic_file *list; /* ATOMIC_FILES_MAX */
        size_t n;
};

static int add_downward(struct written *w, const kube_downward_api_volume_file_items *items, const struct opt_int *mode,
                        struct err **err) {
        list_for_each (item, items) {
                const char *text = NULL;
                int r;

                if (w->n == ATOMIC_FILES_MAX)
                        return err_set(err, E2BIG, "more than %d files", ATOMIC_FILES_MAX);
                if ((r = downward_text(w->files, w->arena, item, &text, err)) < 0)
                        return r;
                w->list[w->n++] = (struct atomic_file){ .path = item->path,
                                                        .data = text,
                                                        .length = strlen(text),
                                                        .mode = file_mode(w->files, &item->mode, mode) };
        }
        return 0;
}

/* The field of @source that cannot be had yet; NULL: none. */
static const char *missing_source(const struct kube_volume_projection *source) {
        return source->service_account_token ? "serviceAccountToken" :
               source->config_map            ? "configMap" :
               source->secret                ? "secret" :
               source->cluster_trust_bundle  ? "clusterTrustBundle" :
               source->pod_certificate       ? "podCertificate" :
                                               NULL;
}

static int add_sources(struct written *w, const struct kube_volume *volume, struct err **err) {
        int r;

        if (volume->downward_api)
                return add_downward(w, &volume->downward_api->items, &volume->downward_api->default_mode, err);
        list_for_each (source, &volume->projected->sources) {
                if (missing_source(source))
                        return err_set(err, EOPNOTSUPP, "nothing here makes projected sources of type %s",
                                       missing_source(source));
                if (source->downward_api &&
                    (r = add_downward(w, &source->downward_api->items, &volume->projected->default_mode, err)) < 0)
                        return r;
        }
        return 0;
}

static int make_written(const struct pod_files *files, const struct kube_volume *volume, const char *path,
                        struct err **err) {
        const struct kube_pod_security_context *security = files->pod->spec.security_context;
        gid_t gid = security && security->fs_group.set ? (gid_t)security->fs_group.value : (gid_t)-1;
        _cleanup_arena_ struct arena *arena = arena_new();
        struct written w = { .files = files, .arena = arena };
        int r;

        if (!arena || !(w.list = arena_alloc_array(arena, ATOMIC_FILES_MAX, sizeof(*w.list))))
                return err_set(err, ENOMEM, "out of memory");
        if ((r = add_sources(&w, volume, err)) < 0 || (r = pod_tree_make(path, 0777, err)) < 0)
                return r;
        return atomic_write(path, w.list, w.n, gid, err);
}

/* -- all --------------------------------------------------------------------------------------------------- */

const char *volumes_path(struct arena *arena, const char *dir, const struct kube_volume *volume) {
        const char *plugin = volume->downward_api ? "downward-api" : volume->projected ? "projected" : "empty-dir";

        if (volume->host_path)
                return volume->host_path->path;
        return arena_printf(arena, "%s/volumes/kubernetes.io~%s/%s", dir, plugin, volume->name);
}

static int make_one(const struct pod_files *files, const struct kube_volume *volume, struct err **err) {
        const struct kube_field *kind = pod_volume_source(volume, NULL);
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *path = arena ? volumes_path(arena, files->dir, volume) : NULL;

        if (!path)
                return err_set(err, ENOMEM, "out of memory");
        if (volume->host_path)
                return check_host_path(volume->host_path, err);
        if (volume->empty_dir)
                return make_empty_dir(files, volume->empty_dir, path, err);
        if (volume->downward_api || volume->projected)
                return make_written(files, volume, path, err);
        if (volume->image)
                return 0; /* cri mounts it */
        return err_set(err, EOPNOTSUPP, "nothing here mounts volumes of type %s", kind ? kind->name : "unknown");
}

int volumes_make(const struct pod_files *files, struct err **err) {
        int r;

        list_for_each (volume, &files->pod->spec.volumes)
                if ((r = make_one(files, volume, err)) < 0)
                        return err_wrap(err, r, "MountVolume.SetUp failed for volume \"%s\" ", volume->name);
        return 0;
}
