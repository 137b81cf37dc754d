/* CreateContainer: what is decided before the process is made. */
#include <sys/stat.h>

#include "cri/call/call.h"
#include "cri/state/emit.h"
#include "cri/call/handlers.h"
#include "cri/container/process.h"
#include "cri/state/record.h"
#include "cri/container/spec.h"
#include "cri/state/sync.h"
#include "cri/container/user.h"
#include "cri/container/writable.h"
#include "images/image.h"
#include "images/store.h"
#include "lib/files.h"

struct create {
        Record__Container *record;
        Cri__ContainerConfig *config;
        Cri__CreateContainerResponse *response;
};

static int check_request(const struct cri_call *call, struct err **err) {
        const Cri__CreateContainerRequest *request = (const Cri__CreateContainerRequest *)call->request;
        const Cri__ContainerConfig *config = request->config;

        if (!config || !config->metadata || text_empty(config->metadata->name))
                return err_set(err, EINVAL, "container config must include metadata with a name");
        if (!config->image || text_empty(config->image->image))
                return err_set(err, EINVAL, "container config must include an image");
        if (!call->sandbox->ready || call->sandbox->removed)
                return err_set(err, EINVAL, "sandbox container \"%s\" is not running", call->sandbox->id);
        if (call->cri->containers.n >= CRI_CONTAINERS_MAX)
                return err_set(err, ENOSPC, "there are %d containers already", CRI_CONTAINERS_MAX);
        return spec_check_config(config, call->sandbox->config, err);
}

/* The name or digest that status answers as image_ref, as kubelet compares it. */
static char *image_ref_of(struct arena *arena, const struct image *image) {
        return arena_strdup(arena, image->repo_digests[0] ? image->repo_digests[0] : image->id);
}

static char **copy_list(struct arena *arena, char *const *list, size_t n) {
        char **copy = arena_alloc_array(arena, n + 1, sizeof(*copy));

        for (size_t i = 0; copy && i < n; i++) {
                copy[i] = arena_strdup(arena, list[i]);
                if (!copy[i])
                        return NULL;
        }
        return copy;
}

static int take_image(struct arena *arena, const struct image *image, Record__Container *record) {
        record->image_id = arena_strdup(arena, image->id);
        record->image_ref = image_ref_of(arena, image);
        record->layers = copy_list(arena, image->layers, image->n_layers);
        record->n_layers = image->n_layers;
        return record->image_id && record->image_ref && record->layers ? 0 : -ENOMEM;
}

static int take_user(struct arena *arena, const Cri__ContainerConfig *config, const struct image *image,
                     Record__Container *record, struct err **err) {
        struct user user;
        const struct user_image from = { image->config.user, image->layers, image->n_layers };
        int r = user_resolve(arena, cri_container_security(config), &from, &user, err);

        if (r < 0)
                return r;
        record->uid = user.uid;
        record->gid = user.gid;
        record->groups = user.groups;
        record->n_groups = user.n_groups;
        if (user.home)
                record->home = (char *)(uintptr_t)user.home;
        return 0;
}

/* The layers of each mount that names an image, in the mounts' order. */
static int take_image_mounts(struct cri *cri, struct arena *arena, const Cri__ContainerConfig *config,
                             Record__Container *record, struct err **err) {
        record->image_mounts = arena_alloc_array(arena, config->n_mounts + 1, sizeof(*record->image_mounts));
        if (!record->image_mounts)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < config->n_mounts; i++) {
                const Cri__Mount *mount = config->mounts[i];
                _cleanup_image_ struct image *image = NULL;
                Record__ImageMount *entry;
                int r;

                if (!mount->image || text_empty(mount->image->image))
                        continue;
                r = image_store_find(cri->images, mount->image->image, &image, err);
                if (r < 0)
                        return r;
                entry = message_new(arena, &record__image_mount__descriptor);
                if (!entry)
                        return err_set(err, ENOMEM, "out of memory");
                entry->image_id = arena_strdup(arena, image->id);
                entry->layers = copy_list(arena, image->layers, image->n_layers);
                entry->n_layers = image->n_layers;
                if (!entry->image_id || !entry->layers)
                        return err_set(err, ENOMEM, "out of memory");
                record->image_mounts[record->n_image_mounts++] = entry;
        }
        return 0;
}

