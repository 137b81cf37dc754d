#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "images/files.h"
#include "images/store.h"
#include "images/worker/report.h"
#include "images/worker/request.h"
#include "images/worker/stored.h"
#include "images/strings.h"
#include "images/worker/transfers.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "images/tar_writer.h"

#define EXPORT_IMAGES_MAX 64

struct export {
        const struct image_layout *layout;
        struct report *report;
        int fd;
        struct stored_image images[EXPORT_IMAGES_MAX];
        size_t n_images;
        struct string_list written; /* names in the archive so far */
};

static int put_text(const struct export *x, const char *name, const char *text, size_t n, struct err **err) {
        return image_tar_write_text(x->fd, name, 0644, text, n, err);
}

/* A blob's name in the archive; false when it was written for an earlier image. */
static bool is_new(struct export *x, const char *name) {
        for (size_t i = 0; i < x->written.count; i++)
                if (strcmp(x->written.items[i], name) == 0)
                        return false;
        return image_string_list_add(&x->written, name) == 0;
}

static int put_blob(struct export *x, const struct descriptor *blob, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        char name[96];
        uint64_t left = blob->size;
        int r;

        snprintf(name, sizeof(name), "blobs/sha256/%.64s", digest_hex(blob->digest));
        if (!is_new(x, name))
                return 0;
        if ((r = stored_blob_open(x->layout, blob, &fd, err)) < 0 ||
            (r = image_tar_write_begin(x->fd, name, 0644, blob->size, err)) < 0)
                return r;
        while (left > 0) {
                ssize_t n = sendfile(x->fd, fd, NULL, left < 4 << 20 ? (size_t)left : 4 << 20);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return err_errno(err, n < 0 ? errno : EIO, "write the archive");
                left -= (uint64_t)n;
                report_progress(x->report, blob->digest, "writing", blob->size - left, blob->size);
        }
        report_progress(x->report, blob->digest, "done", blob->size, blob->size);
        return image_tar_write_padding(x->fd, blob->size, err);
}

static int put_image(struct export *x, const struct stored_image *image, struct err **err) {
        char name[96];
        int r = put_blob(x, &image->manifest.config, err);

        for (size_t i = 0; i < image->manifest.n_layers && r == 0; i++)
                r = put_blob(x, &image->manifest.layers[i], err);
        snprintf(name, sizeof(name), "blobs/sha256/%.64s", digest_hex(image->digest));
        return r == 0 && is_new(x, name) ? put_text(x, name, image->text, image->n, err) : r;
}

static void add_entry(struct json_writer *w, const struct stored_image *image, const char *tag) {
        json_begin_map(w);
        json_add_string(w, "mediaType", *image->manifest.media_type ? image->manifest.media_type : MEDIA_OCI_MANIFEST);
        json_add_string(w, "digest", image->digest);
        json_add_int(w, "size", (int64_t)image->n);
        if (tag) {
                json_key(w, "annotations");
                json_begin_map(w);
                json_add_string(w, "io.containerd.image.name", tag);
                json_add_string(w, "org.opencontainers.image.ref.name", strrchr(tag, ':') + 1);
                json_end_map(w);
        }
        json_end_map(w);
}

