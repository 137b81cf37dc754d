#include "agent/volumes/nested.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/path.h"

/* What of @path is below @above, both clean; NULL: it is elsewhere, or the same. */
static const char *below(const char *path, const char *above) {
        size_t n = strlen(above);

        if (n == 1)
                return path[1] ? path + 1 : NULL; /* of the root */
        return strncmp(path, above, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

/* Whether another mount of the container, itself nested in the one at @above, has @path in it. */
static bool is_of_another(const char *const *places, size_t n, const char *path, const char *above) {
        for (size_t i = 0; i < n; i++)
                if (below(places[i], above) && below(path, places[i]))
                        return true;
        return false;
}

/* One folder after the other: the volume's own links (..data and what leads there) are not followed, and a file that a
 * file is mounted on is left to the runtime. */
static int make(const char *volume, const char *path, struct err **err) {
        _cleanup_close_ int dir = open(volume, O_PATH | O_DIRECTORY | O_CLOEXEC);
        char name[NAME_MAX + 1];

        while (dir >= 0 && *path) {
                size_t n = strcspn(path, "/");
                int next;

                if (n > NAME_MAX || strncmp(path, "..", 2) == 0)
                        return err_set(err, EINVAL, "a container's mount below it has an invalid path: %s", path);
                snprintf(name, sizeof(name), "%.*s", (int)n, path);
                path += n + strspn(path + n, "/");
                if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
                        return err_errno(err, errno, "cannot make %s/%s", volume, name);
                next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (next < 0)
                        return errno == ENOTDIR || errno == ELOOP ? 0 : err_errno(err, errno, "%s/%s", volume, name);
                close(dir);
                dir = next;
        }
        return dir < 0 ? err_errno(err, errno, "%s", volume) : 0;
}

/* Where the container's mounts are; NULL without memory. */
static const char *const *places_of(struct arena *arena, const struct kube_container *c) {
        const char **places = arena_alloc_array(arena, c->volume_mounts.count + 1, sizeof(*places));

        for (uint32_t i = 0; places && i < c->volume_mounts.count; i++)
                if (!(places[i] = path_clean(arena, c->volume_mounts.items[i].mount_path)))
                        return NULL;
        return places;
}

static bool is_whole(const struct kube_volume_mount *mount) {
        return !(mount->sub_path && *mount->sub_path) && !(mount->sub_path_expr && *mount->sub_path_expr);
}

static int make_of(const struct kube_container *c, const char *volume, const char *path, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *const *places = arena ? places_of(arena, c) : NULL;
        size_t n = c->volume_mounts.count;

        if (!places)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t own = 0; own < n; own++) {
                const struct kube_volume_mount *mount = &c->volume_mounts.items[own];

                if (strcmp(mount->name, volume) != 0 || !is_whole(mount))
                        continue;
                for (size_t i = 0; i < n; i++) {
                        const char *rest = below(places[i], places[own]);
                        int r = rest && !is_of_another(places, n, places[i], places[own]) ? make(path, rest, err) : 0;

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int nested_make(const struct pod_files *files, const struct kube_volume *volume, const char *path, struct err **err) {
        const struct kube_pod_spec *spec = &files->pod->spec;
        int r;

        list_for_each (c, &spec->init_containers)
                if ((r = make_of(c, volume->name, path, err)) < 0)
                        return r;
        list_for_each (c, &spec->containers)
                if ((r = make_of(c, volume->name, path, err)) < 0)
                        return r;
        list_for_each (c, &spec->ephemeral_containers)
                if ((r = make_of(&c->container, volume->name, path, err)) < 0)
                        return r;
        return 0;
}
