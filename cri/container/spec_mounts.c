/* A container's mounts: the runtime's defaults, the pod's shared files, and what the configuration asks for. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cri/container/image_mount.h"
#include "cri/container/mountinfo.h"
#include "cri/state/message.h"
#include "cri/state/record.h"
#include "cri/sandbox/sandbox.h"
#include "cri/container/spec.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/path.h"
#include "runtime/defaults.h"
#include "runtime/plan/userns.h"

struct filler {
        struct cri_container *container;
        struct arena *arena;
        struct mount_spec *mounts;
        size_t n;
        size_t image_mounts; /* used of the record's */
        const char **asked;  /* where the container's own mounts go, as clean paths */
};

/* Where the container's own mounts go; NULL without memory. */
static const char **asked_paths(const Cri__ContainerConfig *config, struct arena *arena) {
        const char **asked = arena_alloc_array(arena, config->n_mounts + 1, sizeof(*asked));

        for (size_t i = 0; asked && i < config->n_mounts; i++)
                if (!(asked[i] = path_clean(arena, config->mounts[i]->container_path)))
                        return NULL;
        return asked;
}

static bool asks_for(const struct filler *f, const char *destination) {
        for (size_t i = 0; i < f->container->config->n_mounts; i++)
                if (strcmp(f->asked[i], destination) == 0)
                        return true;
        return false;
}

static void add_defaults(struct filler *f) {
        bool privileged = cri_container_security(f->container->config)->privileged;

        for (size_t i = 0; i < defaults_mounts_n; i++) {
                struct mount_spec mount = defaults_mounts[i];

                if (asks_for(f, mount.destination))
                        continue;
                mount.source_fd = -EBADF;
                if (privileged && strncmp(mount.destination, "/sys", 4) == 0)
                        mount.attributes &= ~(uint64_t)MOUNT_ATTR_RDONLY;
                f->mounts[f->n++] = mount;
        }
}

/* The pod's files are on a tmpfs that an administrator may have cleaned: what is missing is written again. */
static int remake_pod_files(struct cri_sandbox *sandbox, const char *dir, struct arena *arena, struct err **err) {
        static const char *const names[] = { "hostname", "hosts", "resolv.conf" };
        const char **ips = arena_alloc_array(arena, sandbox->n_ips + 1, sizeof(*ips));
        bool missing = false;

        if (!ips || !dir)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < sandbox->n_ips; i++)
                ips[i] = sandbox->ips[i];
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                const char *path = arena_printf(arena, "%s/%s", dir, names[i]);

                if (!path)
                        return err_set(err, ENOMEM, "out of memory");
                missing |= access(path, F_OK) < 0;
        }
        return missing ? sandbox_make_files(sandbox, ips, err) : 0;
}

static int add_pod_files(struct filler *f, struct err **err) {
        static const struct {
                const char *file, *destination;
        } files[] = { { "hostname", "/etc/hostname" },
                      { "hosts", "/etc/hosts" },
                      { "resolv.conf", "/etc/resolv.conf" } };
        const struct cri_container *container = f->container;
        bool readonly = cri_container_security(container->config)->readonly_rootfs;
        char *dir = record_run_dir(container->sandbox->cri, f->arena, container->sandbox->id);
        int r = remake_pod_files(container->sandbox, dir, f->arena, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                struct mount_spec *mount = &f->mounts[f->n];

                if (asks_for(f, files[i].destination))
                        continue;
                mount_spec_init(mount);
                mount->type = "bind";
                mount->source = dir ? arena_printf(f->arena, "%s/%s", dir, files[i].file) : NULL;
                mount->destination = files[i].destination;
                mount->recursive = true;
                mount->attributes = readonly ? MOUNT_ATTR_RDONLY : 0;
                if (!mount->source)
                        return err_set(err, ENOMEM, "out of memory");
                f->n++;
        }
        return 0;
}

/* A host path that is not there becomes a directory, as the field's runtimes have it. */
static int prepare_source(const char *path, struct err **err) {
        struct stat st;

        if (stat(path, &st) == 0)
                return 0;
        if (errno != ENOENT)
                return err_errno(err, errno, "mount of %s", path);
        return files_make_dirs(path, 0755, err);
}

