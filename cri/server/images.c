#include "cri/server/images.h"

#include <errno.h>
#include <stdlib.h>

#include "cri/extension.pb-c.h"
#include "cri/state/state.h"
#include "images/image.h"
#include "images/store.h"
#include "images/transfer.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grpc/server.h"
#include "lib/pool.h"

#define PATH(name) "/nacelle.v1.Images/" name

enum { PULL, IMPORT, PUSH, EXPORT, LOGIN, TAG, UNTAG, CONFIG, N_METHODS };

struct binding {
        struct cri *cri;
        enum image_transfer_kind kind;
};

struct server_images {
        struct binding bindings[N_METHODS];
        struct grpc_method methods[N_METHODS];
};

/* A transfer whose progress is streamed. The client's going away ends it. */
struct transfer {
        struct grpc_call *call;
        struct image_transfer *transfer;
};

static char *text(const char *text) {
        return (char *)(uintptr_t)(text ? text : "");
}

static const char *non_empty(const char *text) {
        return text && *text ? text : NULL;
}

/* What a slow client misses is overtaken by the next message. */
static void on_progress(void *data, const struct image_progress *progress) {
        struct transfer *transfer = data;
        Nacelle__TransferUpdate update = NACELLE__TRANSFER_UPDATE__INIT;

        update.digest = text(progress->digest);
        update.phase = text(progress->phase);
        update.done = progress->done;
        update.total = progress->total;
        grpc_call_send(transfer->call, &update.base);
}

static void on_transferred(void *data, const struct image_transfer_result *result, const struct err *err) {
        struct transfer *transfer = data;
        Nacelle__TransferUpdate update = NACELLE__TRANSFER_UPDATE__INIT;
        Nacelle__TransferResult message = NACELLE__TRANSFER_RESULT__INIT;
        struct grpc_call *call = transfer->call;

        free(transfer);
        if (err)
                return grpc_call_fail_err(call, err);
        message.image_id = text(result->image_id);
        message.manifest = text(result->manifest);
        message.references = (char **)(uintptr_t)result->references;
        while (message.references && message.references[message.n_references])
                message.n_references++;
        update.result = &message;
        grpc_call_send(call, &update.base);
        grpc_call_finish(call);
}

static void on_cancel(struct grpc_call *call, enum grpc_code code, void *data) {
        struct transfer *transfer = data;

        image_transfer_cancel(transfer->transfer);
}

static void fill_auth(struct image_auth *auth, const Nacelle__Auth *from) {
        if (!from)
                return;
        *auth = (struct image_auth){
                .username = non_empty(from->username),
                .password = non_empty(from->password),
                .auth = non_empty(from->auth),
                .identity_token = non_empty(from->identity_token),
                .registry_token = non_empty(from->registry_token),
        };
}

static void handle_transfer(struct grpc_call *call, const ProtobufCMessage *message) {
        static const struct image_transfer_callbacks callbacks = { .progress = on_progress, .done = on_transferred };
        const Nacelle__TransferRequest *request = (const Nacelle__TransferRequest *)message;
        const struct binding *binding = grpc_call_data(call);
        const struct cri_options *options = &binding->cri->options;
        _cleanup_err_ struct err *err = NULL;
        struct image_transfer_request transfer_request = {
                .kind = binding->kind,
                .root_dir = options->root_dir,
                .reference = non_empty(request->reference),
                .file = non_empty(request->file),
                .platform = non_empty(request->platform),
                .registries = options->registries,
                .hosts_dir = options->hosts_dir,
                .docker_config = options->docker_config,
                .providers = options->credential_providers,
                .pool = binding->cri->pool,
                .insecure = options->insecure_registries,
        };
        struct transfer *transfer = calloc(1, sizeof(*transfer));

        if (!transfer)
                return grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        transfer->call = call;
        fill_auth(&transfer_request.auth, request->auth);
        if (image_transfer_start(binding->cri->loop, &transfer_request, &callbacks, transfer, &transfer->transfer,
                                 &err) < 0) {
                free(transfer);
                return grpc_call_fail_err(call, err);
        }
        grpc_call_on_cancel(call, on_cancel, transfer);
        grpc_call_open(call);
}

/* Work on the store, which blocks and so is done on the pool. */
struct store_job {
        struct pool_job job;
        struct grpc_call *call;
        struct image_store *store;
        const ProtobufCMessage *request; /* the call's */
        int (*run)(struct store_job *job, struct err **err);
        struct image *image; /* CONFIG's outcome */
        char *config;
        struct err *err;
};

static void store_work(struct pool_job *pool_job) {
        struct store_job *job = (struct store_job *)pool_job;

        job->run(job, &job->err);
}

