#include "images/worker/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "images/worker/archive.h"
#include "images/worker/fetch.h"
#include "images/worker/import_internal.h"
#include "images/worker/report.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define NESTED_MAX 4 /* indexes within indexes */
#define COPY_CHUNK ((size_t)4 << 20)

int import_copy(const struct region *region, uint64_t offset, int fd, struct feed *feed, struct err **err) {
        off_t from = (off_t)(region->offset + offset);

        if (feed->size != region->size)
                return err_set(err, EBADMSG, "the blob has %llu bytes, but must have %llu",
                               (unsigned long long)region->size, (unsigned long long)feed->size);
        if (lseek(fd, (off_t)offset, SEEK_SET) < 0)
                return err_errno(err, errno, "seek");
        while (offset < region->size) {
                uint64_t left = region->size - offset;
                ssize_t n = sendfile(fd, region->fd, &from, left < COPY_CHUNK ? (size_t)left : COPY_CHUNK);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "copy the blob");
                if (n == 0)
                        return err_set(err, EBADMSG, "the archive became shorter while it was read");
                offset += (uint64_t)n;
                feed_advance(feed, (uint64_t)n);
        }
        return 0;
}

static void blob_name(const char *digest, char ret[96]) {
        snprintf(ret, 96, "blobs/sha256/%.64s", digest_hex(digest));
}

static int fetch_from_layout(void *data, const struct descriptor *blob, uint64_t offset, int fd, struct feed *feed,
                             struct err **err) {
        _cleanup_region_ struct region region = REGION_NONE;
        char name[96];
        int r;

        blob_name(blob->digest, name);
        r = archive_find(data, name, &region, err);
        return r < 0 ? r : import_copy(&region, offset, fd, feed, err);
}

int image_store_names(const struct image_layout *l, struct report *report, const struct image_reference *reference,
                      const char *digest, const struct image_ref *ref, struct err **err) {
        struct image_reference by_digest = *reference;
        char text[IMAGE_REFERENCE_MAX + 1];
        int r;

        by_digest.tag[0] = '\0';
        strcpy(by_digest.digest, digest);
        if ((r = image_ref_write(l, &by_digest, ref, err)) < 0)
                return r;
        report_reference(report, image_reference_format(&by_digest, text));
        if (!*reference->tag || *reference->digest)
                return 0;
        if ((r = image_ref_write(l, reference, ref, err)) < 0)
                return r;
        report_reference(report, image_reference_format(reference, text));
        return 0;
}

/* @own is what the archive calls the image: a reference, or in an OCI layout often the tag alone. */
int import_names(const struct import *im, const char *own, const char *digest, const struct image_ref *ref,
                 struct err **err) {
        struct image_reference reference;
        bool whole = own && strpbrk(own, "/:@");

        if (whole && image_reference_parse(own, &reference, NULL) == 0)
                return image_store_names(im->layout, im->report, &reference, digest, ref, err);
        if (im->reference) {
                int r = image_reference_parse(im->reference, &reference, err);

                if (r < 0)
                        return r;
                *reference.digest = '\0';
                if (!*reference.tag)
                        strcpy(reference.tag, "latest");
                return image_store_names(im->layout, im->report, &reference, digest, ref, err);
        }
        return image_ref_write_unnamed(im->layout, ref, err);
}

static int read_config(const struct import *im, const struct archive *a, struct fetch *f, struct err **err) {
        char name[96], *text;
        size_t n;
        int r;

        blob_name(f->manifest.config.digest, name);
        r = archive_read(a, name, IMAGE_CONFIG_SIZE_MAX, &text, &n, err);
        return r < 0 ? r : fetch_set_config(f, text, n, im->platform, err);
}

