/* Owned locals that clean up after themselves, and the macros that hand them over.
 *
 * `_cleanup_free_ char *text = NULL;` is freed at the end of its scope unless TAKE_PTR(text) gave it away;
 * a file descriptor starts at -EBADF, which is "none", and TAKE_FD() leaves -EBADF behind.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_freep(void *p) {
        free(*(void **)p);
}

/* close() that keeps errno and takes "none"; returns -EBADF for the assignment `fd = close_fd(fd)`. */
static inline int close_fd(int fd) {
        if (fd >= 0) {
                int saved = errno;

                close(fd);
                errno = saved;
        }
        return -EBADF;
}

static inline void cleanup_closep(int *fd) {
        *fd = close_fd(*fd);
}

static inline void cleanup_fclosep(FILE **f) {
        if (*f)
                fclose(*f);
}

static inline void cleanup_closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

/* fdopendir() that takes @fd in any case: without memory it is closed. NULL for "none" too; errno is kept. */
static inline DIR *open_dir(int fd) {
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (!dir)
                close_fd(fd);
        return dir;
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(cleanup_freep)
#define _cleanup_close_ _cleanup_(cleanup_closep)
#define _cleanup_fclose_ _cleanup_(cleanup_fclosep)
#define _cleanup_closedir_ _cleanup_(cleanup_closedirp)

#define TAKE_PTR(p)                                                                                                    \
        ({                                                                                                             \
                __typeof__(p) _taken = (p);                                                                            \
                (p) = NULL;                                                                                            \
                _taken;                                                                                                \
        })

#define TAKE_FD(fd)                                                                                                    \
        ({                                                                                                             \
                int _taken = (fd);                                                                                     \
                (fd) = -EBADF;                                                                                         \
                _taken;                                                                                                \
        })

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
