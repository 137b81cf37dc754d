/* Directories wait on a stack, each by its name and the directory it is in. One is opened by its path below the nearest
 * ancestor that has a descriptor of its own, an anchor; where that path would grow too long, the directory becomes an
 * anchor. So a tree of any depth takes few descriptors, and openat2() keeps a container that renames directories
 * meanwhile from leading the walk out of the tree. */
#include "lib/disk_usage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define PATH_BYTES_MAX 3072 /* of a path below an anchor; with one name more it fits into PATH_MAX */

struct node {
        struct node *parent; /* a reference; NULL: the top */
        struct node *next;   /* on the stack */
        unsigned refs;
        unsigned length; /* of the path from the anchor above */
        int fd;          /* an anchor's; -EBADF */
        char name[];
};

/* Inode numbers of files with several links that were counted. */
struct seen {
        uint64_t *slots; /* 0: free */
        size_t n, size;  /* size: a power of two */
};

struct walk {
        dev_t device;
        struct node *stack;
        unsigned anchors;
        uint64_t left;
        struct seen seen;
        struct disk_usage usage;
};

static void node_unref(struct walk *walk, struct node *node) {
        while (node && --node->refs == 0) {
                struct node *parent = node->parent;

                if (node->fd >= 0) {
                        close(node->fd);
                        walk->anchors--;
                }
                free(node);
                node = parent;
        }
}

static int push(struct walk *walk, struct node *parent, const char *name) {
        size_t size = strlen(name) + 1;
        struct node *node = malloc(sizeof(*node) + size);

        if (!node)
                return -ENOMEM;
        *node = (struct node){ .parent = parent, .next = walk->stack, .refs = 1, .fd = -EBADF };
        memcpy(node->name, name, size);
        if (parent) {
                parent->refs++;
                node->length = (parent->fd >= 0 ? 0 : parent->length + 1) + (unsigned)size - 1;
        }
        walk->stack = node;
        return 0;
}

/* Opens @node, relative to the anchor above it. */
static int open_node(const struct walk *walk, const struct node *node) {
        struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
        char path[PATH_BYTES_MAX + 512], *p = path + sizeof(path) - 1;
        const struct node *n = node;

        *p = '\0';
        for (; n->parent; n = n->parent) {
                size_t length = strlen(n->name);

                if (n != node && n->fd >= 0)
                        break;
                if (*p)
                        *--p = '/';
                p -= length;
                memcpy(p, n->name, length);
        }
        return n->fd < 0 ? -EBADF : (int)syscall(SYS_openat2, n->fd, *p ? p : ".", &how, sizeof(how));
}

static uint64_t hash(uint64_t inode) {
        return inode * 0x9e3779b97f4a7c15u;
}

static bool put(struct seen *seen, uint64_t inode) {
        size_t i = (size_t)(hash(inode) >> 20) & (seen->size - 1);

        for (; seen->slots[i]; i = (i + 1) & (seen->size - 1))
                if (seen->slots[i] == inode)
                        return false;
        seen->slots[i] = inode;
        seen->n++;
        return true;
}

static int grow(struct seen *seen) {
        struct seen larger = { .size = seen->size ? seen->size * 2 : 64 };

        if (!(larger.slots = calloc(larger.size, sizeof(*larger.slots))))
                return -ENOMEM;
        for (size_t i = 0; i < seen->size; i++)
                if (seen->slots[i])
                        put(&larger, seen->slots[i]);
        free(seen->slots);
        *seen = larger;
        return 0;
}

/* Whether this is the first of the file's links that is met. */
static bool is_first(struct walk *walk, const struct stat *st) {
        if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
                return true;
        if (walk->seen.n * 2 >= walk->seen.size && grow(&walk->seen) < 0) {
                walk->usage.partial = true;
                return false;
        }
        return put(&walk->seen, st->st_ino);
}

static void count(struct walk *walk, const struct stat *st) {
        walk->usage.bytes += (uint64_t)st->st_blocks * 512;
        walk->usage.inodes++;
}

/* Reads @dir, which is @node's; its directories go on the stack. False when no more may be looked at. */
static bool read_directory(struct walk *walk, DIR *dir, struct node *node) {
        const struct dirent *entry;
        struct stat st;

        while ((entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (walk->left == 0)
                        return false;
                walk->left--;
                if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != walk->device ||
                    !is_first(walk, &st))
                        continue;
                count(walk, &st);
                if (S_ISDIR(st.st_mode) && push(walk, node, entry->d_name) < 0)
                        return false;
        }
        return true;
}

/* Keeps a descriptor of @node where the paths of what is below it would be too long. */
static bool anchor(struct walk *walk, struct node *node, int fd) {
        if (node->length < PATH_BYTES_MAX)
                return true;
        if (walk->anchors >= DISK_USAGE_ANCHORS_MAX || (node->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
                return false;
        walk->anchors++;
        return true;
}

static bool visit(struct walk *walk, struct node *node) {
        int fd = open_node(walk, node);
        _cleanup_closedir_ DIR *dir = NULL;

        if (fd < 0)
                return errno != EMFILE && errno != ENFILE && errno != ENOMEM; /* gone meanwhile, or something else */
        if (!anchor(walk, node, fd)) {
                close(fd);
                return false;
        }
        return (dir = open_dir(fd)) && read_directory(walk, dir, node);
}

static void walk_all(struct walk *walk) {
        struct node *node;

        while ((node = walk->stack)) {
                walk->stack = node->next;
                if (walk->left == 0 || !visit(walk, node))
                        walk->usage.partial = true;
                node_unref(walk, node);
        }
}

int disk_usage_read(const char *path, uint64_t inodes_max, struct disk_usage *ret_usage, struct err **err) {
        struct walk walk = { .left = inodes_max ? inodes_max : DISK_USAGE_INODES_MAX };
        int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0) {
                r = err_errno(err, errno, "measure %s", path);
                close_fd(fd);
                return r;
        }
        walk.device = st.st_dev;
        walk.left--;
        count(&walk, &st);
        if (!S_ISDIR(st.st_mode) || push(&walk, NULL, "") < 0) {
                walk.usage.partial = S_ISDIR(st.st_mode);
                close(fd);
        } else {
                walk.stack->fd = fd;
                walk.anchors = 1;
                walk_all(&walk);
        }
        free(walk.seen.slots);
        *ret_usage = walk.usage;
        return 0;
}

struct disk_usage disk_usage_below(const char *path) {
        struct disk_usage usage = { 0 };
        struct stat st;

        if (disk_usage_read(path, 0, &usage, NULL) < 0)
                return (struct disk_usage){ 0 };
        if (usage.inodes > 0 && lstat(path, &st) == 0) {
                usage.bytes -= (uint64_t)st.st_blocks * 512;
                usage.inodes--;
        }
        return usage;
}
