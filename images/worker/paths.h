/* Paths of a layer's entries, and their directories held open: the one place that decides where an entry may go. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

#define LAYER_DEPTH_MAX 256 /* components of a path; each open one costs a descriptor */

#define LAYER_LINKS_MAX 40 /* symbolic links on the way to an entry; the kernel follows as many */

/* Brings @path to the form "a/b/c" (the root itself is "") in @ret_path: leading, double and trailing '/' and "." go,
 * ".." takes the name before it along, at the root nothing. Returns 0; -E2BIG when a name or the whole is too long or
 * deep. */
int layer_path_clean(const char *path, char ret_path[PATH_MAX], struct err **err);

/* Puts @target in the place of the link whose name lies from @begin to @end in the clean @path; an absolute one begins
 * at the root. @path is clean again. -E2BIG as above. */
int layer_path_follow(char path[PATH_MAX], size_t begin, size_t end, const char *target, struct err **err);

/* A walk through one tree in which each step is relative to an open directory, and the kernel follows no link.
 * Neighbours in an archive are neighbours in the tree, so most steps are free. */
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
 * own and lives until the next call. Returns 0, -EBADMSG when a part of it is no directory, but a link too, -ENOENT. */
int path_walk_parent(struct path_walk *walk, const char *path, int *ret_parent, const char **ret_name,
                     struct err **err);

/* The same through links, which are read and taken as if the tree were the root of all, never outside of it: @path
 * becomes the path without them, as far as it is known also after -ENOENT. -EBADMSG past LAYER_LINKS_MAX of them too.
 */
int path_walk_resolve(struct path_walk *walk, char path[PATH_MAX], int *ret_parent, const char **ret_name,
                      struct err **err);

/* Closes what is held open at or below the clean path @path, which is about to be replaced. */
void path_walk_forget(struct path_walk *walk, const char *path);
