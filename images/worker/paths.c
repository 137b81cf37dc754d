#include "images/worker/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

int layer_path_clean(const char *path, char ret_path[PATH_MAX], struct err **err) {
        size_t out = 0, depth = 0;

        for (const char *p = path; *p;) {
                size_t n = strcspn(p, "/");

                if (n == 2 && p[0] == '.' && p[1] == '.')
                        return err_set(err, EBADMSG, "path \"%.200s\" holds \"..\"", path);
                if (n > NAME_MAX)
                        return err_set(err, E2BIG, "a name of %zu bytes in \"%.200s...\"; at most %d are possible", n,
                                       path, NAME_MAX);
                if (n > 0 && !(n == 1 && p[0] == '.')) {
                        if (++depth > LAYER_DEPTH_MAX)
                                return err_set(err, E2BIG, "path \"%.200s...\" is deeper than %d directories", path,
                                               LAYER_DEPTH_MAX);
                        if (out + n + 2 > PATH_MAX)
                                return err_set(err, E2BIG, "path \"%.200s...\" is too long", path);
                        if (out > 0)
                                ret_path[out++] = '/';
                        memmove(ret_path + out, p, n);
                        out += n;
                }
                p += n + (p[n] == '/');
        }
        ret_path[out] = '\0';
        return 0;
}

void path_walk_init(struct path_walk *w, int root) {
        w->root = root;
        w->depth = 0;
        w->make = NULL;
        w->data = NULL;
}

static void leave(struct path_walk *w, unsigned depth) {
        while (w->depth > depth)
                close(w->levels[--w->depth].fd);
}

void path_walk_clear(struct path_walk *w) {
        leave(w, 0);
}

/* How many levels of the walk lead to the directory with path @path (@n bytes). */
static unsigned shared_levels(const struct path_walk *w, const char *path, size_t n) {
        unsigned depth = w->depth;

        for (; depth > 0; depth--) {
                size_t end = w->levels[depth - 1].end;

                if (end <= n && memcmp(w->path, path, end) == 0 && (end == n || path[end] == '/'))
                        break;
        }
        return depth;
}

static int open_level(struct path_walk *w, const char *path, size_t begin, size_t end, struct err **err) {
        int parent = w->depth > 0 ? w->levels[w->depth - 1].fd : w->root, fd, r;
        const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        char *name = w->path + begin;

        memcpy(name, path + begin, end - begin);
        w->path[end] = '\0';
        fd = openat(parent, name, flags);
        if (fd < 0 && w->make && (errno == ENOENT || errno == ENOTDIR)) {
                r = w->make(w->data, parent, name, path, end, err);
                if (r < 0)
                        return r;
                fd = openat(parent, name, flags);
        }
        if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
                return err_set(err, EBADMSG, "%s: %.*s is no directory, but a link or a file", path, (int)end, path);
        if (fd < 0)
                return err_errno(err, errno, "%.*s", (int)end, path);
        w->levels[w->depth].fd = fd;
        w->levels[w->depth++].end = (unsigned)end;
        if (end < PATH_MAX - 1)
                w->path[end] = '/';
        return 0;
}

int path_walk_parent(struct path_walk *w, const char *path, int *ret_parent, const char **ret_name, struct err **err) {
        const char *slash = strrchr(path, '/');
        size_t n = slash ? (size_t)(slash - path) : 0, at;

        leave(w, shared_levels(w, path, n));
        at = w->depth > 0 ? w->levels[w->depth - 1].end + 1 : 0;
        while (at < n) {
                size_t end = at + strcspn(path + at, "/");
                int r = open_level(w, path, at, end, err);

                if (r < 0)
                        return r;
                at = end + 1;
        }
        *ret_parent = w->depth > 0 ? w->levels[w->depth - 1].fd : w->root;
        *ret_name = slash ? slash + 1 : path;
        return 0;
}

void path_walk_forget(struct path_walk *w, const char *path) {
        size_t n = strlen(path);

        for (unsigned i = 0; i < w->depth; i++)
                if (w->levels[i].end >= n && memcmp(w->path, path, n) == 0 &&
                    (w->levels[i].end == n || w->path[n] == '/')) {
                        leave(w, i);
                        return;
                }
}