static void store_done(struct pool_job *pool_job) {
        struct store_job *job = (struct store_job *)pool_job;
        union {
                ProtobufCMessage base;
                Nacelle__ConfigResponse config;
        } answer = { .config = NACELLE__CONFIG_RESPONSE__INIT };

        if (job->err) {
                grpc_call_fail_err(job->call, job->err);
        } else if (job->image) {
                answer.config.image_id = text(job->image->id);
                answer.config.config = text(job->config);
                grpc_call_reply(job->call, &answer.base);
        } else {
                protobuf_c_message_init(grpc_call_method(job->call)->response, &answer);
                grpc_call_reply(job->call, &answer.base);
        }
        image_free(job->image);
        free(job->config);
        err_free(job->err);
        free(job);
}

static int run_tag(struct store_job *job, struct err **err) {
        const Nacelle__TagRequest *request = (const Nacelle__TagRequest *)job->request;

        return image_store_tag(job->store, request->image, request->reference, err);
}

static int run_untag(struct store_job *job, struct err **err) {
        const Nacelle__UntagRequest *request = (const Nacelle__UntagRequest *)job->request;

        return image_store_untag(job->store, request->reference, err);
}

static int run_config(struct store_job *job, struct err **err) {
        const Nacelle__ConfigRequest *request = (const Nacelle__ConfigRequest *)job->request;
        size_t n;
        int r;

        r = image_store_find(job->store, request->image, &job->image, err);
        if (r < 0)
                return r;
        return image_store_read_config(job->store, job->image->id, &job->config, &n, err);
}

static void submit(struct grpc_call *call, const ProtobufCMessage *request,
                   int (*run)(struct store_job *, struct err **)) {
        const struct binding *binding = grpc_call_data(call);
        struct store_job *job = calloc(1, sizeof(*job));

        if (!job)
                return grpc_call_fail(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
        job->job = (struct pool_job){ .work = store_work, .done = store_done };
        job->call = call;
        job->store = binding->cri->images;
        job->request = request;
        job->run = run;
        pool_submit(binding->cri->pool, &job->job);
}

static void handle_tag(struct grpc_call *call, const ProtobufCMessage *request) {
        submit(call, request, run_tag);
}

static void handle_untag(struct grpc_call *call, const ProtobufCMessage *request) {
        submit(call, request, run_untag);
}

static void handle_config(struct grpc_call *call, const ProtobufCMessage *request) {
        submit(call, request, run_config);
}

static const struct row {
        const char *path;
        const ProtobufCMessageDescriptor *request, *response;
        void (*handle)(struct grpc_call *call, const ProtobufCMessage *request);
        enum image_transfer_kind kind;
} rows[N_METHODS] = {
#define TRANSFER &nacelle__transfer_request__descriptor, &nacelle__transfer_update__descriptor, handle_transfer
        [PULL] = { PATH("Pull"), TRANSFER, IMAGE_PULL },
        [IMPORT] = { PATH("Import"), TRANSFER, IMAGE_IMPORT },
        [PUSH] = { PATH("Push"), TRANSFER, IMAGE_PUSH },
        [EXPORT] = { PATH("Export"), TRANSFER, IMAGE_EXPORT },
        [LOGIN] = { PATH("Login"), TRANSFER, IMAGE_LOGIN },
#undef TRANSFER
        [TAG] = { PATH("Tag"), &nacelle__tag_request__descriptor, &nacelle__tag_response__descriptor, handle_tag, 0 },
        [UNTAG] = { PATH("Untag"), &nacelle__untag_request__descriptor, &nacelle__untag_response__descriptor,
                    handle_untag, 0 },
        [CONFIG] = { PATH("Config"), &nacelle__config_request__descriptor, &nacelle__config_response__descriptor,
                     handle_config, 0 },
};

int server_images_new(struct grpc_server *grpc, struct cri *cri, struct server_images **ret_images, struct err **err) {
        struct server_images *images = calloc(1, sizeof(*images));
        int r;

        if (!images)
                return err_set(err, ENOMEM, "out of memory");
        for (unsigned i = 0; i < N_METHODS; i++) {
                images->bindings[i] = (struct binding){ .cri = cri, .kind = rows[i].kind };
                images->methods[i] = (struct grpc_method){ .path = rows[i].path,
                                                           .request = rows[i].request,
                                                           .response = rows[i].response,
                                                           .handle = rows[i].handle,
                                                           .data = &images->bindings[i] };
        }
        r = grpc_server_add(grpc, images->methods, N_METHODS, err);
        if (r < 0) {
                free(images);
                return r;
        }
        *ret_images = images;
        return 0;
}

void server_images_free(struct server_images *images) {
        free(images);
}
