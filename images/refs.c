#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "images/files.h"
#include "images/layout.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define RECORD_SIZE_MAX 256
#define UNNAMED "+" /* the directory of images without a name; no encoded name is this */

/* '+' occurs in no reference. */
static void encode(const char *name, char ret[IMAGE_NAME_MAX + 1]) {
        size_t i = 0;

        for (; name[i]; i++)
                ret[i] = name[i] == '/' ? '+' : name[i];
        ret[i] = '\0';
}

static const char *leaf_of(const struct image_reference *reference, bool by_digest, char ret[IMAGE_TAG_MAX + 1]) {
        if (by_digest)
                snprintf(ret, IMAGE_TAG_MAX + 1, "@%s", reference->digest);
        else
                snprintf(ret, IMAGE_TAG_MAX + 1, "%s", reference->tag);
        return ret;
}

static int parse_record(const char *text, struct image_ref *ret) {
        struct image_ref ref;

        if (sscanf(text, "%71s %71s", ref.manifest, ref.image_id) != 2 || !image_digest_valid(ref.manifest) ||
            !image_digest_valid(ref.image_id))
                return -EBADMSG;
        *ret = ref;
        return 0;
}

static int read_record(const struct image_layout *l, int dir, const char *leaf, struct image_ref *ret) {
        _cleanup_free_ char *text = NULL;
        int r = image_file_read(dir, leaf, RECORD_SIZE_MAX, &text, NULL, NULL);

        /* What is no such record at all goes; one that cannot be read now stays. */
        if (r < 0 && r != -EINVAL && r != -E2BIG && r != -ELOOP)
                return r;
        if (r < 0 || parse_record(text, ret) < 0) {
                image_layout_set_aside(l, dir, leaf, "no readable reference");
                return -ENOENT;
        }
        return 0;
}

int image_ref_read(const struct image_layout *l, const struct image_reference *reference, struct image_ref *ret_ref,
                   struct err **err) {
        char name[IMAGE_NAME_MAX + 1], leaf[IMAGE_TAG_MAX + 1], text[IMAGE_REFERENCE_MAX + 1];
        _cleanup_close_ int dir = -EBADF;
        int r;

        encode(reference->name, name);
        dir = openat(l->refs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        r = dir < 0 ? -errno : 0;
        if (r == 0)
                r = read_record(l, dir, leaf_of(reference, *reference->digest, leaf), ret_ref);
        if (r == -ENOENT)
                return err_set(err, ENOENT, "image %s is not here", image_reference_format(reference, text));
        return r < 0 ? err_errno(err, -r, "image %s", image_reference_format(reference, text)) : 0;
}

static int write_in(const struct image_layout *l, const char *name, const char *leaf, const char *text, size_t n,
                    struct err **err) {
        _cleanup_close_ int dir = -EBADF;
        int r = image_directory_open(l->refs, name, &dir, err);

        return r < 0 ? r : image_file_write(dir, leaf, text, n, err);
}

static int write_record(const struct image_layout *l, const char *name, const char *leaf, const struct image_ref *ref,
                        struct err **err) {
        char text[RECORD_SIZE_MAX];
        struct err *cause = NULL;
        int n = snprintf(text, sizeof(text), "%s %s\n", ref->manifest, ref->image_id);
        int r = write_in(l, name, leaf, text, (size_t)n, &cause);

        /* another thread may remove the empty directory in between: then make it anew */
        if (r == -ENOENT) {
                cause = err_free(cause);
                r = write_in(l, name, leaf, text, (size_t)n, &cause);
        }
        if (r < 0 || (fsync(l->refs) < 0 && (r = err_errno(&cause, errno, "fsync")) < 0)) {
                err_wrap(&cause, r, "image store %s: reference", l->path);
                return err_move(err, cause);
        }
        return 0;
}

int image_ref_write(const struct image_layout *l, const struct image_reference *reference, const struct image_ref *ref,
                    struct err **err) {
        char name[IMAGE_NAME_MAX + 1], leaf[IMAGE_TAG_MAX + 1];

        encode(reference->name, name);
        return write_record(l, name, leaf_of(reference, *reference->tag == '\0', leaf), ref, err);
}

int image_ref_write_unnamed(const struct image_layout *l, const struct image_ref *ref, struct err **err) {
        return write_record(l, UNNAMED, ref->image_id, ref, err);
}

static int remove_record(const struct image_layout *l, const char *name, const char *leaf, struct err **err) {
        _cleanup_close_ int dir = openat(l->refs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (dir < 0 && errno == ENOENT)
                return -ENOENT;
        if (dir < 0 || (unlinkat(dir, leaf, 0) < 0 && errno != ENOENT) || fsync(dir) < 0)
                return err_errno(err, errno, "image store %s: remove reference %s/%s", l->path, name, leaf);
        unlinkat(l->refs, name, AT_REMOVEDIR); /* when it was the last */
        return 0;
}

int image_ref_remove(const struct image_layout *l, const struct image_reference *reference, struct err **err) {
        char name[IMAGE_NAME_MAX + 1], leaf[IMAGE_TAG_MAX + 1];
        int r;

        encode(reference->name, name);
        r = remove_record(l, name, leaf_of(reference, *reference->tag == '\0', leaf), err);
        return r == -ENOENT ? 0 : r;
}

int image_ref_remove_unnamed(const struct image_layout *l, const struct image_ref *ref, struct err **err) {
        int r = remove_record(l, UNNAMED, ref->image_id, err);

        return r == -ENOENT ? 0 : r;
}

/* What directory and leaf say, back into a reference; false when they are none of ours. */
static bool decode(const char *name, const char *leaf, struct image_reference *ret) {
        char text[IMAGE_REFERENCE_MAX + 2];
        size_t n = strlen(name);

        if (n > IMAGE_NAME_MAX || strlen(leaf) > IMAGE_TAG_MAX)
                return false;
        snprintf(text, sizeof(text), "%s%s%s", name, *leaf == '@' ? "" : ":", leaf);
        for (size_t i = 0; i < n; i++)
                if (text[i] == '+')
                        text[i] = '/';
        return image_reference_parse(text, ret, NULL) == 0;
}

static int each_in(const struct image_layout *l, const char *name, image_ref_each each, void *data) {
        int fd = openat(l->refs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r = 0;
        _cleanup_closedir_ DIR *d = open_dir(fd);
        const struct dirent *e;

        if (!d)
                return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        while (r == 0 && (e = readdir(d))) {
                bool named = strcmp(name, UNNAMED) != 0;
                struct image_reference reference;
                struct image_ref ref;

                if (*e->d_name == '.')
                        continue;
                if (named && !decode(name, e->d_name, &reference)) {
                        image_layout_set_aside(l, fd, e->d_name, "no reference's name");
                        continue;
                }
                r = read_record(l, fd, e->d_name, &ref);
                if (r == 0)
                        r = each(data, named ? &reference : NULL, &ref);
                else if (r == -ENOENT) /* just removed, or set aside */
                        r = 0;
        }
        return r;
}

int image_refs(const struct image_layout *l, image_ref_each each, void *data, struct err **err) {
        int fd = openat(l->refs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        _cleanup_closedir_ DIR *d = open_dir(fd);
        const struct dirent *e;

        if (!d)
                return err_errno(err, errno, "image store %s: read refs", l->path);
        while (r == 0 && (e = readdir(d)))
                if (*e->d_name != '.')
                        r = each_in(l, e->d_name, each, data);
        return r < 0 ? err_errno(err, -r, "image store %s: read refs", l->path) : r;
}
