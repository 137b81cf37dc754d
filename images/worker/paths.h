/* Paths of a layer's entries, and their directories held open: the one place that decides where an entry may go. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

#define LAYER_DEPTH_MAX 256 /* components of a path; each open one costs a descriptor */

/* Brings @path to the form "a/b/c" (the root itself is "") in @ret_path: leading, double and trailing '/' and "." go.
 * Returns 0; -EBADMSG when it holds "..", -E2BIG when a name or the whole is too long or deep. */
int layer_path_clean(const char *path, char ret_path[PATH_MAX], struct err **err);

/* A walk through one tree in which each step is relative to an open directory, and none follows a link. Neighbours in
 * an archive are neighbours in the tree, so most steps are free. */
struct path_walk {
        int root;            /* borrowed */
        char path[PATH_MAX]; /* of the innermost open directory */
        struct {
                int fd;       /* O_PATH */
                unsigned end; /* of its name in path */
        } levels[LAYER_DEPTH_MAX];
        unsigned depth;
        /* Makes the missing directory @name in @parent; NULL: what is missing is -ENOENT. @path (@n bytes) is its whole
         * path. */
        int (*make)(void *data, int parent, const char *name, const char *path, size_t n, struct err **err);
        void *data;
};

void path_walk_init(struct path_walk *walk, int root);
void path_walk_clear(struct path_walk *walk);

/* Opens the directory that the clean path @path lies in; *@ret_name is its last component. *@ret_parent is the walk's
 * own and lives until the next call. Returns 0, -EBADMSG when a part of it is no directory, -ENOENT. */
int path_walk_parent(struct path_walk *walk, const char *path, int *ret_parent, const char **ret_name,
                     struct err **err);

/* Closes what is held open at or below the clean path @path, which is about to be replaced. */
void path_walk_forget(struct path_walk *walk, const char *path);