static int set_propagation(const Cri__Mount *from, struct mount_spec *mount, struct err **err) {
        switch (from->propagation) {
        case CRI__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER:
                mount->propagation = MS_SLAVE | MS_REC;
                return mountinfo_check(from->host_path, false, err);
        case CRI__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL:
                mount->propagation = MS_SHARED | MS_REC;
                return mountinfo_check(from->host_path, true, err);
        default:
                mount->propagation = MS_PRIVATE | MS_REC;
                return 0;
        }
}

/* An overlay cannot be idmapped, but its layers can. */
static int add_image_mount(struct filler *f, const Cri__Mount *from, struct mount_spec *mount, struct err **err) {
        const Record__Container *record = f->container->record;
        _cleanup_userns_ struct userns users = USERNS_NONE;
        const Record__ImageMount *image;
        int r;

        if (f->image_mounts >= record->n_image_mounts)
                return err_set(err, EINVAL, "mount at %s: its image is not known", from->container_path);
        image = record->image_mounts[f->image_mounts++];
        if ((r = (mount->idmap ? userns_open(&mount->mappings, 0, &users, err) : 0)) < 0 ||
            (r = image_mount_open(image->layers, image->n_layers, users.user_fd, from->image_sub_path,
                                  &mount->source_fd, err)) < 0)
                return err_wrap(err, r, "mount at %s", from->container_path);
        mount->idmap = false;
        mount->detached = true;
        /* Another image's files, not the container's own: they give it neither users nor devices. */
        mount->attributes |= MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
        return 0;
}

static int add_mount(struct filler *f, size_t index, struct err **err) {
        const Cri__Mount *from = f->container->config->mounts[index];
        struct mount_spec *mount = &f->mounts[f->n];
        int r;

        mount_spec_init(mount);
        mount->type = "bind";
        mount->destination = f->asked[index];
        mount->recursive = true;
        if (from->readonly)
                mount->attributes |= MOUNT_ATTR_RDONLY;
        mount->recursive_attributes = from->recursive_read_only;
        if (from->n_uidmappings > 0 || from->n_gidmappings > 0) {
                mount->idmap = true;
                mount->mappings.uids = message_id_mappings(f->arena, from->uidmappings, from->n_uidmappings);
                mount->mappings.n_uids = from->n_uidmappings;
                mount->mappings.gids = message_id_mappings(f->arena, from->gidmappings, from->n_gidmappings);
                mount->mappings.n_gids = from->n_gidmappings;
                if (!mount->mappings.uids || !mount->mappings.gids)
                        return err_set(err, ENOMEM, "out of memory");
        }
        f->n++; /* from here on its descriptor is closed with the others */
        if (from->image && !text_empty(from->image->image))
                return add_image_mount(f, from, mount, err);
        mount->source = from->host_path;
        r = prepare_source(from->host_path, err);
        return r < 0 ? r : set_propagation(from, mount, err);
}

static unsigned depth_of(const char *path) {
        unsigned n = 0;

        for (; *path; path++)
                n += *path == '/' && path[1];
        return n;
}

/* Parents before what lies in them; else in the order they were asked for. */
static void sort_by_depth(struct mount_spec *mounts, size_t n) {
        for (size_t i = 1; i < n; i++) {
                struct mount_spec mount = mounts[i];
                size_t j = i;

                for (; j > 0 && depth_of(mounts[j - 1].destination) > depth_of(mount.destination); j--)
                        mounts[j] = mounts[j - 1];
                mounts[j] = mount;
        }
}

int spec_fill_mounts(struct cri_container *container, struct arena *arena, struct container_spec *spec,
                     struct err **err) {
        const Cri__ContainerConfig *config = container->config;
        struct filler f = { .container = container, .arena = arena };
        int r;

        f.mounts = arena_alloc_array(arena, defaults_mounts_n + 3 + config->n_mounts, sizeof(*f.mounts));
        f.asked = asked_paths(config, arena);
        if (!f.mounts || !f.asked)
                return err_set(err, ENOMEM, "out of memory");
        add_defaults(&f);
        r = add_pod_files(&f, err);
        for (size_t i = 0; i < config->n_mounts && r >= 0; i++)
                r = add_mount(&f, i, err);
        /* Also after a failure: spec_close() closes what the mounts hold. */
        sort_by_depth(f.mounts, f.n);
        spec->mounts = f.mounts;
        spec->n_mounts = f.n;
        return r;
}

void spec_close(struct container_spec *spec) {
        for (size_t i = 0; i < spec->n_mounts; i++)
                close_fd(spec->mounts[i].source_fd);
        spec->n_mounts = 0;
}