static int create_work(struct cri_call *call, struct err **err) {
        const Cri__CreateContainerRequest *request = (const Cri__CreateContainerRequest *)call->request;
        _cleanup_image_ struct image *image = NULL;
        struct create *create = call->state;
        Record__Container *record = create->record;
        char *dir = record_dir(call->cri, call->arena, RECORD_CONTAINER, record->id);
        int r;

        r = SPAN_STEP(call->span, "image_store_find",
                      image_store_find(call->cri->images, request->config->image->image, &image, err), err);
        if (r < 0)
                return err_wrap(err, r, "failed to resolve image \"%s\"", request->config->image->image);
        if (!dir || take_image(call->arena, image, record) < 0)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = take_user(call->arena, request->config, image, record, err)) < 0 ||
            (r = spec_add_cdi(call->cri, call->arena, create->config, err)) < 0 ||
            (r = process_decide(call->arena, create->config, &image->config, call->sandbox->config, record, err)) < 0 ||
            (r = take_image_mounts(call->cri, call->arena, create->config, record, err)) < 0)
                return r;
        if (message_pack(call->arena, &create->config->base, &record->config) < 0)
                return err_set(err, ENOMEM, "out of memory");
        r = SPAN_STEP(call->span, "writable_make", writable_make(call->sandbox, call->arena, dir, err), err);
        if (r < 0 ||
            (r = SPAN_STEP(call->span, "record_write",
                           record_write(call->cri, RECORD_CONTAINER, record->id, &record->base, err), err)) < 0)
                record_remove(call->cri, RECORD_CONTAINER, record->id, NULL);
        return r;
}

static int create_undo(struct cri_call *call, struct err **err) {
        struct create *create = call->state;

        (void)err;
        record_remove(call->cri, RECORD_CONTAINER, create->record->id, NULL);
        return 0;
}

static void create_failed(struct cri_call *call) {
        call->cri->creating--;
        call_fail(call);
}

static void create_done(struct cri_call *call) {
        struct create *create = call->state;
        struct cri_container *container;

        /* The name was free when the work began, and the sandbox's turn kept it free. */
        if (cri_container_new(call->sandbox, create->record, &container, &call->err) < 0) {
                call_run(call, create_undo, create_failed);
                return;
        }
        call->cri->creating--;
        call->container = cri_container_ref(container);
        sync_later(call->cri, RECORD_CONTAINER, container->id);
        emit_container(container, CRI_EVENT_CONTAINER_CREATED);
        create->response->container_id = create->record->id;
        call_reply(call, &create->response->base);
}

static void create_turn(struct cri_call *call) {
        const Cri__CreateContainerRequest *request = (const Cri__CreateContainerRequest *)call->request;
        struct create *create = call_alloc(call, sizeof(*create));
        char id[CRI_ID_LENGTH + 1], *name;
        struct cri_container *holder;

        if (!create)
                return;
        call->state = create;
        if (check_request(call, &call->err) < 0) {
                call_fail(call);
                return;
        }
        name = cri_container_name(call->arena, request->config->metadata, call->sandbox->config->metadata);
        holder = name ? table_object(table_find(&call->cri->container_names, name), struct cri_container, by_name) :
                        NULL;
        if (holder) {
                call_refuse(call, EEXIST, "failed to reserve container name \"%s\": name \"%s\" is reserved for \"%s\"",
                            name, name, holder->id);
                return;
        }
        cri_random_id(id);
        /* All that the answer takes is there before anything is made. */
        if (!(create->record = call_message(call, &record__container__descriptor)) ||
            !(create->response = call_message(call, &cri__create_container_response__descriptor)) ||
            !(create->config = call_alloc(call, sizeof(*create->config))))
                return;
        *create->config = *request->config;
        create->record->id = arena_strdup(call->arena, id);
        create->record->sandbox_id = (char *)(uintptr_t)call->sandbox->id;
        create->record->created_at = cri_creation_time(call->cri);
        if (!create->record->id || !name) {
                call_refuse(call, ENOMEM, "out of memory");
                return;
        }
        call->cri->creating++;
        call->failed = create_failed;
        call_run(call, create_work, create_done);
}

void handle_create_container(struct cri_call *call) {
        const Cri__CreateContainerRequest *request = (const Cri__CreateContainerRequest *)call->request;

        if (call_find_sandbox(call, request->pod_sandbox_id))
                call_take_turn(call, create_turn);
}
