/* CRI's ImageService over the store and the transfers. */
#include <string.h>

#include "cri/call/call.h"
#include "cri/call/handlers.h"
#include "cri/image/pull_trace.h"
#include "images/image.h"
#include "images/reference.h"
#include "images/store.h"
#include "images/transfer.h"
#include "lib/id.h"
#include "lib/json_writer.h"
#include "lib/log.h"

static const Cri__ImageSpec *spec_of(const Cri__ImageSpec *spec) {
        static const Cri__ImageSpec none = CRI__IMAGE_SPEC__INIT;

        return spec ? spec : &none;
}

static char **copy_texts(struct arena *arena, char *const *texts, size_t *ret_n) {
        char **copy;
        size_t n = 0;

        while (texts[n])
                n++;
        copy = arena_alloc_array(arena, n + 1, sizeof(*copy));
        for (size_t i = 0; copy && i < n; i++)
                if (!(copy[i] = arena_strdup(arena, texts[i])))
                        return NULL;
        *ret_n = n;
        return copy;
}

/* "1000:100" is uid 1000; anything but a number is a name. A number that is no id is told as it is, for whoever runs
 * the image to refuse. */
static int fill_user(struct arena *arena, const char *text, Cri__Image *image) {
        char *user = arena_strndup(arena, text, strcspn(text, ":"));
        uint32_t id;
        int r;

        if (!user)
                return -ENOMEM;
        r = id_parse(user, &id);
        if (r == -EINVAL) {
                image->username = user;
                return 0;
        }
        image->uid = message_new(arena, &cri__int64_value__descriptor);
        if (!image->uid)
                return -ENOMEM;
        image->uid->value = r == 0 ? id : strtoll(user, NULL, 10);
        return 0;
}

static Cri__Image *message_of(struct arena *arena, const struct image *image) {
        Cri__Image *message = message_new(arena, &cri__image__descriptor);

        if (!message)
                return NULL;
        message->id = arena_strdup(arena, image->id);
        message->repo_tags = copy_texts(arena, image->repo_tags, &message->n_repo_tags);
        message->repo_digests = copy_texts(arena, image->repo_digests, &message->n_repo_digests);
        message->size = image->size;
        message->spec = message_new(arena, &cri__image_spec__descriptor);
        if (!message->id || !message->repo_tags || !message->repo_digests || !message->spec ||
            (image->config.user && fill_user(arena, image->config.user, message) < 0))
                return NULL;
        message->spec->image = message->id;
        return message;
}

struct list {
        char *name; /* filter; NULL: all */
        Cri__Image **images;
        size_t n;
};

/* The one that is asked for, and none where it is not here. */
static int find_one(const struct cri *cri, const char *name, struct image ***ret_images, size_t *ret_n,
                    struct err **err) {
        struct image **images, *one = NULL;
        int r = image_store_find(cri->images, name, &one, err);

        if (r < 0)
                return r;
        if (!(images = calloc(1, sizeof(*images)))) {
                image_free(one);
                return -ENOMEM;
        }
        images[0] = one;
        *ret_images = images;
        *ret_n = 1;
        return 0;
}

static int list_work(struct cri_call *call, struct err **err) {
        struct list *list = call->state;
        struct image **images = NULL;
        size_t n = 0;
        int r;

        r = list->name ? find_one(call->cri, list->name, &images, &n, err) :
                         image_store_list(call->cri->images, &images, &n, err);
        if (list->name && (r == -ENOENT || r == -EINVAL))
                return 0;
        if (r < 0)
                return r;
        list->images = arena_alloc_array(call->arena, n + 1, sizeof(*list->images));
        for (size_t i = 0; list->images && i < n; i++) {
                list->images[i] = message_of(call->arena, images[i]);
                if (!list->images[i])
                        list->images = NULL;
        }
        image_list_free(images, n);
        list->n = n;
        return list->images ? 0 : err_set(err, ENOMEM, "out of memory");
}

static void list_done(struct cri_call *call) {
        Cri__ListImagesResponse response = CRI__LIST_IMAGES_RESPONSE__INIT;
        struct list *list = call->state;

        response.images = list->images;
        response.n_images = list->n;
        call_reply(call, &response.base);
}

static void stream_done(struct cri_call *call) {
        struct list *list = call->state;

        call_stream(call, list->images, list->n);
}

static void list_begin(struct cri_call *call, const Cri__ImageFilter *filter, void (*done)(struct cri_call *call)) {
        struct list *list = call_alloc(call, sizeof(*list));

        if (!list)
                return;
        call->state = list;
        if (filter && filter->image && !text_empty(filter->image->image))
                list->name = filter->image->image;
        call_run(call, list_work, done);
}

