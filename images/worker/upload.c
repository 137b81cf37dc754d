#include "images/worker/upload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "images/worker/report.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define UPLOAD_RETRIES_MAX 4

int upload_open(struct registry *registry, struct report *report, struct upload *ret, struct err **err) {
        *ret = (struct upload){ .registry = registry, .report = report };
        for (size_t i = 0; i < registry->endpoints.count && !ret->endpoint; i++)
                if (registry->endpoints.items[i].push)
                        ret->endpoint = &registry->endpoints.items[i];
        if (!ret->endpoint)
                return err_set(err, ENOENT, "no server of registry %s may be pushed to", registry->host);
        ret->http = image_http_new();
        return ret->http ? 0 : err_set(err, ENOMEM, "out of memory");
}

void upload_close(struct upload *u) {
        image_http_free(u->http);
}

/* Whether the registry has the blob. */
static int has_blob(struct upload *u, const struct descriptor *blob, struct err **err) {
        _cleanup_response_ struct image_http_response response = { 0 };
        _cleanup_free_ char *url = NULL;
        struct err *cause = NULL;
        char what[IMAGE_DIGEST_LENGTH + 16];
        int r;

        snprintf(what, sizeof(what), "blobs/%s", blob->digest);
        url = registry_url(u->registry, u->endpoint, what);
        struct image_http_request q = { .method = "HEAD", .url = url };

        r = url ? registry_perform(u->registry, u->endpoint, u->http, &q, &response, &cause) :
                  err_set(&cause, ENOMEM, "out of memory");
        if (r == 0)
                return 1;
        if (r == -ENOENT) {
                err_free(cause);
                return 0;
        }
        return err_move(err, cause);
}

struct progress {
        struct upload *upload;
        const struct descriptor *blob;
};

static int on_sent(void *data, uint64_t bytes) {
        const struct progress *p = data;

        report_progress(p->upload->report, p->blob->digest, "uploading", bytes, p->blob->size);
        return 0;
}

/* Asks for a place to send to; @ret_url is where the blob is to be put, free() it. */
static int begin(struct upload *u, const struct descriptor *blob, char **ret_url, struct err **err) {
        _cleanup_free_ char *url = registry_url(u->registry, u->endpoint, "blobs/uploads/"), *whole = NULL;
        _cleanup_response_ struct image_http_response response = { 0 };
        struct image_http_request q = { .method = "POST", .url = url, .body = "" };
        int r = url ? registry_perform(u->registry, u->endpoint, u->http, &q, &response, err) :
                      err_set(err, ENOMEM, "out of memory");

        if (r < 0)
                return r;
        r = registry_lead(response.url, response.location, &whole, err);
        if (r < 0)
                return err_wrap(err, r, "the place for the blob");
        if (asprintf(ret_url, "%s%cdigest=%s", whole, strchr(whole, '?') ? '&' : '?', blob->digest) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}

static int send_once(struct upload *u, const struct descriptor *blob, int fd, struct err **err) {
        _cleanup_response_ struct image_http_response response = { 0 };
        struct progress progress = { .upload = u, .blob = blob };
        _cleanup_free_ char *url = NULL;
        int r = begin(u, blob, &url, err);

        if (r < 0)
                return r;
        struct image_http_request q = { .method = "PUT",
                                        .url = url,
                                        .headers = { "Content-Type: application/octet-stream" },
                                        .n_headers = 1,
                                        .body = "",
                                        .body_fd = fd,
                                        .body_size = blob->size,
                                        .sent = on_sent,
                                        .data = &progress };

        return registry_perform(u->registry, u->endpoint, u->http, &q, &response, err);
}

int upload_blob(struct upload *u, const struct descriptor *blob, int fd, struct err **err) {
        int r = has_blob(u, blob, err);

        if (r != 0) {
                if (r > 0)
                        report_progress(u->report, blob->digest, "exists", blob->size, blob->size);
                return r < 0 ? r : 0;
        }
        for (unsigned attempt = 0;; attempt++) {
                struct err *cause = NULL;
                unsigned ms = registry_backoff(attempt, 0);
                struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

                r = send_once(u, blob, fd, &cause);
                if (r == 0)
                        break;
                if (!registry_is_transient(r) || attempt == UPLOAD_RETRIES_MAX)
                        return err_move(err, cause);
                err_free(cause);
                nanosleep(&wait, NULL);
        }
        report_progress(u->report, blob->digest, "done", blob->size, blob->size);
        return 0;
}

int upload_manifest(struct upload *u, const char *name, const char *media_type, const char *text, size_t n,
                    struct err **err) {
        _cleanup_response_ struct image_http_response response = { 0 };
        char what[IMAGE_TAG_MAX + 32], type[MEDIA_TYPE_MAX + 32];
        _cleanup_free_ char *url = NULL;

        snprintf(what, sizeof(what), "manifests/%s", name);
        snprintf(type, sizeof(type), "Content-Type: %s", *media_type ? media_type : MEDIA_OCI_MANIFEST);
        url = registry_url(u->registry, u->endpoint, what);
        struct image_http_request q = {
                .method = "PUT", .url = url, .headers = { type }, .n_headers = 1, .body = text, .n_body = n
        };

        return url ? registry_perform(u->registry, u->endpoint, u->http, &q, &response, err) :
                     err_set(err, ENOMEM, "out of memory");
}
