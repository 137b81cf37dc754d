/* One file of an image, found in its layers as overlayfs merges them. */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "cri/container/user.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

enum found { FOUND_FILE, FOUND_LINK, FOUND_NOTHING, FOUND_END, FOUND_FAILED };

static int open_in(int dir, const char *path, uint64_t flags, uint64_t resolve) {
        struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };

        return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* Whether what the layer has at @path hides the layers below: a whiteout, something that is no directory, or an opaque
 * one. */
static bool hides(int layer, const char *path) {
        _cleanup_close_ int fd = open_in(layer, path, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        char proc[64], value[2];
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return false;
        if (!S_ISDIR(st.st_mode))
                return true;
        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
        return getxattr(proc, "trusted.overlay.opaque", value, sizeof(value)) == 1 && value[0] == 'y';
}

/* Whether a directory above @path is hidden below this layer. */
static bool parent_hides(int layer, const char *path) {
        char part[PATH_MAX];

        for (const char *p = path; *p; p++)
                if (*p == '/') {
                        snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
                        if (hides(layer, part))
                                return true;
                }
        return false;
}

/* Whether errno says nothing about the file. */
static bool cannot_open(void) {
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO;
}

/* Looks into one layer. FOUND_END: it is not there, and layers below do not count; FOUND_FAILED: errno says why. */
static enum found look(const char *layer_path, const char *path, int *ret_fd) {
        _cleanup_close_ int layer = open(layer_path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;
        struct stat st;

        if (layer < 0)
                return cannot_open() ? FOUND_FAILED : FOUND_NOTHING;
        fd = open_in(layer, path, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        if (fd < 0 && errno == ELOOP) /* a directory on the way is a link: as far as this layer alone knows it */
                fd = open_in(layer, path, O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        if (fd < 0 && cannot_open())
                return FOUND_FAILED;
        if (fd < 0)
                return parent_hides(layer, path) ? FOUND_END : FOUND_NOTHING;
        if (fstat(fd, &st) < 0)
                return FOUND_END;
        *ret_fd = fd;
        if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) {
                (void)TAKE_FD(fd);
                return S_ISREG(st.st_mode) ? FOUND_FILE : FOUND_LINK;
        }
        return FOUND_END;
}

static int read_all(int path_fd, const char *path, size_t max, char **ret_data, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        char proc[64];
        int r;

        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", path_fd);
        fd = open(proc, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        r = fd < 0 ? -errno : files_read_all(fd, max, ret_data, NULL);
        if (r == -EFBIG)
                return err_set(err, EFBIG, "the image's /%s is larger than %zu bytes", path, max);
        return r < 0 ? err_errno(err, -r, "read the image's /%s", path) : 0;
}

/* Where the link @fd at @path leads, from the image's root; ".." ends there. */
static int follow(int fd, const char *path, char ret_path[PATH_MAX]) {
        char target[PATH_MAX], joined[2 * PATH_MAX], *save = NULL;
        ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
        const char *slash = strrchr(path, '/');
        char parts[PATH_MAX] = "";

        if (n <= 0)
                return -EINVAL;
        target[n] = '\0';
        if (target[0] == '/' || !slash)
                snprintf(joined, sizeof(joined), "%s", target);
        else
                snprintf(joined, sizeof(joined), "%.*s/%s", (int)(slash - path), path, target);
        for (char *part = strtok_r(joined, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
                size_t length = strlen(parts);
                char *up;

                if (strcmp(part, ".") == 0)
                        continue;
                if (strcmp(part, "..") == 0) {
                        up = strrchr(parts, '/');
                        *(up ? up : parts) = '\0';
                } else if (length + strlen(part) + 2 > sizeof(parts))
                        return -ENAMETOOLONG;
                else
                        sprintf(parts + length, "%s%s", length ? "/" : "", part);
        }
        memcpy(ret_path, parts, sizeof(parts));
        return 0;
}

int layers_read_file(char *const *layers, size_t n_layers, const char *path, size_t max, char **ret_data,
                     struct err **err) {
        char at[PATH_MAX];
        unsigned links = 0;

        snprintf(at, sizeof(at), "%s", path);
        for (size_t i = 0; i < n_layers;) {
                _cleanup_close_ int fd = -EBADF;
                int found_fd = -EBADF;
                enum found found = look(layers[i], at, &found_fd);

                if (found == FOUND_NOTHING) {
                        i++;
                        continue;
                }
                if (found == FOUND_FAILED)
                        return err_errno(err, errno, "look for the image's /%s in %s", path, layers[i]);
                if (found == FOUND_END)
                        break;
                fd = found_fd;
                if (found == FOUND_FILE)
                        return read_all(fd, path, max, ret_data, err);
                if (++links > USER_LINKS_MAX || follow(fd, at, at) < 0)
                        return err_set(err, ELOOP, "the image's /%s is a link that leads nowhere", path);
                i = 0;
        }
        return err_set(err, ENOENT, "the image has no /%s", path);
}
