#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/format.h"
#include "cli/output.h"

static struct {
        bool digests, no_trunc, pinned, quiet, all, prune;
        const char *output;
} options;

const struct cli_option cli_images_options[] = {
        { "digests", 0, CLI_FLAG, &options.digests, NULL, "show digests" },
        { "no-trunc", 0, CLI_FLAG, &options.no_trunc, NULL, "show whole ids" },
        { "output", 'o', CLI_TEXT, &options.output, "FORM", "json, yaml or table [table]" },
        { "pinned", 0, CLI_FLAG, &options.pinned, NULL, "show which images are pinned" },
        { "quiet", 'q', CLI_FLAG, &options.quiet, NULL, "show only ids" },
        {},
};

const struct cli_option cli_rmi_options[] = {
        { "all", 'a', CLI_FLAG, &options.all, NULL, "remove all images" },
        { "prune", 'q', CLI_FLAG, &options.prune, NULL, "remove images that no container uses" },
        {},
};

static int list_images(struct cli *cli, const char *name, struct grpc_unpacked *ret_answer, struct err **err) {
        Cri__ListImagesRequest request = CRI__LIST_IMAGES_REQUEST__INIT;
        Cri__ImageFilter filter = CRI__IMAGE_FILTER__INIT;
        Cri__ImageSpec spec = CRI__IMAGE_SPEC__INIT;

        if (name) {
                spec.image = (char *)(uintptr_t)name;
                filter.image = &spec;
                request.filter = &filter;
        }
        return cli_call(cli, IMAGE("ListImages"), &request.base, &cri__list_images_response__descriptor, ret_answer,
                        err);
}

/* NAME:TAG in two; NAME without a tag is <none>. */
static void split_tag(const char *text, char name[512], const char **ret_tag) {
        const char *slash = strrchr(text, '/'), *colon = strrchr(slash ? slash : text, ':');

        snprintf(name, 512, "%.*s", colon ? (int)(colon - text) : (int)strlen(text), text);
        *ret_tag = colon ? colon + 1 : "<none>";
}

static const char *digest_of(const Cri__Image *image, char buffer[FORMAT_MAX]) {
        const char *at = image->n_repo_digests > 0 ? strchr(image->repo_digests[0], '@') : NULL;

        if (!at)
                return "<none>";
        return options.no_trunc ? at + 1 : format_id(at + 1, buffer);
}

static void print_row(struct columns *columns, const Cri__Image *image, const char *name, const char *tag) {
        char id[FORMAT_MAX], size[FORMAT_MAX], digest[FORMAT_MAX];

        columns_row(columns, "%s\t%s\t%s%s%s\t%s%s%s", name, tag, options.digests ? digest_of(image, digest) : "",
                    options.digests ? COLUMNS_NEXT : "", options.no_trunc ? image->id : format_id(image->id, id),
                    format_size(image->size, size), options.pinned ? COLUMNS_NEXT : "",
                    options.pinned ? (image->pinned ? "true" : "false") : "");
}

static void print_images(const Cri__ListImagesResponse *answer) {
        char headings[128], name[512];
        struct columns columns;
        const char *tag;

        snprintf(headings, sizeof(headings), "IMAGE\tTAG\t%sIMAGE ID\tSIZE%s", options.digests ? "DIGEST\t" : "",
                 options.pinned ? "\tPINNED" : "");
        columns_begin(&columns, headings);
        for (size_t i = 0; i < answer->n_images; i++) {
                const Cri__Image *image = answer->images[i];

                for (size_t k = 0; k < image->n_repo_tags; k++) {
                        split_tag(image->repo_tags[k], name, &tag);
                        print_row(&columns, image, name, tag);
                }
                if (image->n_repo_tags == 0) {
                        const char *digest = image->n_repo_digests > 0 ? image->repo_digests[0] : "<none>";

                        snprintf(name, sizeof(name), "%.*s", (int)strcspn(digest, "@"), digest);
                        print_row(&columns, image, name, "<none>");
                }
        }
        columns_end(&columns, stdout);
}

