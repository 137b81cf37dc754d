#include "agent/volumes/nested.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* What of @path is below @above; NULL: it is elsewhere, or the same. */
static const char *below(const char *path, const char *above) {
        size_t n = strlen(above);

        while (n > 0 && above[n - 1] == '/')
                n--;
        if (strncmp(path, above, n) != 0 || path[n] != '/')
                return NULL;
        path += n + strspn(path + n, "/");
        return *path ? path : NULL;
}

/* Whether another mount of the container, itself nested in the one at @above, has @path in it. */
static bool is_of_another(const struct kube_container *c, const char *path, const char *above) {
        list_for_each (m, &c->volume_mounts)
                if (below(m->mount_path, above) && below(path, m->mount_path))
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

                if (n > NAME_MAX || (n >= 2 && strncmp(path, "..", 2) == 0))
                        return err_set(err, EINVAL, "a container's mount below it has an invalid path: %s", path);
                snprintf(name, sizeof(name), "%.*s", (int)n, path);
                path += n + strspn(path + n, "/");
                if (strcmp(name, ".") == 0)
                        continue;
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

static int make_of(const struct kube_container *c, const char *volume, const char *path, struct err **err) {
        list_for_each (own, &c->volume_mounts) {
                if (strcmp(own->name, volume) != 0 || (own->sub_path && *own->sub_path) ||
                    (own->sub_path_expr && *own->sub_path_expr))
                        continue;
                list_for_each (other, &c->volume_mounts) {
                        const char *rest = below(other->mount_path, own->mount_path);
                        int r = rest && !is_of_another(c, other->mount_path, own->mount_path) ? make(path, rest, err) :
                                                                                                0;

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
