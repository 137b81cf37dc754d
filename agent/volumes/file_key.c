#include "agent/volumes/file_key.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/volumes/files.h"
#include "agent/volumes/volumes.h"
#include "kube/pod/env_file.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

/* Links lead no further than the volume; a FIFO in the file's place blocks nobody. */
static int open_inside(const char *dir, const char *path) {
        struct open_how how = {
                .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        long fd;

        if (root < 0)
                return -errno;
        fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
        return fd < 0 ? -errno : (int)fd;
}

static int read_file(int fd, char **ret_text, struct err **err) {
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return err_errno(err, errno, "environment variable file");
        if (!S_ISREG(st.st_mode))
                return err_set(err, EINVAL, "environment variable file is no regular file");
        r = files_read_all(fd, ENV_FILE_BYTES_MAX, ret_text, NULL);
        if (r == -EFBIG)
                return err_set(err, EFBIG, "environment variable file is larger than %zu bytes", ENV_FILE_BYTES_MAX);
        return r < 0 ? err_errno(err, -r, "environment variable file") : 0;
}

int file_key_read(void *data, struct arena *arena, const struct kube_file_key_selector *ref, const char **ret_text,
                  struct err **err) {
        const struct pod_files *files = data;
        const struct kube_volume *found = pod_find_volume(files->pod, ref->volume_name);
        const char *dir = found ? volumes_path(arena, files->dir, found) : NULL;
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *text = NULL;
        int r;

        if (!dir)
                return err_set(err, EINVAL, "cannot find the volume \"%.64s\" referenced by FileKeyRef",
                               ref->volume_name);
        fd = open_inside(dir, ref->path);
        if (fd < 0)
                return err_errno(err, -fd, "failed to open environment variable file \"%.256s\"", ref->path);
        r = read_file(fd, &text, err);
        return r < 0 ? r : env_file_find(arena, text, ref->key, ret_text, err);
}