void handle_list_images(struct cri_call *call) {
        list_begin(call, ((const Cri__ListImagesRequest *)call->request)->filter, list_done);
}

void handle_stream_images(struct cri_call *call) {
        list_begin(call, ((const Cri__StreamImagesRequest *)call->request)->filter, stream_done);
}

struct status {
        Cri__Image *image; /* NULL: there is none, which is no error */
        char *info;
};

static char *info_of_image(struct cri_call *call, const struct image *image) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *config = NULL, *text = NULL;
        size_t n;
        int r;

        json_begin_map(&w);
        json_add_string(&w, "chainID", image->n_layers > 0 ? image->layers[0] : "");
        json_add_string(&w, "manifest", image->manifest);
        if ((r = image_store_read_config(call->cri->images, image->id, &config, &n, NULL)) == -ENOMEM)
                return NULL;
        if (r >= 0) {
                json_key(&w, "imageSpec");
                json_raw(&w, config, strlen(config));
        }
        json_end_map(&w);
        return json_writer_finish(&w, &text, &n) < 0 ? NULL : arena_strndup(call->arena, text, n);
}

static int status_work(struct cri_call *call, struct err **err) {
        const Cri__ImageStatusRequest *request = (const Cri__ImageStatusRequest *)call->request;
        _cleanup_image_ struct image *image = NULL;
        struct status *status = call->state;
        int r = image_store_find(call->cri->images, request->image->image, &image, err);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        status->image = message_of(call->arena, image);
        if (!status->image || (request->verbose && !(status->info = info_of_image(call, image))))
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}

static void status_done(struct cri_call *call) {
        Cri__ImageStatusResponse response = CRI__IMAGE_STATUS_RESPONSE__INIT;
        Cri__ImageStatusResponse__InfoEntry info = CRI__IMAGE_STATUS_RESPONSE__INFO_ENTRY__INIT;
        Cri__ImageStatusResponse__InfoEntry *infos[] = { &info };
        struct status *status = call->state;

        response.image = status->image;
        if (status->info) {
                info.key = (char *)(uintptr_t) "info";
                info.value = status->info;
                response.info = infos;
                response.n_info = 1;
        }
        call_reply(call, &response.base);
}

void handle_image_status(struct cri_call *call) {
        const Cri__ImageStatusRequest *request = (const Cri__ImageStatusRequest *)call->request;

        call->state = call_alloc(call, sizeof(struct status));
        if (!call->state)
                return;
        if (text_empty(spec_of(request->image)->image))
                call_refuse(call, EINVAL, "image reference is empty");
        else
                call_run(call, status_work, status_done);
}

struct pull {
        struct image_transfer *transfer;
        struct pull_trace *trace; /* NULL: not traced */
};

static void pull_progress(void *data, const struct image_progress *progress) {
        pull_trace_progress(((struct pull *)((struct cri_call *)data)->state)->trace, progress);
}

static void pull_done(void *data, const struct image_transfer_result *result, const struct err *err) {
        Cri__PullImageResponse response = CRI__PULL_IMAGE_RESPONSE__INIT;
        struct cri_call *call = data;
        const char *name = ((const Cri__PullImageRequest *)call->request)->image->image;

        pull_trace_end(((struct pull *)call->state)->trace, err);
        if (!result) {
                call_refuse(call, err_code(err), "failed to pull and unpack image \"%s\": %s", name, err_text(err));
                return;
        }
        call->cri->counters.pulls++;
        call->cri->counters.pull_bytes += result->bytes;
        response.image_ref = (char *)(uintptr_t)result->image_id;
        call_reply(call, &response.base);
}

static void pull_cancel(struct cri_call *call) {
        image_transfer_cancel(((struct pull *)call->state)->transfer);
}

