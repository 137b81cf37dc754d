/* A directory of its own for each test, and files in it as text. */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scratch {
        char path[64];
        int fd;
};

static inline void scratch_make(struct scratch *s) {
        strcpy(s->path, "/tmp/nacelle-logs-XXXXXX");
        if (!mkdtemp(s->path))
                abort();
        s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline void scratch_remove(struct scratch *s) {
        DIR *dir = fdopendir(s->fd);
        struct dirent *d;

        rewinddir(dir);
        while ((d = readdir(dir)))
                unlinkat(dirfd(dir), d->d_name, 0);
        closedir(dir);
        rmdir(s->path);
}

/* The whole file, NUL-terminated, allocated; NULL when there is none. */
static inline char *scratch_read(const struct scratch *s, const char *name, size_t *ret_size) {
        int fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC);
        off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
        char *text = size < 0 ? NULL : malloc((size_t)size + 1);

        if (!text)
                return NULL;
        if (pread(fd, text, (size_t)size, 0) != size)
                abort();
        text[size] = '\0';
        close(fd);
        if (ret_size)
                *ret_size = (size_t)size;
        return text;
}

static inline void scratch_write(const struct scratch *s, const char *name, const char *text) {
        int fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
                abort();
        close(fd);
}

static inline int scratch_sort(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files in it, sorted; at most 64. Free each. */
static inline size_t scratch_list(const struct scratch *s, char *ret_names[64]) {
        int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fdopendir(fd);
        struct dirent *d;
        size_t n = 0;

        while ((d = readdir(dir)) && n < 64)
                if (d->d_name[0] != '.')
                        ret_names[n++] = strdup(d->d_name);
        closedir(dir);
        qsort(ret_names, n, sizeof(*ret_names), scratch_sort);
        return n;
}