/* OCI's index.json: an entry for each tag. */
static int put_index(struct export *x, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        size_t n;

        json_begin_map(&w);
        json_add_int(&w, "schemaVersion", 2);
        json_add_string(&w, "mediaType", MEDIA_OCI_INDEX);
        json_key(&w, "manifests");
        json_begin_list(&w);
        for (size_t i = 0; i < x->n_images; i++) {
                char **tags = x->images[i].tags;

                if (!*tags)
                        add_entry(&w, &x->images[i], NULL);
                for (; *tags; tags++)
                        add_entry(&w, &x->images[i], *tags);
        }
        json_end_list(&w);
        json_end_map(&w);
        if (json_writer_finish(&w, &text, &n) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return put_text(x, "index.json", text, n, err);
}

/* docker load's manifest.json, with the same blobs. */
static int put_docker_manifest(struct export *x, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        char name[96];
        size_t n;

        json_begin_list(&w);
        for (size_t i = 0; i < x->n_images; i++) {
                const struct stored_image *image = &x->images[i];

                json_begin_map(&w);
                snprintf(name, sizeof(name), "blobs/sha256/%.64s", digest_hex(image->manifest.config.digest));
                json_add_string(&w, "Config", name);
                json_key(&w, "RepoTags");
                json_begin_list(&w);
                for (char **tag = image->tags; *tag; tag++)
                        json_string(&w, *tag);
                json_end_list(&w);
                json_key(&w, "Layers");
                json_begin_list(&w);
                for (size_t j = 0; j < image->manifest.n_layers; j++) {
                        snprintf(name, sizeof(name), "blobs/sha256/%.64s",
                                 digest_hex(image->manifest.layers[j].digest));
                        json_string(&w, name);
                }
                json_end_list(&w);
                json_end_map(&w);
        }
        json_end_list(&w);
        if (json_writer_finish(&w, &text, &n) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return put_text(x, "manifest.json", text, n, err);
}

static int write_archive(struct export *x, struct err **err) {
        static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
        int r = put_text(x, "oci-layout", layout, sizeof(layout) - 1, err);

        if (r < 0 || (r = put_index(x, err)) < 0 || (r = put_docker_manifest(x, err)) < 0)
                return r;
        for (size_t i = 0; i < x->n_images; i++) {
                r = put_image(x, &x->images[i], err);
                report_image(x->report, x->images[i].manifest.config.digest, x->images[i].digest);
                if (r < 0)
                        return r;
        }
        return image_tar_write_end(x->fd, err);
}

static int find_images(struct export *x, const struct image_request *q, struct err **err) {
        for (const char *p = q->transfer.reference; *p;) {
                char name[IMAGE_REFERENCE_MAX + 1];
                size_t n = strcspn(p, ",");
                int r;

                if (n > IMAGE_REFERENCE_MAX || x->n_images == EXPORT_IMAGES_MAX)
                        return err_set(err, E2BIG, "too many or too long references");
                snprintf(name, sizeof(name), "%.*s", (int)n, p);
                r = stored_image_read(x->layout, q->transfer.root_dir, name, &x->images[x->n_images], err);
                if (r < 0)
                        return r;
                x->n_images++;
                p += n + (p[n] == ',');
        }
        return 0;
}

/* An archive that was not finished is not left behind. */
static int write_file(struct export *x, const char *path, struct err **err) {
        _cleanup_free_ char *temporary = NULL;
        int r;

        if (strcmp(path, "-") == 0) {
                x->fd = STDOUT_FILENO;
                return write_archive(x, err);
        }
        if (asprintf(&temporary, "%s.part%d", path, (int)getpid()) < 0) {
                temporary = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        x->fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (x->fd < 0)
                return err_errno(err, errno, "create %s", temporary);
        if ((r = write_archive(x, err)) < 0 ||
            ((fsync(x->fd) < 0 || rename(temporary, path) < 0) && (r = err_errno(err, errno, "write %s", path)) < 0))
                unlink(temporary);
        close(x->fd);
        return r;
}

int transfer_export(const struct image_layout *l, const struct image_request *q, struct report *report,
                    struct err **err) {
        struct export *x = calloc(1, sizeof(*x));
        int r;

        if (!x)
                return err_set(err, ENOMEM, "out of memory");
        x->layout = l;
        x->report = report;
        r = find_images(x, q, err);
        if (r == 0)
                r = write_file(x, q->transfer.file, err);
        for (size_t i = 0; i < x->n_images; i++)
                stored_image_clear(&x->images[i]);
        image_string_list_clear(&x->written);
        free(x);
        return r < 0 ? err_wrap(err, r, "export %s", q->transfer.reference) : 0;
}
