/* An image's layers where they are to be, those that need the ones below last. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/files.h"
#include "images/worker/fetch_internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"

int fetch_place(const struct image_layout *l, const char *from, const char *to, struct err **err) {
        if (renameat(l->ingest, from, l->layers, to) == 0)
                return 0;
        if (errno == ENOTEMPTY || errno == EEXIST)
                return image_tree_remove(l->ingest, from, err);
        return err_errno(err, errno, "move the layer into the store");
}

static int open_layer_root(const struct image_layout *l, const struct fetch_layer *layer) {
        char path[LAYER_NAME_MAX + 8];

        snprintf(path, sizeof(path), "%s/fs", layer->name);
        return openat(layer->state == FETCH_READY ? l->layers : l->ingest, path,
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* The directory of layer @i, which may be a repetition of an earlier one. */
static struct fetch_layer *representative(const struct fetch_job *job, size_t i) {
        for (size_t j = 0; j < i; j++)
                if (strcmp(job->layers[j].diff_id, job->layers[i].diff_id) == 0)
                        return &job->layers[j];
        return &job->layers[i];
}

/* Whether the layer at @i comes no more above. */
static bool is_topmost(const struct fetch_job *job, size_t i) {
        for (size_t j = i + 1; j < job->n; j++)
                if (strcmp(job->layers[j].diff_id, job->layers[i].diff_id) == 0)
                        return false;
        return true;
}

/* Does what @needs says to @layer with the layers below place @i. */
static int settle_at(struct fetch_job *job, struct fetch_layer *layer, size_t i, const struct layer_needs *needs,
                     struct err **err) {
        const struct image_layout *l = job->fetch->layout;
        _cleanup_close_ int root = open_layer_root(l, layer);
        _cleanup_free_ int *lower = calloc(i + 1, sizeof(int));
        size_t n = 0;
        int r = 0;

        if (root < 0 || !lower)
                return err_errno(err, root < 0 ? errno : ENOMEM, "open the layer");
        for (size_t j = i; j-- > 0 && r == 0; n++) {
                lower[n] = open_layer_root(l, representative(job, j));
                if (lower[n] < 0)
                        r = err_errno(err, errno, "open the layer below");
        }
        if (r == 0)
                r = layer_settle(root, needs, lower, i, err);
        while (n > 0)
                close_fd(lower[--n]);
        if (r < 0)
                return r;
        layer->is_changed |= r > 0;
        return 0;
}

static int place_settled(struct fetch_job *job, struct fetch_layer *layer, struct err **err) {
        const struct image_layout *l = job->fetch->layout;
        char from[LAYER_NAME_MAX];

        if (layer->is_changed && syncfs(l->ingest) < 0)
                return err_errno(err, errno, "sync the file system");
        strcpy(from, layer->name);
        snprintf(layer->name, sizeof(layer->name), "%s%s%s", digest_hex(layer->diff_id), layer->is_changed ? "." : "",
                 layer->is_changed ? digest_hex(job->fetch->manifest.config.digest) : "");
        layer->state = FETCH_READY;
        return fetch_place(l, from, layer->name, err);
}

/* Place @i of the image. A layer that comes twice has its links where it comes first, so that those above find them;
 * what is implied and what is hidden is as its topmost place has it, which is the one that is mounted. */
static int settle_place(struct fetch_job *job, size_t i, struct err **err) {
        struct fetch_layer *layer = representative(job, i);
        struct layer_needs needs = { .implied = layer->result.needs.implied };
        bool first = layer == &job->layers[i], last = is_topmost(job, i);
        int r = 0;

        if (layer->state != FETCH_UNSETTLED || (!first && !last))
                return 0;
        if (first) {
                needs.links = layer->result.needs.links;
                needs.targets = layer->result.needs.targets;
        }
        if (last)
                needs.whiteouts = layer->result.needs.whiteouts;
        r = settle_at(job, layer, i, &needs, err);
        return r == 0 && last ? place_settled(job, layer, err) : r;
}

int fetch_settle(struct fetch_job *job, struct err **err) {
        for (size_t i = 0; i < job->n; i++) {
                int r = settle_place(job, i, err);

                if (r < 0)
                        return err_wrap(err, r, "layer %.19s", job->layers[i].blob->digest);
        }
        return 0;
}
