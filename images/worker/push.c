#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "images/files.h"
#include "images/store.h"
#include "images/worker/report.h"
#include "images/worker/request.h"
#include "images/worker/stored.h"
#include "images/worker/transfers.h"
#include "images/worker/upload.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static int push_blobs(const struct image_layout *l, struct upload *u, const struct stored_image *image,
                      struct err **err) {
        for (size_t i = 0; i <= image->manifest.n_layers; i++) {
                const struct descriptor *blob =
                        i < image->manifest.n_layers ? &image->manifest.layers[i] : &image->manifest.config;
                _cleanup_close_ int fd = -EBADF;
                int r = stored_blob_open(l, blob, &fd, err);

                if (r < 0 || (r = upload_blob(u, blob, fd, err)) < 0)
                        return r;
        }
        return 0;
}

static int push_to(struct registry *registry, const struct image_layout *l, const struct stored_image *image,
                   const char *tag, struct report *report, struct err **err) {
        struct upload upload = { .http = NULL };
        int r = upload_open(registry, report, &upload, err);

        if (r == 0 && (r = push_blobs(l, &upload, image, err)) == 0)
                r = upload_manifest(&upload, tag, image->manifest.media_type, image->text, image->n, err);
        upload_close(&upload);
        return r;
}

static int push_image(const struct image_layout *l, const struct image_request *q,
                      const struct image_reference *reference, const struct stored_image *image, struct report *report,
                      struct err **err) {
        struct registry registry;
        int r = registry_open(&q->transfer, reference, true, &registry, err);

        if (r < 0)
                return r;
        r = push_to(&registry, l, image, *reference->tag ? reference->tag : image->digest, report, err);
        registry_close(&registry);
        return r;
}

static int push(const struct image_layout *l, const struct image_request *q, const struct image_reference *reference,
                struct report *report, struct err **err) {
        struct stored_image image = { .text = NULL };
        int r = stored_image_read(l, q->transfer.root_dir, q->transfer.reference, &image, err);

        if (r < 0)
                return r;
        r = push_image(l, q, reference, &image, report, err);
        if (r >= 0) {
                report_reference(report, q->transfer.reference);
                report_image(report, image.manifest.config.digest, image.digest);
        }
        stored_image_clear(&image);
        return r;
}

int transfer_push(const struct image_layout *l, const struct image_request *q, struct report *report,
                  struct err **err) {
        struct image_reference reference;
        struct err *cause = NULL;
        int r = image_reference_parse(q->transfer.reference, &reference, err);

        if (r < 0)
                return r;
        r = push(l, q, &reference, report, &cause);
        if (r < 0) {
                err_wrap(&cause, r, "push %s", q->transfer.reference);
                return err_move(err, cause);
        }
        return 0;
}

int transfer_login(const struct image_layout *l, const struct image_request *q, struct report *report,
                   struct err **err) {
        _cleanup_response_ struct image_http_response response = { 0 };
        _cleanup_(image_http_freep) struct http *http = image_http_new();
        struct image_reference reference;
        struct registry registry;
        char name[IMAGE_NAME_MAX + 8], url[IMAGE_NAME_MAX + 32];
        int r;

        (void)l;
        (void)report;
        /* a host alone is no reference: any path behind it makes one */
        snprintf(name, sizeof(name), "%.*s/login", IMAGE_NAME_MAX - 8, q->transfer.reference);
        if (!http)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = image_reference_parse(name, &reference, err)) < 0 ||
            (r = registry_open(&q->transfer, &reference, false, &registry, err)) < 0)
                return r;
        struct endpoint *origin = &registry.endpoints.items[registry.endpoints.count - 1];

        snprintf(url, sizeof(url), "%s/", origin->base);
        struct image_http_request request = { .method = "GET", .url = url, .max = REGISTRY_TOKEN_MAX };

        r = registry_perform(&registry, origin, http, &request, &response, err);
        registry_close(&registry);
        return r < 0 ? err_wrap(err, r, "login to %s", q->transfer.reference) : 0;
}