int cli_images(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        const Cri__ListImagesResponse *answer;
        enum output output;
        int r;

        if ((r = output_parse(options.output, OUTPUT_TABLE, &output, err)) < 0 ||
            (r = list_images(cli, n > 0 ? arguments[0] : NULL, &unpacked, err)) < 0)
                return r;
        answer = (const Cri__ListImagesResponse *)unpacked.message;
        if (output != OUTPUT_TABLE)
                return output_whole(&answer->base, output, false, err);
        if (!options.quiet)
                print_images(answer);
        for (size_t i = 0; options.quiet && i < answer->n_images; i++)
                printf("%s\n", answer->images[i]->id);
        return 0;
}

static int remove_image(struct cli *cli, const char *name, struct err **err) {
        Cri__ImageStatusRequest status = CRI__IMAGE_STATUS_REQUEST__INIT;
        Cri__RemoveImageRequest request = CRI__REMOVE_IMAGE_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked seen = {}, done = {};
        Cri__ImageSpec spec = CRI__IMAGE_SPEC__INIT;
        const Cri__ImageStatusResponse *answer;
        int r;

        spec.image = (char *)(uintptr_t)name;
        status.image = &spec;
        r = cli_call(cli, IMAGE("ImageStatus"), &status.base, &cri__image_status_response__descriptor, &seen, err);
        if (r < 0)
                return r;
        answer = (const Cri__ImageStatusResponse *)seen.message;
        if (!answer->image)
                return err_set(err, ENOENT, "no such image");
        request.image = &spec;
        r = cli_call(cli, IMAGE("RemoveImage"), &request.base, &cri__remove_image_response__descriptor, &done, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < answer->image->n_repo_tags; i++)
                printf("Deleted: %s\n", answer->image->repo_tags[i]);
        if (answer->image->n_repo_tags == 0)
                printf("Deleted: %s\n", answer->image->id);
        return 0;
}

/* Ids of the images that containers, running or not, were made from. */
static bool is_used(const Cri__ListContainersResponse *containers, const Cri__Image *image) {
        for (size_t i = 0; i < containers->n_containers; i++) {
                const Cri__Container *c = containers->containers[i];

                if (strcmp(c->image_ref, image->id) == 0 || strcmp(c->image_id, image->id) == 0)
                        return true;
                for (size_t k = 0; k < image->n_repo_digests; k++)
                        if (strcmp(c->image_ref, image->repo_digests[k]) == 0)
                                return true;
        }
        return false;
}

static int remove_many(struct cli *cli, bool only_unused, struct err **err) {
        _cleanup_unpacked_ struct grpc_unpacked images = {}, containers = {};
        Cri__ListContainersRequest request = CRI__LIST_CONTAINERS_REQUEST__INIT;
        const Cri__ListImagesResponse *answer;
        int r;

        if ((r = list_images(cli, NULL, &images, err)) < 0 ||
            (r = cli_call(cli, RUNTIME("ListContainers"), &request.base, &cri__list_containers_response__descriptor,
                          &containers, err)) < 0)
                return r;
        answer = (const Cri__ListImagesResponse *)images.message;
        for (size_t i = 0; i < answer->n_images; i++) {
                const Cri__Image *image = answer->images[i];

                if (only_unused &&
                    (image->pinned || is_used((const Cri__ListContainersResponse *)containers.message, image)))
                        continue;
                r = remove_image(cli, image->id, err);
                if (r < 0)
                        return err_wrap(err, r, "image %s", image->id);
        }
        return 0;
}

int cli_rmi(struct cli *cli, char **arguments, int n, struct err **err) {
        int result = 0;

        if (options.all || options.prune)
                return remove_many(cli, options.prune && !options.all, err);
        if (n == 0) {
                err_set(err, EINVAL, "usage: nacelle rmi [OPTIONS] IMAGE...");
                return CLI_USAGE_EXIT;
        }
        for (int i = 0; i < n; i++) {
                _cleanup_err_ struct err *one = NULL;

                if (remove_image(cli, arguments[i], &one) == 0)
                        continue;
                fprintf(stderr, "nacelle: image %s: %s\n", arguments[i], err_text(one));
                result = 1;
        }
        return result;
}
