#include "lib/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* Past it, a client of a Unix socket gets EAGAIN at once. */
#define BACKLOG 1024

const char *listen_unix_path(const char *endpoint) {
        const char *path = strncmp(endpoint, "unix://", 7) == 0 ? endpoint + 7 :
                           strncmp(endpoint, "unix:", 5) == 0   ? endpoint + 5 :
                                                                  endpoint;

        return path[0] == '/' ? path : NULL;
}

/* Makes the directories above @path. */
static int make_parents(const char *path, struct err **err) {
        char part[sizeof(((struct sockaddr_un *)0)->sun_path)];

        for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                memcpy(part, path, (size_t)(slash - path));
                part[slash - path] = '\0';
                if (mkdir(part, 0755) < 0 && errno != EEXIST)
                        return err_errno(err, errno, "mkdir %s", part);
        }
        return 0;
}

/* Removes what a predecessor left at the address. */
static int clear_way(const struct sockaddr_un *address, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : err_errno(err, errno, "%s", address->sun_path);
        if (!S_ISSOCK(st.st_mode))
                return err_set(err, EEXIST, "%s is there and no socket", address->sun_path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return err_errno(err, errno, "socket");
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
                return err_set(err, EADDRINUSE, "%s: another process listens there", address->sun_path);
        if (unlink(address->sun_path) < 0 && errno != ENOENT)
                return err_errno(err, errno, "remove %s", address->sun_path);
        return 0;
}

int listen_unix(const char *path, mode_t mode, int *ret_fd, struct err **err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (path[0] != '/' || strlen(path) >= sizeof(address.sun_path))
                return err_set(err, EINVAL, "socket %s: the path must be absolute and at most %zu bytes long", path,
                               sizeof(address.sun_path) - 1);
        strcpy(address.sun_path, path);
        if ((r = make_parents(path, err)) < 0 || (r = clear_way(&address, err)) < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return err_errno(err, errno, "socket");
        /* The mode of the socket's inode is what bind() makes the file with, so that it is never more open. */
        if (fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return err_errno(err, errno, "socket %s", path);
        if (chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0)
                return err_errno(err, errno, "socket %s", path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}
