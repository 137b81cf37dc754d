#include "images/worker/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/files.h"
#include "images/worker/blob.h"
#include "images/worker/fetch_internal.h"
#include "images/worker/hash.h"
#include "images/worker/report.h"
#include "images/worker/unpack.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* The downloading thread of one layer. */
struct download {
        struct fetch_job *job;
        struct blob *blob;
        struct feed feed;
        struct err *error;
};

static void *download_main(void *data) {
        struct download *d = data;
        const struct fetcher *fetcher = &d->job->fetch->fetcher;
        int r = fetcher->fetch(fetcher->data, d->blob->descriptor, d->blob->there, d->blob->fd, &d->feed, &d->error);
        int flushed = feed_flush(&d->feed); /* what came before a failure too, for the next pull */

        if (r < 0 || (flushed < 0 && (r = err_errno(&d->error, -flushed, "write blob")) < 0))
                feed_fail(&d->feed, err_code(d->error) ?: -r, err_text(d->error));
        return NULL;
}

static void on_unpacked(void *data, uint64_t bytes) {
        struct download *d = data;
        const struct descriptor *blob = d->blob->descriptor;
        uint64_t ready;
        bool loading;

        if (atomic_load(&d->job->failed))
                feed_fail(&d->feed, ECANCELED, "another layer has failed");
        ready = feed_ready(&d->feed);
        loading = ready < d->feed.size;
        if (loading)
                bytes = ready;
        report_progress(d->job->fetch->report, blob->digest, loading ? "downloading" : "unpacking", bytes, blob->size);
}

static int write_info(int dir, const struct layer_result *result, const struct descriptor *blob, struct err **err) {
        _cleanup_close_ int fd = openat(dir, "info", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0 || dprintf(fd, "bytes %llu\ninodes %llu\nblob %s %llu\n", (unsigned long long)result->bytes,
                              (unsigned long long)result->inodes, blob->digest, (unsigned long long)blob->size) < 0)
                return err_errno(err, errno, "write the layer's info");
        return 0;
}

