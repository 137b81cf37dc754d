#include "images/worker/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* A path under construction: "a/b/c". */
struct cleaned {
        char *text;
        size_t n;
        unsigned depth;
};

static void drop_last(struct cleaned *c) {
        while (c->n > 0 && c->text[--c->n] != '/')
                ;
        c->depth -= c->depth > 0;
}

static int add_name(struct cleaned *c, const char *name, size_t n, const char *path, struct err **err) {
        if (n > NAME_MAX)
                return err_set(err, E2BIG, "a name of %zu bytes in \"%.200s...\"; at most %d are possible", n, path,
                               NAME_MAX);
        if (++c->depth > LAYER_DEPTH_MAX)
                return err_set(err, E2BIG, "path \"%.200s...\" is deeper than %d directories", path, LAYER_DEPTH_MAX);
        if (c->n + n + 2 > PATH_MAX)
                return err_set(err, E2BIG, "path \"%.200s...\" is too long", path);
        if (c->n > 0)
                c->text[c->n++] = '/';
        memcpy(c->text + c->n, name, n);
        c->n += n;
        return 0;
}

static int add_path(struct cleaned *c, const char *path, struct err **err) {
        for (const char *p = path; *p;) {
                size_t n = strcspn(p, "/");
                int r = 0;

                if (n == 2 && p[0] == '.' && p[1] == '.')
                        drop_last(c);
                else if (n > 0 && !(n == 1 && p[0] == '.'))
                        r = add_name(c, p, n, path, err);
                if (r < 0)
                        return r;
                p += n + (p[n] == '/');
        }
        return 0;
}

int layer_path_clean(const char *path, char ret_path[PATH_MAX], struct err **err) {
        struct cleaned c = { .text = ret_path };
        int r = add_path(&c, path, err);

        if (r < 0)
                return r;
        ret_path[c.n] = '\0';
        return 0;
}

int layer_path_follow(char path[PATH_MAX], size_t begin, size_t end, const char *target, struct err **err) {
        const char *rest = path + end + (path[end] == '/');
        char text[PATH_MAX];
        struct cleaned c = { .text = text };
        int r = 0;

        path[begin] = '\0';
        if (*target != '/')
                r = add_path(&c, path, err);
        if (r < 0 || (r = add_path(&c, target, err)) < 0 || (r = add_path(&c, rest, err)) < 0)
                return r;
        memcpy(path, text, c.n);
        path[c.n] = '\0';
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

/* Opens the next level of the walk, @path from @begin to @end. Returns 1 when it is a link. */
static int open_level(struct path_walk *w, const char *path, size_t begin, size_t end, struct err **err) {
        int parent = w->depth > 0 ? w->levels[w->depth - 1].fd : w->root, fd, r;
        const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        char *name = w->path + begin;
        struct stat st;

        memcpy(name, path + begin, end - begin);
        w->path[end] = '\0';
        fd = openat(parent, name, flags);
        if (fd < 0 && (errno == ENOTDIR || errno == ELOOP) && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISLNK(st.st_mode))
                return 1;
        if (fd < 0 && w->make && (errno == ENOENT || errno == ENOTDIR)) {
                r = w->make(w->data, parent, name, path, end, err);
                if (r < 0)
                        return r;
                fd = openat(parent, name, flags);
        }
        if (fd < 0 && errno == ENOTDIR)
                return err_set(err, EBADMSG, "%s: %.*s is no directory, but a file", path, (int)end, path);
        if (fd < 0)
                return err_errno(err, errno, "%.*s", (int)end, path);
        w->levels[w->depth].fd = fd;
        w->levels[w->depth++].end = (unsigned)end;
        if (end < PATH_MAX - 1)
                w->path[end] = '/';
        return 0;
}

/* Opens the directory that @path lies in as far as no link is on the way. Returns 1 at one, whose name *@ret_begin and
 * *@ret_end enclose. */
static int open_levels(struct path_walk *w, const char *path, size_t *ret_begin, size_t *ret_end, struct err **err) {
        const char *slash = strrchr(path, '/');
        size_t n = slash ? (size_t)(slash - path) : 0, at;

        leave(w, shared_levels(w, path, n));
        at = w->depth > 0 ? w->levels[w->depth - 1].end + 1 : 0;
        while (at < n) {
                size_t end = at + strcspn(path + at, "/");
                int r = open_level(w, path, at, end, err);

                *ret_begin = at;
                *ret_end = end;
                if (r != 0)
                        return r;
                at = end + 1;
        }
        return 0;
}

static void set_results(const struct path_walk *w, const char *path, int *ret_parent, const char **ret_name) {
        const char *slash = strrchr(path, '/');

        *ret_parent = w->depth > 0 ? w->levels[w->depth - 1].fd : w->root;
        *ret_name = slash ? slash + 1 : path;
}

int path_walk_parent(struct path_walk *w, const char *path, int *ret_parent, const char **ret_name, struct err **err) {
        size_t begin, end;
        int r = open_levels(w, path, &begin, &end, err);

        if (r > 0)
                return err_set(err, EBADMSG, "%s: %.*s is no directory, but a link", path, (int)end, path);
        if (r < 0)
                return r;
        set_results(w, path, ret_parent, ret_name);
        return 0;
}

static int follow(struct path_walk *w, char path[PATH_MAX], size_t begin, size_t end, struct err **err) {
        int parent = w->depth > 0 ? w->levels[w->depth - 1].fd : w->root;
        char target[PATH_MAX], name[NAME_MAX + 1];
        ssize_t n;

        snprintf(name, sizeof(name), "%.*s", (int)(end - begin), path + begin);
        n = readlinkat(parent, name, target, sizeof(target) - 1);
        if (n < 0)
                return err_errno(err, errno, "%.*s", (int)end, path);
        target[n] = '\0';
        return layer_path_follow(path, begin, end, target, err);
}

int path_walk_resolve(struct path_walk *w, char path[PATH_MAX], int *ret_parent, const char **ret_name,
                      struct err **err) {
        for (unsigned links = 0;; links++) {
                size_t begin, end;
                int r = open_levels(w, path, &begin, &end, err);

                if (r == 0) {
                        set_results(w, path, ret_parent, ret_name);
                        return 0;
                }
                if (r > 0 && links == LAYER_LINKS_MAX)
                        r = err_set(err, EBADMSG, "%s: more than %d symbolic links on the way", path, LAYER_LINKS_MAX);
                if (r > 0)
                        r = follow(w, path, begin, end, err);
                if (r < 0)
                        return r;
        }
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
