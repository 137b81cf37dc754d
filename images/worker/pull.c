#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "images/worker/fetch.h"
#include "images/worker/import.h"
#include "images/worker/registry.h"
#include "images/worker/report.h"
#include "images/worker/request.h"
#include "images/worker/transfers.h"
#include "images/worker/unpack.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define NESTED_MAX 4 /* indexes within indexes */
#define ACCEPT_MANIFESTS                                                                                               \
        "Accept: " MEDIA_OCI_INDEX ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_LIST ", " MEDIA_DOCKER_MANIFEST           \
        ", */*;q=0.1"

struct pull {
        struct registry registry;
        struct image_reference reference;
        struct platform platform;
        struct fetch fetch;
        char digest[IMAGE_DIGEST_LENGTH + 1]; /* of what the reference names: an index's, where there is one */
};

/* Gets a manifest or index by tag or digest into the fetch; what has a digest is verified. */
static int get_manifest(struct pull *p, const char *name, struct err **err) {
        _cleanup_response_ struct image_http_response response = { 0 };
        char what[IMAGE_TAG_MAX + 32];
        int r;

        snprintf(what, sizeof(what), "manifests/%s", name);
        r = registry_get(&p->registry, what, ACCEPT_MANIFESTS, IMAGE_MANIFEST_SIZE_MAX, &response, err);
        if (r < 0)
                return r;
        if (!response.body)
                return err_set(err, EBADMSG, "the manifest is empty");
        r = fetch_set_manifest(&p->fetch, TAKE_PTR(response.body), response.n_body, err);
        if (image_digest_valid(name) && strcmp(p->fetch.manifest_digest, name) != 0)
                return err_set(err, EBADMSG, "the manifest's digest is %s, but must be %s", p->fetch.manifest_digest,
                               name);
        return r;
}

/* From the reference to the manifest for the platform. */
static int find_manifest(struct pull *p, struct err **err) {
        const char *name = *p->reference.digest ? p->reference.digest : p->reference.tag;
        char wanted[PLATFORM_TEXT_MAX], digest[IMAGE_DIGEST_LENGTH + 1];
        int r = get_manifest(p, name, err);

        if (r < 0)
                return r;
        strcpy(p->digest, p->fetch.manifest_digest);
        for (int depth = 0; manifest_is_index(&p->fetch.manifest); depth++) {
                const struct manifest_entry *chosen = image_manifest_choose(&p->fetch.manifest, &p->platform);

                if (!chosen)
                        return err_set(err, ENOEXEC, "there is no image for %s",
                                       image_platform_format(&p->platform, wanted));
                if (depth == NESTED_MAX)
                        return err_set(err, EBADMSG, "indexes are nested more than %d times", NESTED_MAX);
                strcpy(digest, chosen->descriptor.digest);
                r = get_manifest(p, digest, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int get_config(struct pull *p, struct err **err) {
        _cleanup_response_ struct image_http_response response = { 0 };
        char what[IMAGE_DIGEST_LENGTH + 16];
        int r;

        snprintf(what, sizeof(what), "blobs/%s", p->fetch.manifest.config.digest);
        r = registry_get(&p->registry, what, "Accept: */*", IMAGE_CONFIG_SIZE_MAX, &response, err);
        if (r < 0)
                return r;
        if (!response.body)
                return err_set(err, EBADMSG, "the config is empty");
        return fetch_set_config(&p->fetch, TAKE_PTR(response.body), response.n_body, &p->platform, err);
}

static int pull(struct pull *p, const struct image_request *q, struct err **err) {
        struct image_ref ref;
        int r = registry_open(&q->transfer, &p->reference, false, &p->registry, err);

        if (r < 0)
                return r;
        if ((r = find_manifest(p, err)) < 0 || (r = get_config(p, err)) < 0 || (r = fetch_run(&p->fetch, err)) < 0)
                return r;
        ref = fetch_record(&p->fetch);
        return image_store_names(p->fetch.layout, p->fetch.report, &p->reference, p->digest, &ref, err);
}

int transfer_pull(const struct image_layout *layout, const struct image_request *q, struct report *report,
                  struct err **err) {
        struct pull p = { .fetch = { .layout = layout,
                                     .report = report,
                                     .limits = { .bytes = q->max_bytes, .entries = q->max_entries } } };
        char text[IMAGE_REFERENCE_MAX + 1];
        struct err *cause = NULL;
        int r;

        if ((r = image_reference_parse(q->transfer.reference, &p.reference, err)) < 0 ||
            (r = image_platform_parse(q->transfer.platform, &p.platform, err)) < 0)
                return r;
        p.fetch.fetcher = (struct fetcher){ .fetch = registry_fetch, .data = &p.registry };
        r = pull(&p, q, &cause);
        fetch_clear(&p.fetch);
        registry_close(&p.registry);
        if (r < 0) {
                err_wrap(&cause, r, "pull %s", image_reference_format(&p.reference, text));
                return err_move(err, cause);
        }
        return 0;
}
