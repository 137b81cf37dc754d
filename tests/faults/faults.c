/* LD_PRELOAD library of the fault tests: makes the Nth call of a kind fail, in the agent and in nacelle-image.
 *
 * NACELLE_FAULTS names a file of one struct control, mapped by all: the test arms it, runs what it tests and looks
 * whether the Nth call came. Calls that libc makes by itself are not seen, and libuv's own are spared: it ends the
 * program when memory or its wake-up descriptor fail it. Space and disks do not fail sockets and pipes.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { SPACE = 1, IO = 2, FILES = 4, MEMORY = 8 };

/* tests/faults/control.py writes and reads the same. */
struct control {
        _Atomic uint32_t armed; /* enum kind, 0: nothing fails */
        uint32_t nth;           /* the first call to fail, from 1 */
        uint32_t sticky;        /* all after it fail too */
        _Atomic uint32_t count; /* calls of the kind since it was armed */
        _Atomic uint32_t hits;
        char what[116]; /* the first call that failed */
};

static struct control *control;
static struct { uintptr_t begin, end; } spared[2]; /* of libuv and the dynamic loader */

static int find_spared(struct dl_phdr_info *info, size_t size, void *data) {
        static const char *const names[] = { "/libuv.so", "/ld-linux" };

        (void)size;
        (void)data;
        for (size_t i = 0; i < 2; i++) {
                if (!strstr(info->dlpi_name, names[i]))
                        continue;
                spared[i].begin = info->dlpi_addr;
                for (int k = 0; k < info->dlpi_phnum; k++)
                        if (info->dlpi_phdr[k].p_type == PT_LOAD)
                                spared[i].end =
                                        info->dlpi_addr + info->dlpi_phdr[k].p_vaddr + info->dlpi_phdr[k].p_memsz;
        }
        return 0;
}

__attribute__((constructor)) static void begin(void) {
        const char *path = getenv("NACELLE_FAULTS");
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (fd >= 0)
                close(fd);
        dl_iterate_phdr(find_spared, NULL);
        if (p != MAP_FAILED)
                control = p;
}

/* Whether this call fails; errno is set then. */
static bool fails(int kinds, const char *name, const char *detail, void *caller) {
        static const struct {
                uint32_t kind;
                int code;
        } codes[] = { { SPACE, ENOSPC }, { IO, EIO }, { FILES, EMFILE }, { MEMORY, ENOMEM } };
        uint32_t armed = control ? atomic_load(&control->armed) : 0, n;

        if (!(armed & (uint32_t)kinds))
                return false;
        for (size_t i = 0; i < 2; i++)
                if ((uintptr_t)caller >= spared[i].begin && (uintptr_t)caller < spared[i].end)
                        return false;
        n = atomic_fetch_add(&control->count, 1) + 1;
        if (n < control->nth || (n > control->nth && !control->sticky))
                return false;
        if (atomic_fetch_add(&control->hits, 1) == 0) {
                Dl_info info = { 0 };
                size_t used =
                        (size_t)snprintf(control->what, sizeof(control->what), "%s(%.50s)", name, detail ? detail : "");

                if (dladdr(caller, &info) && info.dli_fname && used < sizeof(control->what)) {
                        const char *slash = strrchr(info.dli_fname, '/');

                        snprintf(control->what + used, sizeof(control->what) - used, " at %s+%#lx",
                                 slash ? slash + 1 : info.dli_fname,
                                 (unsigned long)((uintptr_t)caller - (uintptr_t)info.dli_fbase));
                }
        }
        for (size_t i = 0; i < 4; i++)
                if (codes[i].kind == armed)
                        errno = codes[i].code;
        return true;
}

#define REAL(name) ((__typeof__(&name))next(#name))

static void *next(const char *name) {
        return dlsym(RTLD_NEXT, name);
}