/* Follows @entry through nested indexes to a manifest. */
static int find_manifest(const struct import *im, const struct archive *a, const struct descriptor *entry,
                         struct fetch *f, struct err **err) {
        struct descriptor at = *entry;

        for (int depth = 0; depth <= NESTED_MAX; depth++) {
                const struct manifest_entry *chosen;
                char name[96], wanted[PLATFORM_TEXT_MAX], *text;
                size_t n;
                int r;

                blob_name(at.digest, name);
                if ((r = archive_read(a, name, IMAGE_MANIFEST_SIZE_MAX, &text, &n, err)) < 0 ||
                    (r = fetch_set_manifest(f, text, n, err)) < 0)
                        return r;
                if (strcmp(f->manifest_digest, at.digest) != 0)
                        return err_set(err, EBADMSG, "the manifest's digest is %s, but must be %s", f->manifest_digest,
                                       at.digest);
                if (!manifest_is_index(&f->manifest))
                        return 0;
                chosen = image_manifest_choose(&f->manifest, im->platform);
                if (!chosen)
                        return err_set(err, ENOEXEC, "the index has no image for %s",
                                       image_platform_format(im->platform, wanted));
                at = chosen->descriptor;
        }
        return err_set(err, EBADMSG, "indexes are nested more than %d times", NESTED_MAX);
}

static int import_with(const struct import *im, struct archive *a, const struct manifest_entry *entry, struct fetch *f,
                       struct err **err) {
        struct image_ref ref;
        int r;

        if ((r = find_manifest(im, a, &entry->descriptor, f, err)) < 0 || (r = read_config(im, a, f, err)) < 0 ||
            (r = fetch_run(f, err)) < 0)
                return r;
        ref = fetch_record(f);
        return import_names(im, entry->reference, entry->descriptor.digest, &ref, err);
}

static int import_entry(const struct import *im, struct archive *a, const struct manifest_entry *entry,
                        struct err **err) {
        struct fetch f = { .layout = im->layout,
                           .report = im->report,
                           .limits = *im->limits,
                           .fetcher = { .fetch = fetch_from_layout, .data = a } };
        int r = import_with(im, a, entry, &f, err);

        fetch_clear(&f);
        return r;
}

static int import_layout(const struct import *im, struct archive *a, struct err **err) {
        _cleanup_manifest_ struct manifest index = { .entries = NULL };
        _cleanup_err_ struct err *other = NULL;
        _cleanup_free_ char *text = NULL;
        size_t n, imported = 0;
        int r = archive_read(a, "index.json", IMAGE_MANIFEST_SIZE_MAX, &text, &n, err);

        if (r < 0 || (r = image_manifest_parse(text, n, &index, err)) < 0)
                return err_wrap(err, r, "index.json");
        if (!manifest_is_index(&index))
                return err_set(err, EBADMSG, "index.json is no index");
        for (size_t i = 0; i < index.n_entries; i++) {
                const struct manifest_entry *e = &index.entries[i];

                if (*e->platform.os &&
                    !image_platform_fits(im->platform, e->platform.os, e->platform.architecture, e->platform.variant)) {
                        char has[PLATFORM_TEXT_MAX], wanted[PLATFORM_TEXT_MAX];

                        err_set(&other, ENOEXEC, "the image is for %s, this node needs %s",
                                image_platform_format(&e->platform, has), image_platform_format(im->platform, wanted));
                        continue;
                }
                _cleanup_err_ struct err *cause = NULL;

                r = import_entry(im, a, e, &cause);
                if (r == -ENOEXEC) {
                        err_set(&other, ENOEXEC, "%s", err_text(cause));
                        continue;
                }
                if (r < 0)
                        return err_move(err, TAKE_PTR(cause));
                imported++;
        }
        if (imported == 0)
                return other ? err_move(err, TAKE_PTR(other)) : err_set(err, EBADMSG, "the layout has no image");
        return 0;
}

int import_run(const struct import *im, struct err **err) {
        _cleanup_(archive_closep) struct archive *a = NULL;
        _cleanup_region_ struct region region = REGION_NONE;
        struct err *cause = NULL;
        int r = archive_open(im->file, im->layout->ingest, &a, err);

        if (r < 0)
                return r;
        /* newer docker writes both; the layout has the manifests as they were pulled */
        if (archive_find(a, "index.json", &region, NULL) == 0)
                r = import_layout(im, a, &cause);
        else if (archive_find(a, "manifest.json", &region, NULL) == 0)
                r = import_docker(im, a, &cause);
        else
                r = err_set(&cause, EBADMSG, "no image archive: it has neither index.json nor manifest.json");
        if (r < 0) {
                err_wrap(&cause, r, "%s", strcmp(im->file, "-") == 0 ? "standard input" : im->file);
                return err_move(err, cause);
        }
        return 0;
}