void handle_pull_image(struct cri_call *call) {
        static const struct image_transfer_callbacks callbacks = { .done = pull_done };
        static const struct image_transfer_callbacks traced = { .progress = pull_progress, .done = pull_done };
        const Cri__PullImageRequest *request = (const Cri__PullImageRequest *)call->request;
        const struct cri_options *options = &call->cri->options;
        const Cri__AuthConfig *auth = request->auth;
        struct pull *pull;
        struct image_transfer_request wanted = {
                .kind = IMAGE_PULL,
                .root_dir = options->root_dir,
                .reference = spec_of(request->image)->image,
                .registries = options->registries,
                .hosts_dir = options->hosts_dir,
                .docker_config = options->docker_config,
                .providers = options->credential_providers,
                .pool = call->cri->pool,
                .insecure = options->insecure_registries,
        };

        if (text_empty(wanted.reference)) {
                call_refuse(call, EINVAL, "image reference is empty");
                return;
        }
        if (auth)
                wanted.auth = (struct image_auth){ .username = auth->username,
                                                   .password = auth->password,
                                                   .auth = auth->auth,
                                                   .server = auth->server_address,
                                                   .identity_token = auth->identity_token,
                                                   .registry_token = auth->registry_token };
        pull = call_alloc(call, sizeof(*pull));
        if (!pull)
                return;
        call->state = pull;
        pull->trace = pull_trace_new(call->arena, call->span);
        if (image_transfer_start(call->cri->loop, &wanted, pull->trace ? &traced : &callbacks, call, &pull->transfer,
                                 &call->err) < 0) {
                call_fail(call);
                return;
        }
        call->cancel = pull_cancel;
}

struct removal {
        bool collect;
        char **in_use; /* images of containers: their layers stay */
};

static int remove_work(struct cri_call *call, struct err **err) {
        const Cri__RemoveImageRequest *request = (const Cri__RemoveImageRequest *)call->request;
        struct removal *removal = call->state;
        _cleanup_err_ struct err *why = NULL;
        int r = image_store_remove(call->cri->images, request->image->image, err);

        if (r < 0)
                return r;
        if (!removal->collect)
                return 0;
        r = image_store_collect(call->cri->images, (const char *const *)removal->in_use, NULL, &why);
        if (r < 0 && r != -EBUSY) /* a transfer runs: the next removal collects */
                log_warning("image content that nothing uses stays: %s", err_text(why));
        return 0;
}

/* All images that containers have; NULL-ended, and so none may be left out: what is not in it goes. */
static char **images_in_use(struct arena *arena, const struct cri *cri) {
        char **in_use;
        size_t n = 0;

        for (const struct cri_container *c = cri->first_container; c; c = c->newer)
                n += 1 + c->record->n_image_mounts;
        in_use = arena_alloc_array(arena, n + 1, sizeof(*in_use));
        n = 0;
        for (const struct cri_container *c = cri->first_container; c && in_use; c = c->newer) {
                if (!(in_use[n++] = arena_strdup(arena, c->record->image_id)))
                        return NULL;
                for (size_t i = 0; i < c->record->n_image_mounts; i++)
                        if (!(in_use[n++] = arena_strdup(arena, c->record->image_mounts[i]->image_id)))
                                return NULL;
        }
        return in_use;
}

void handle_remove_image(struct cri_call *call) {
        const Cri__RemoveImageRequest *request = (const Cri__RemoveImageRequest *)call->request;
        struct removal *removal = call_alloc(call, sizeof(*removal));

        if (!removal)
                return;
        call->state = removal;
        removal->collect = call->cri->creating == 0; /* else the next removal does it */
        if (text_empty(spec_of(request->image)->image))
                call_refuse(call, EINVAL, "image reference is empty");
        else if (!(removal->in_use = images_in_use(call->arena, call->cri)))
                call_refuse(call, ENOMEM, "out of memory");
        else
                call_run(call, remove_work, call_reply_empty);
}

struct usage {
        uint64_t bytes, inodes;
};

static int usage_work(struct cri_call *call, struct err **err) {
        struct usage *usage = call->state;

        return image_store_usage(call->cri->images, &usage->bytes, &usage->inodes, err);
}

static void usage_done(struct cri_call *call) {
        Cri__ImageFsInfoResponse response = CRI__IMAGE_FS_INFO_RESPONSE__INIT;
        Cri__FilesystemUsage usage = CRI__FILESYSTEM_USAGE__INIT, *usages[] = { &usage };
        Cri__FilesystemIdentifier id = CRI__FILESYSTEM_IDENTIFIER__INIT;
        Cri__UInt64Value bytes = CRI__UINT64_VALUE__INIT, inodes = CRI__UINT64_VALUE__INIT;
        struct usage *used = call->state;

        bytes.value = used->bytes;
        inodes.value = used->inodes;
        id.mountpoint = (char *)(uintptr_t)image_store_path(call->cri->images);
        usage.timestamp = cri_now();
        usage.fs_id = &id;
        usage.used_bytes = &bytes;
        usage.inodes_used = &inodes;
        response.image_filesystems = usages;
        response.n_image_filesystems = 1;
        response.container_filesystems = usages;
        response.n_container_filesystems = 1;
        call_reply(call, &response.base);
}

void handle_image_fs_info(struct cri_call *call) {
        call->state = call_alloc(call, sizeof(struct usage));
        if (call->state)
                call_run(call, usage_work, usage_done);
}