/* WRAP(kinds, failing value, type, name, detail, (parameters), (arguments)) */
#define WRAP(kinds, bad, type, name, detail, parameters, arguments)                                                    \
        type name parameters {                                                                                         \
                static __typeof__(&name) real;                                                                         \
                                                                                                                       \
                if (fails(kinds, #name, detail, __builtin_return_address(0)))                                          \
                        return bad;                                                                                    \
                if (!real)                                                                                             \
                        real = REAL(name);                                                                             \
                return real arguments;                                                                                 \
        }

/* What reads and writes of @fd can fail with. */
static int kinds_of(int fd, int kinds) {
        struct stat st;

        return control && atomic_load(&control->armed) && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? kinds : 0;
}

WRAP(kinds_of(fd, SPACE | IO), -1, ssize_t, write, NULL, (int fd, const void *data, size_t n), (fd, data, n))
WRAP(SPACE | IO, -1, ssize_t, pwrite, NULL, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at))
WRAP(kinds_of(fd, SPACE | IO), -1, ssize_t, writev, NULL, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(SPACE | IO, -1, ssize_t, copy_file_range, NULL,
     (int in, off_t *at_in, int out, off_t *at_out, size_t n, unsigned flags), (in, at_in, out, at_out, n, flags))
WRAP(kinds_of(fd, IO), -1, ssize_t, read, NULL, (int fd, void *data, size_t n), (fd, data, n))
WRAP(IO, -1, ssize_t, pread, NULL, (int fd, void *data, size_t n, off_t at), (fd, data, n, at))
WRAP(SPACE | IO, -1, int, fsync, NULL, (int fd), (fd))
WRAP(SPACE | IO, -1, int, fdatasync, NULL, (int fd), (fd))
WRAP(SPACE | IO, -1, int, syncfs, NULL, (int fd), (fd))
WRAP(SPACE | IO, -1, int, ftruncate, NULL, (int fd, off_t size), (fd, size))
WRAP(SPACE | IO, -1, int, fallocate, NULL, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
WRAP(SPACE | IO, -1, int, rename, to, (const char *from, const char *to), (from, to))
WRAP(SPACE | IO, -1, int, renameat, to, (int a, const char *from, int b, const char *to), (a, from, b, to))
WRAP(SPACE | IO, -1, int, renameat2, to, (int a, const char *from, int b, const char *to, unsigned flags),
     (a, from, b, to, flags))
WRAP(SPACE | IO, -1, int, link, to, (const char *from, const char *to), (from, to))
WRAP(SPACE | IO, -1, int, linkat, to, (int a, const char *from, int b, const char *to, int flags),
     (a, from, b, to, flags))
WRAP(SPACE | IO, -1, int, symlink, to, (const char *from, const char *to), (from, to))
WRAP(SPACE | IO, -1, int, symlinkat, to, (const char *from, int b, const char *to), (from, b, to))
WRAP(SPACE | IO, -1, int, mkdir, path, (const char *path, mode_t mode), (path, mode))
WRAP(SPACE | IO, -1, int, mkdirat, path, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(SPACE | IO, -1, int, mknodat, path, (int fd, const char *path, mode_t mode, dev_t device),
     (fd, path, mode, device))
WRAP(SPACE | IO, -1, int, mkfifoat, path, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(IO, -1, int, unlinkat, path, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(IO, -1, int, unlink, path, (const char *path), (path))
WRAP(IO, -1, int, rmdir, path, (const char *path), (path))
WRAP(SPACE | IO | MEMORY, -1, int, mount, target,
     (const char *source, const char *target, const char *type, unsigned long flags, const void *data),
     (source, target, type, flags, data))
WRAP(FILES | MEMORY, -1, int, socket, NULL, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(FILES | MEMORY, -1, int, socketpair, NULL, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds))
WRAP(FILES | MEMORY, -1, int, pipe2, NULL, (int fds[2], int flags), (fds, flags))
WRAP(FILES | MEMORY, -1, int, eventfd, NULL, (unsigned n, int flags), (n, flags))
WRAP(FILES | MEMORY, -1, int, memfd_create, NULL, (const char *name, unsigned flags), (name, flags))
WRAP(FILES, -1, int, dup, NULL, (int fd), (fd))
WRAP(FILES | MEMORY, -1, int, epoll_create1, NULL, (int flags), (flags))
WRAP(FILES | MEMORY, -1, int, inotify_init1, NULL, (int flags), (flags))
WRAP(MEMORY | SPACE, -1, int, inotify_add_watch, path, (int fd, const char *path, uint32_t mask), (fd, path, mask))
WRAP(MEMORY, EAGAIN, int, pthread_create, NULL,
     (pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *), void *data), (thread, how, run, data))

/* Opening needs a descriptor; making a file needs space too. */
static bool open_fails(const char *name, const char *path, int flags, void *caller) {
        return fails(FILES | IO | (flags & O_CREAT ? SPACE : 0), name, path, caller);
}

static mode_t take_mode(int flags, va_list args) {
        return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

#define WRAP_OPEN(name)                                                                                                \
        int name(const char *path, int flags, ...) {                                                                   \
                va_list args;                                                                                          \
                mode_t mode;                                                                                           \
                                                                                                                       \
                va_start(args, flags);                                                                                 \
                mode = take_mode(flags, args);                                                                         \
                va_end(args);                                                                                          \
                if (open_fails(#name, path, flags, __builtin_return_address(0)))                                       \
                        return -1;                                                                                     \
                return REAL(name)(path, flags, mode);                                                                  \
        }
#define WRAP_OPENAT(name)                                                                                              \
        int name(int dir, const char *path, int flags, ...) {                                                          \
                va_list args;                                                                                          \
                mode_t mode;                                                                                           \
                                                                                                                       \
                va_start(args, flags);                                                                                 \
                mode = take_mode(flags, args);                                                                         \
                va_end(args);                                                                                          \
                if (open_fails(#name, path, flags, __builtin_return_address(0)))                                       \
                        return -1;                                                                                     \
                return REAL(name)(dir, path, flags, mode);                                                             \
        }
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

int __open_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
WRAP(FILES | IO, -1, int, __open_2, path, (const char *path, int flags), (path, flags))
WRAP(FILES | IO, -1, int, __openat_2, path, (int dir, const char *path, int flags), (dir, path, flags))
WRAP(FILES | IO | MEMORY, NULL, FILE *, fopen, path, (const char *path, const char *mode), (path, mode))

WRAP(FILES | IO | MEMORY, NULL, DIR *, opendir, path, (const char *path), (path))
WRAP(FILES | IO | MEMORY, -1, int, scandir, path,
     (const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
      int (*compare)(const struct dirent **, const struct dirent **)),
     (path, list, filter, compare))
WRAP(FILES | MEMORY, -1, int, open_tree, path, (int dir, const char *path, unsigned flags), (dir, path, flags))
WRAP(MEMORY, NULL, void *, aligned_alloc, NULL, (size_t alignment, size_t size), (alignment, size))

int fcntl(int fd, int command, ...) {
        va_list args;
        void *argument;

        va_start(args, command);
        argument = va_arg(args, void *);
        va_end(args);
        if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) &&
            fails(FILES, "fcntl", "F_DUPFD", __builtin_return_address(0)))
                return -1;
        return REAL(fcntl)(fd, command, argument);
}

/* The newer system calls, which libc does not wrap. */
long syscall(long number, ...) {
        static const struct {
                long number;
                int kinds;
                const char *name;
        } known[] = {
                { SYS_openat2, FILES | IO, "openat2" },    { SYS_open_tree, FILES | MEMORY, "open_tree" },
                { SYS_fsopen, FILES | MEMORY, "fsopen" },  { SYS_fsmount, FILES | MEMORY, "fsmount" },
                { SYS_fsconfig, MEMORY | IO, "fsconfig" }, { SYS_move_mount, MEMORY, "move_mount" },
                { SYS_pidfd_open, FILES, "pidfd_open" },   { SYS_mount_setattr, MEMORY, "mount_setattr" },
                { SYS_bpf, FILES | MEMORY, "bpf" },
        };
        long a[6];
        va_list args;

        va_start(args, number);
        for (size_t i = 0; i < 6; i++)
                a[i] = va_arg(args, long);
        va_end(args);
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (known[i].number == number &&
                    fails(known[i].kinds, known[i].name, NULL, __builtin_return_address(0)))
                        return -1;
        return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size) {
        return fails(MEMORY, "malloc", NULL, __builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
        return fails(MEMORY, "calloc", NULL, __builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
        return fails(MEMORY, "realloc", NULL, __builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}