/* Reads, verifies and applies the blob to @dir/fs, downloading it beside that where it is not complete. */
static int unpack_to(struct fetch_job *job, struct fetch_layer *layer, struct blob *blob, int dir, struct err **err) {
        struct download d = { .job = job, .blob = blob };
        struct unpack u = { .feed = &d.feed,
                            .digest = blob->descriptor->digest,
                            .diff_id = layer->diff_id,
                            .limits = job->fetch->limits,
                            .progress = on_unpacked,
                            .data = &d };
        _cleanup_close_ int root = -EBADF;
        bool download = blob->there < blob->descriptor->size;
        pthread_t thread;
        int r;

        if (mkdirat(dir, "fs", 0755) < 0 || (root = openat(dir, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                return err_errno(err, errno, "make the layer's directory");
        feed_init(&d.feed, blob->fd, 0, blob->descriptor->size, blob->there);
        if (download && (r = pthread_create(&thread, NULL, download_main, &d)) != 0) {
                feed_clear(&d.feed);
                return err_errno(err, r, "start a thread");
        }
        r = unpack_blob(&u, root, err);
        if (download)
                pthread_join(thread, NULL);
        if (r == 0 && !feed_complete(&d.feed)) /* what was read may be lost before it is in the file */
                r = err_set(err, err_code(d.error) ?: EIO, "%s",
                            d.error ? err_text(d.error) : "the blob was not stored");
        feed_clear(&d.feed);
        err_free(d.error);
        if (r == 0) {
                layer->result = u.result;
                r = write_info(dir, &u.result, blob->descriptor, err);
        }
        return r;
}

static int unpack_once(struct fetch_job *job, struct fetch_layer *layer, struct blob *blob, struct err **err) {
        const struct image_layout *l = job->fetch->layout;
        _cleanup_close_ int dir = -EBADF;
        int r;

        image_file_temporary_name("layer", layer->directory);
        r = image_directory_open(l->ingest, layer->directory, &dir, err);
        if (r < 0)
                return r;
        r = unpack_to(job, layer, blob, dir, err);
        if (r < 0)
                image_tree_remove(l->ingest, layer->directory, NULL);
        return r;
}

/* What was unpacked becomes durable, then visible. */
static int commit(struct fetch_job *job, struct fetch_layer *layer, struct blob *blob, struct err **err) {
        const struct layer_needs *needs = &layer->result.needs;
        const struct image_layout *l = job->fetch->layout;
        int r;

        if (syncfs(l->ingest) < 0)
                return err_errno(err, errno, "sync the file system");
        r = blob_store(blob, err);
        if (r < 0)
                return r;
        if (needs->implied.count > 0 || needs->links.count > 0 || needs->whiteouts.count > 0) {
                /* settled when the layers below are there */
                strcpy(layer->name, layer->directory);
                layer->state = FETCH_UNSETTLED;
                return 0;
        }
        snprintf(layer->name, sizeof(layer->name), "%s", digest_hex(layer->diff_id));
        layer->state = FETCH_READY;
        return fetch_place(l, layer->directory, layer->name, err);
}

static int commit_or_drop(struct fetch_job *job, struct fetch_layer *layer, struct blob *blob, struct err **err) {
        int r = commit(job, layer, blob, err);

        if (r < 0) {
                image_tree_remove(job->fetch->layout->ingest, layer->directory, NULL);
                layer->state = FETCH_OPEN;
        }
        return r;
}

static bool is_there(struct fetch_job *job, struct fetch_layer *layer) {
        if (image_layout_find_layer(job->fetch->layout, layer->diff_id, job->fetch->manifest.config.digest, layer->name,
                                    NULL, NULL) < 0)
                return false;
        layer->state = FETCH_READY;
        report_progress(job->fetch->report, layer->blob->digest, "exists", layer->blob->size, layer->blob->size);
        return true;
}

/* Whether layer's failure @r, or the one that ended it, is a full disk: what was brought until then must not fill it.
 */
static bool is_for_want_of_space(struct fetch_job *job, int r) {
        int code = -r;

        pthread_mutex_lock(&job->lock);
        if (job->error)
                code = err_code(job->error);
        pthread_mutex_unlock(&job->lock);
        return code == ENOSPC || code == EDQUOT;
}

/* Content that was on disk before may be damaged by a crash: then it is fetched once more, from the start. */
static int fetch_layer(struct fetch_job *job, struct fetch_layer *layer, struct err **err) {
        struct blob blob = BLOB_NONE;
        bool had_some;
        int r;

        if (is_there(job, layer))
                return 0;
        report_progress(job->fetch->report, layer->blob->digest, "waiting", 0, layer->blob->size);
        do {
                _cleanup_err_ struct err *cause = NULL;

                r = blob_open(job->fetch->layout, layer->blob, &blob, err);
                if (r < 0)
                        return r;
                if (is_there(job, layer))
                        break;
                had_some = blob.there > 0;
                r = unpack_once(job, layer, &blob, &cause);
                if (r == 0)
                        r = commit_or_drop(job, layer, &blob, &cause);
                if (r == -EBADMSG || r == -E2BIG || r == -ENOTSUP ||
                    (r < 0 && !blob.stored && is_for_want_of_space(job, r)))
                        blob_discard(&blob, err_text(cause));
                blob_close(&blob);
                if (r < 0 && (r != -EBADMSG || !had_some))
                        err_set(err, -r, "%s", err_text(cause));
        } while (r == -EBADMSG && had_some);
        blob_close(&blob);
        if (r == 0 && layer->state != FETCH_OPEN)
                report_progress(job->fetch->report, layer->blob->digest, "done", layer->blob->size, layer->blob->size);
        return r;
}

static void fail(struct fetch_job *job, const struct fetch_layer *layer, struct err *error) {
        err_wrap(&error, -err_code(error), "layer %.19s", layer->blob->digest);
        pthread_mutex_lock(&job->lock);
        /* what the first failure did to the others is not the cause */
        if (!job->error)
                job->error = error;
        else
                err_free(error);
        pthread_mutex_unlock(&job->lock);
        atomic_store(&job->failed, true);
}

static void *layers_main(void *data) {
        struct fetch_job *job = data;
        size_t i;

        while (!atomic_load(&job->failed) && (i = atomic_fetch_add(&job->next, 1)) < job->n_distinct) {
                struct fetch_layer *layer = &job->layers[job->distinct[i]];
                struct err *error = NULL;

                if (fetch_layer(job, layer, &error) < 0)
                        fail(job, layer, error);
        }
        return NULL;
}

static int run_threads(struct fetch_job *job, struct err **err) {
        pthread_t threads[FETCH_PARALLEL];
        size_t n = 0;

        while (n < FETCH_PARALLEL && n < job->n_distinct && pthread_create(&threads[n], NULL, layers_main, job) == 0)
                n++;
        if (n == 0 && job->n_distinct > 0)
                return err_set(err, EAGAIN, "cannot start a thread");
        for (size_t i = 0; i < n; i++)
                pthread_join(threads[i], NULL);
        return job->error ? err_move(err, TAKE_PTR(job->error)) : 0;
}

/* Finds layers that occur twice, which are one directory, and refuses blobs that claim two contents. */
static int find_distinct(struct fetch_job *job, struct err **err) {
        for (size_t i = 0; i < job->n; i++) {
                bool seen = false;

                for (size_t j = 0; j < i && !seen; j++) {
                        bool same_diff = strcmp(job->layers[i].diff_id, job->layers[j].diff_id) == 0;

                        if (!same_diff && strcmp(job->layers[i].blob->digest, job->layers[j].blob->digest) == 0)
                                return err_set(err, EBADMSG, "layer %s has two diff ids in the config",
                                               job->layers[i].blob->digest);
                        seen = same_diff;
                }
                if (!seen)
                        job->distinct[job->n_distinct++] = i;
        }
        return 0;
}

static int fetch_all(struct fetch_job *job, struct err **err) {
        int r;

        if (!job->layers || !job->distinct)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < job->n; i++) {
                job->layers[i].blob = &job->fetch->manifest.layers[i];
                job->layers[i].diff_id = job->fetch->config.diff_ids[i];
        }
        if ((r = find_distinct(job, err)) < 0 || (r = run_threads(job, err)) < 0)
                return r;
        return fetch_settle(job, err);
}

static int fetch_layers(struct fetch *f, struct err **err) {
        struct fetch_job job = { .fetch = f, .n = f->manifest.n_layers, .lock = PTHREAD_MUTEX_INITIALIZER };
        int r;

        job.layers = calloc(job.n + 1, sizeof(*job.layers));
        job.distinct = calloc(job.n + 1, sizeof(*job.distinct));
        r = fetch_all(&job, err);
        for (size_t i = 0; job.layers && i < job.n; i++) {
                if (r < 0 && job.layers[i].state == FETCH_UNSETTLED) {
                        image_tree_remove(f->layout->ingest, job.layers[i].name, NULL);
                        if (r == -EBADMSG)
                                unlinkat(f->layout->blobs, digest_hex(job.layers[i].blob->digest), 0);
                }
                layer_needs_clear(&job.layers[i].result.needs);
        }
        free(job.layers);
        free(job.distinct);
        return r;
}

int fetch_set_manifest(struct fetch *f, char *text, size_t n, struct err **err) {
        free(f->manifest_text);
        f->manifest_text = text;
        f->n_manifest = n;
        image_manifest_clear(&f->manifest);
        if (digest_of(text, n, f->manifest_digest) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return image_manifest_parse(text, n, &f->manifest, err);
}

static int check_config(const struct fetch *f, const struct platform *platform, struct err **err) {
        const struct image_config *c = &f->config;
        char wanted[PLATFORM_TEXT_MAX];
        size_t n = 0;

        if (!image_platform_fits(platform, c->os, c->architecture, c->variant))
                return err_set(err, ENOEXEC, "the image is for %s/%s%s%s, this node needs %s", c->os ?: "?",
                               c->architecture ?: "?", c->variant ? "/" : "", c->variant ?: "",
                               image_platform_format(platform, wanted));
        while (c->diff_ids && c->diff_ids[n])
                n++;
        if (n != f->manifest.n_layers)
                return err_set(err, EBADMSG, "the manifest has %zu layers, the config %zu", f->manifest.n_layers, n);
        return 0;
}

int fetch_set_config(struct fetch *f, char *text, size_t n, const struct platform *platform, struct err **err) {
        char digest[IMAGE_DIGEST_LENGTH + 1];
        int r;

        free(f->config_text);
        f->config_text = text;
        f->n_config = n;
        if (digest_of(text, n, digest) < 0)
                return err_set(err, ENOMEM, "out of memory");
        if (strcmp(digest, f->manifest.config.digest) != 0)
                return err_set(err, EBADMSG, "the config's digest is %s, but must be %s", digest,
                               f->manifest.config.digest);
        image_config_clear(&f->config);
        r = image_config_parse(text, n, &f->config, err);
        return r < 0 ? r : check_config(f, platform, err);
}

static int store_text(const struct image_layout *l, const char *digest, const char *text, size_t n, struct err **err) {
        return image_file_write(l->blobs, digest_hex(digest), text, n, err);
}

int fetch_run(struct fetch *f, struct err **err) {
        int r = fetch_layers(f, err);

        if (r < 0)
                return r;
        if (fsync(f->layout->layers) < 0 || fsync(f->layout->blobs) < 0)
                return err_errno(err, errno, "sync %s", f->layout->path);
        if ((r = store_text(f->layout, f->manifest.config.digest, f->config_text, f->n_config, err)) < 0 ||
            (r = store_text(f->layout, f->manifest_digest, f->manifest_text, f->n_manifest, err)) < 0)
                return r;
        report_image(f->report, f->manifest.config.digest, f->manifest_digest);
        return 0;
}

struct image_ref fetch_record(const struct fetch *f) {
        struct image_ref ref;

        strcpy(ref.manifest, f->manifest_digest);
        strcpy(ref.image_id, f->manifest.config.digest);
        return ref;
}

void fetch_clear(struct fetch *f) {
        image_manifest_clear(&f->manifest);
        image_config_clear(&f->config);
        free(f->manifest_text);
        free(f->config_text);
        f->manifest_text = f->config_text = NULL;
}
