#include "cri/container/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/spec.h"

static const struct {
        const char *path;
        bool directory;
} places[] = {
        { "dev", true },
        { "proc", true },
        { "sys", true },
        { "etc", true },
        { "etc/hosts", false },
        { "etc/hostname", false },
        { "etc/resolv.conf", false },
};

/* With the modes that runtime/init gives to what it has to make. */
static int make_place(int floor, const char *path, bool directory) {
        int fd;

        if (directory && mkdirat(floor, path, 0755) < 0)
                return errno == EEXIST ? 0 : -errno;
        fd = directory ? openat(floor, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) :
                         openat(floor, path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0 || fchmod(fd, directory ? 0755 : 0644) < 0) {
                int code = errno;

                close_fd(fd);
                return -code;
        }
        close(fd);
        return 0;
}

static char *floor_path(const struct cri *cri, struct arena *arena) {
        return arena_printf(arena, "%s/floor", cri->options.root_dir);
}

int floor_make(const struct cri *cri, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char *path = arena ? floor_path(cri, arena) : NULL;
        _cleanup_close_ int floor = -EBADF;
        int r = path ? files_make_private(path, err) : err_set(err, ENOMEM, "out of memory");

        if (r < 0)
                return r;
        floor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (floor < 0)
                return err_errno(err, errno, "open %s", path);
        for (size_t i = 0; i < ELEMENTS(places); i++) {
                r = make_place(floor, places[i].path, places[i].directory);
                if (r < 0)
                        return err_errno(err, -r, "make %s/%s", path, places[i].path);
        }
        return 0;
}

const char *const *floor_below(const struct cri *cri, struct arena *arena, char *const *layers, size_t n_layers,
                               size_t *ret_n) {
        const char **all = arena_alloc_array(arena, n_layers + 2, sizeof(*all));
        char *path = floor_path(cri, arena);
        size_t n = n_layers;

        if (!all || !path)
                return NULL;
        for (size_t i = 0; i < n_layers; i++)
                all[i] = layers[i];
        if (n > 0 && n < SPEC_LAYERS_MAX && access(path, F_OK) == 0)
                all[n++] = path;
        *ret_n = n;
        return all;
}
